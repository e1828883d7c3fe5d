"""Stripe's objects as parts of a `Standing`, by allow-list: amounts, states, ids, and our own metadata.

A PaymentIntent carries the shopper's secret, a charge their name and address; none of that leaves here. The
sandbox speaks the same shapes, without the `stripe` library. NewsRejected for what is odd or damaged;
ForeignObject for a charge, refund or dispute without a PaymentIntent, and for a coin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aggregates.kernel import Money
from aggregates.payments.standing import Closed, DisputeMove, RefundStanding, RefundState, Standing, join
from commands.gateways.gateway import NewsRejected
from commands.gateways.stripe_members import (
    CODE,
    ID,
    ForeignObject,
    Object,
    amount_of,
    currency_of,
    inner_of,
    matching,
    money_of,
    object_of,
    text_of,
    time_of,
)

_STEP = re.compile(r"checkout-([A-Za-z0-9_-]{1,100})/[A-Za-z0-9_.-]{1,100}")
_CREDIT_NOTE = re.compile(r"[A-Za-z0-9_-]{1,100}")
_REFUND_STATES: dict[str, RefundState] = {
    "pending": "pending",
    "requires_action": "requires_action",
    "succeeded": "succeeded",
    "canceled": "canceled",
    "failed": "failed",
}


def standing_of_intent(intent: Object) -> Standing:
    """What a PaymentIntent tells; more where its `latest_charge` is expanded."""
    status = text_of(intent, "status", CODE)
    received = amount_of(intent, "amount_received")
    authorized = 0
    if status in ("requires_capture", "succeeded"):
        authorized = received + amount_of(intent, "amount_capturable")
    failed = None
    error = intent.get("last_payment_error")
    # A canceled one keeps the error of the attempt after which it was given up.
    if error is not None and status in ("requires_payment_method", "canceled"):
        failed = _failure(object_of(error), "code")
    standing = Standing(
        reference=text_of(intent, "id", ID),
        currency=currency_of(intent),
        authorized=authorized,
        captured=received,
        closed=_closed(intent, status),
        acting=status == "requires_action",
        failed=failed,
        **_ours(intent),
    )
    charge = intent.get("latest_charge")
    if not isinstance(charge, Mapping):
        return standing
    of_charge = replace(standing_of_charge({**charge, "payment_intent": standing.reference}), failed=None)
    if of_charge.currency != standing.currency:
        raise NewsRejected("currency")
    return join(standing, of_charge)


def standing_of_charge(charge: Object) -> Standing:
    """What a charge tells: how much was held and taken, whether it failed, when the hold lapses."""
    status = text_of(charge, "status", CODE)
    details = inner_of(inner_of(charge, "payment_method_details"), "card")
    return Standing(
        reference=payment_intent_of(charge),
        currency=currency_of(charge),
        authorized=amount_of(charge, "amount") if status == "succeeded" else 0,
        captured=amount_of(charge, "amount_captured"),
        failed=_failure(charge, "failure_code") if status == "failed" else None,
        capture_before=None if details.get("capture_before") is None else time_of(details, "capture_before"),
        in_parts=inner_of(details, "multicapture").get("status") == "available",
        **_ours(charge),
    )


def standing_of_refund(refund: Object) -> Standing:
    """What a refund tells: itself. A state that is not known here counts as pending."""
    currency = currency_of(refund)
    metadata = inner_of(refund, "metadata")
    step = matching(metadata.get("step"), _STEP)
    one = RefundStanding(
        reference=text_of(refund, "id", ID),
        amount=amount_of(refund, "amount"),
        state=_REFUND_STATES.get(str(refund.get("status")), "pending"),
        credit_note_id=None if step is None else matching(metadata.get("credit_note"), _CREDIT_NOTE),
        step=step,
    )
    return Standing(
        reference=payment_intent_of(refund),
        currency=currency,
        refunds=(one,),
        order_id=None if step is None else _order_of(step),
    )


def standing_of_dispute(dispute: Object) -> Standing:
    """What a dispute tells: the money that it moved, in the payment's currency; never its status."""
    currency = currency_of(dispute)
    disputed = amount_of(dispute, "amount")
    name = text_of(dispute, "id", ID)
    transactions = dispute.get("balance_transactions")
    if not isinstance(transactions, Sequence) or isinstance(transactions, str):
        raise NewsRejected("balance_transactions")
    moves = tuple(_move(object_of(one), name, Money(disputed, currency)) for one in transactions)
    return Standing(reference=payment_intent_of(dispute), currency=currency, moves=moves)


def with_part(standing: Standing, part: Standing) -> Standing:
    """Both together; of a part in another currency, as a dispute's may be, nothing can be told in ours."""
    return join(standing, part) if part.currency == standing.currency else standing


def payment_intent_of(parent: Object) -> str:
    """The id of the PaymentIntent that an object belongs to, expanded or not."""
    value = parent.get("payment_intent")
    if value is None:
        raise ForeignObject("payment_intent")
    return text_of(value, "id", ID) if isinstance(value, Mapping) else text_of(parent, "payment_intent", ID)


def _move(transaction: Object, dispute: str, disputed: Money) -> DisputeMove:
    amount, fee = money_of(transaction, "amount"), money_of(transaction, "fee")
    if amount.currency == disputed.currency:
        moved, cost = amount.amount, fee.amount
    else:  # Settled in another currency: all that was disputed moves, and the fee cannot be told in ours.
        moved, cost = (disputed.amount if amount.amount > 0 else -disputed.amount), 0
    return DisputeMove(transaction=text_of(transaction, "id", ID), dispute=dispute, amount=moved, fee=cost)


def _closed(intent: Object, status: str) -> Closed | None:
    if status == "succeeded":
        return "captured"
    if status != "canceled":
        return None
    return "lapsed" if intent.get("cancellation_reason") == "expired" else "canceled"


def _failure(parent: Object, name: str) -> str:
    return matching(parent.get(name), CODE) or "failed"


def _order_of(step: str) -> str:
    return step.removeprefix("checkout-").partition("/")[0]


def _ours(parent: Object) -> dict[str, Any]:
    """Order and step, where our metadata names both: an `order` alone may be any other program's."""
    metadata = inner_of(parent, "metadata")
    step = matching(metadata.get("step"), _STEP)
    if step is None or metadata.get("order") != _order_of(step):
        return {}
    return {"order_id": _order_of(step), "step": step}
