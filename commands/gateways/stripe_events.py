"""What Stripe sends, checked and reduced: news by their signature, objects as parts of a `Standing`.

Reduction is by allow-list. A PaymentIntent carries the shopper's secret, a charge their name and address;
only amounts, states, ids and our own metadata leave here, each checked for its shape. What is odd or damaged
raises NewsRejected and nothing else. The sandbox speaks the same shapes, without the `stripe` library.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aggregates.currencies import MINOR_DIGITS
from aggregates.kernel import Money
from aggregates.payments.standing import Closed, DisputeMove, RefundStanding, RefundState, Standing, join
from commands.gateways.gateway import News, NewsRejected, Notice
from commands.gateways.stripe_amounts import from_stripe

API_VERSION = "2026-10-28.endive"
"""The version of Stripe's API whose objects are read here: of our requests, and of the webhook endpoint."""

TOLERANCE_SECONDS = 300

EVENT_TYPES = (
    "payment_intent.created",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.amount_capturable_updated",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.partially_funded",
    "charge.succeeded",
    "charge.updated",
    "charge.captured",
    "charge.failed",
    "charge.pending",
    "charge.expired",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
)
"""The events that tell of money."""
RECEIPTS = ("charge.refunded", "charge.refund.updated")
"""Second witnesses of a refund, which name it badly or not at all: to count them would count it twice."""

NOTICE_TYPES = (
    "radar.early_fraud_warning.created",
    "radar.early_fraud_warning.updated",
    "review.opened",
    "review.closed",
)
PAYOUT_TYPES = ("payout.paid", "payout.reconciliation_completed")
SUBSCRIBED_TYPES = (*EVENT_TYPES, *RECEIPTS, *NOTICE_TYPES, *PAYOUT_TYPES)
"""What the webhook endpoint is to send, and what is fetched where it did not."""

Object = Mapping[str, Any]

_AMOUNT_MAX = 10**15
_ID = re.compile(r"[A-Za-z0-9_]{1,200}")
_CODE = re.compile(r"[a-z0-9_]{1,100}")
_KIND = re.compile(r"[a-z0-9_.]{1,100}")
_STEP = re.compile(r"checkout-([A-Za-z0-9_-]{1,100})/[A-Za-z0-9_.-]{1,100}")
_CREDIT_NOTE = re.compile(r"[A-Za-z0-9_-]{1,100}")
_VERSION = re.compile(r"[A-Za-z0-9.-]{1,40}")
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_REFUND_STATES: dict[str, RefundState] = {
    "pending": "pending",
    "requires_action": "requires_action",
    "succeeded": "succeeded",
    "canceled": "canceled",
    "failed": "failed",
}


class ForeignObject(NewsRejected):
    """The object is sound, and belongs to no payment that we could have made."""


# The signature


def verify(
    body: bytes,
    header: str,
    secrets: Sequence[str],
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> None:
    """Checks a `Stripe-Signature` header over the body's raw bytes. NewsRejected where no secret signed it.

    Several secrets live while one is being replaced. A time to come is accepted: only the signer can set it.
    """
    parts = [part.split("=", 2) for part in header.split(",")]
    times = [part[1] for part in parts if part[0] == "t" and len(part) > 1]
    signatures = [part[1].encode(errors="replace") for part in parts if part[0] == "v1" and len(part) > 1]
    if any(len(part) < 2 for part in parts if part[0] in ("t", "v1")) or not times or not signatures:
        raise NewsRejected("signature_malformed")
    if _TIMESTAMP.fullmatch(times[0]) is None:
        raise NewsRejected("signature_malformed")
    timestamp = int(times[0])
    expected = [_signature(body, secret, timestamp) for secret in secrets if secret.strip()]
    if not any(hmac.compare_digest(one, other) for one in expected for other in signatures):
        raise NewsRejected("signature_mismatch")
    if timestamp < now.timestamp() - tolerance_seconds:
        raise NewsRejected("signature_too_old")


def sign(body: bytes, secret: str, now: datetime) -> str:
    """The `Stripe-Signature` header for a body sent now."""
    timestamp = int(now.timestamp())
    return f"t={timestamp},v1={_signature(body, secret, timestamp).decode()}"


def _signature(body: bytes, secret: str, timestamp: int) -> bytes:
    signed = b"%d.%b" % (timestamp, body)
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()


# Objects. ForeignObject for a charge, refund or dispute without a PaymentIntent, and for a coin.


def standing_of_intent(intent: Object) -> Standing:
    """What a PaymentIntent tells; more where its `latest_charge` is expanded."""
    status = _text(intent, "status", _CODE)
    received = _amount(intent, "amount_received")
    authorized = 0
    if status in ("requires_capture", "succeeded"):
        authorized = received + _amount(intent, "amount_capturable")
    failed = None
    error = intent.get("last_payment_error")
    # A canceled one keeps the error of the attempt after which it was given up.
    if error is not None and status in ("requires_payment_method", "canceled"):
        failed = _failure(_object(error), "code")
    standing = Standing(
        reference=_text(intent, "id", _ID),
        currency=_currency(intent),
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
    status = _text(charge, "status", _CODE)
    details = _inner(_inner(charge, "payment_method_details"), "card")
    return Standing(
        reference=_payment_intent(charge),
        currency=_currency(charge),
        authorized=_amount(charge, "amount") if status == "succeeded" else 0,
        captured=_amount(charge, "amount_captured"),
        failed=_failure(charge, "failure_code") if status == "failed" else None,
        capture_before=None if details.get("capture_before") is None else _time(details, "capture_before"),
        in_parts=_inner(details, "multicapture").get("status") == "available",
        **_ours(charge),
    )


def standing_of_refund(refund: Object) -> Standing:
    """What a refund tells: itself. A state that is not known here counts as pending."""
    currency = _currency(refund)
    metadata = _inner(refund, "metadata")
    step = _matching(metadata.get("step"), _STEP)
    one = RefundStanding(
        reference=_text(refund, "id", _ID),
        amount=_amount(refund, "amount"),
        state=_REFUND_STATES.get(str(refund.get("status")), "pending"),
        credit_note_id=None if step is None else _matching(metadata.get("credit_note"), _CREDIT_NOTE),
        step=step,
    )
    return Standing(
        reference=_payment_intent(refund),
        currency=currency,
        refunds=(one,),
        order_id=None if step is None else _order_of(step),
    )


def standing_of_dispute(dispute: Object) -> Standing:
    """What a dispute tells: the money that it moved, in the payment's currency; never its status."""
    currency = _currency(dispute)
    disputed = _amount(dispute, "amount")
    name = _text(dispute, "id", _ID)
    transactions = dispute.get("balance_transactions")
    if not isinstance(transactions, Sequence) or isinstance(transactions, str):
        raise NewsRejected("balance_transactions")
    moves = tuple(_move(_object(one), name, Money(disputed, currency)) for one in transactions)
    return Standing(reference=_payment_intent(dispute), currency=currency, moves=moves)


def _move(transaction: Object, dispute: str, disputed: Money) -> DisputeMove:
    amount, fee = _money(transaction, "amount"), _money(transaction, "fee")
    if amount.currency == disputed.currency:
        moved, cost = amount.amount, fee.amount
    else:  # Settled in another currency: all that was disputed moves, and the fee cannot be told in ours.
        moved, cost = (disputed.amount if amount.amount > 0 else -disputed.amount), 0
    return DisputeMove(transaction=_text(transaction, "id", _ID), dispute=dispute, amount=moved, fee=cost)


def _closed(intent: Object, status: str) -> Closed | None:
    if status == "succeeded":
        return "captured"
    if status != "canceled":
        return None
    return "lapsed" if intent.get("cancellation_reason") == "expired" else "canceled"


# Events


def read_news(
    body: bytes, signature: str, now: datetime, *, secrets: Sequence[str], livemode: bool, api_version: str
) -> News:
    """What was sent to the webhook, checked and reduced. NewsRejected."""
    verify(body, signature, secrets, now)
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise NewsRejected("json") from None
    return news_of(_object(event), livemode=livemode, api_version=api_version)


def news_of(event: Object, *, livemode: bool, api_version: str) -> News:
    """An event, reduced. `livemode` and `api_version` are ours; where it has others, little of it is read.

    NewsRejected for what is no event.
    """
    thin = event.get("object") == "v2.core.event"
    if not thin and event.get("object") != "event":
        raise NewsRejected("object")
    kind = _text(event, "type", _KIND)
    news = News(
        event_id=_text(event, "id", _ID),
        kind=kind,
        created=_iso_time(event, "created") if thin else _time(event, "created"),
    )
    kind = kind.removeprefix("v1.")  # of a thin one
    notice = _notice(kind)
    receipt = kind in RECEIPTS or notice in ("early_fraud_warning", "review")
    payout = kind.startswith("payout.")
    if not (kind in EVENT_TYPES or notice or receipt or payout):
        news = replace(news, ignored="kind")
    if event.get("context" if thin else "account") is not None:
        news = replace(news, ignored="account")
    if event.get("livemode") is not livemode:
        news = replace(news, ignored="livemode")
    if news.ignored or payout:
        return replace(news, payout=payout and not news.ignored)
    news = replace(news, notice=notice)
    try:
        if thin:  # No object, only its id, which may be a charge's, a refund's or a dispute's.
            reference = _text(_inner(event, "related_object"), "id", _ID)
            return news if receipt else replace(news, reference=reference, look=True)
        found = _object(_inner(event, "data").get("object"))
        is_intent = kind.startswith("payment_intent.")
        news = replace(news, reference=_text(found, "id", _ID) if is_intent else _payment_intent(found))
        return news if receipt else _read_object(news, found, event.get("api_version"), api_version)
    except ForeignObject:
        return replace(news, ignored="foreign")


def _read_object(news: News, found: Object, version: object, expected: str) -> News:
    if version != expected:
        shown = version if isinstance(version, str) and _VERSION.fullmatch(version) else "none"
        return replace(news, look=True, other_version=shown)
    if news.notice == "dispute":  # Its money is joined; what else it changed only a look tells.
        return replace(news, standing=standing_of_dispute(found), look=True)
    if news.kind.startswith("payment_intent."):
        return replace(news, standing=standing_of_intent(found))
    of = standing_of_refund if news.kind.startswith("refund.") else standing_of_charge
    return replace(news, standing=of(found))


def _notice(kind: str) -> Notice | None:
    if kind.startswith("charge.dispute."):
        return "dispute"
    if kind.startswith("radar.early_fraud_warning."):
        return "early_fraud_warning"
    return "review" if kind.startswith("review.") else None


# Members, each checked. The exceptions name the member, never its value.


def _object(value: object) -> Object:
    if not isinstance(value, Mapping):
        raise NewsRejected("object")
    return value


def _inner(parent: Object, name: str) -> Object:
    """The object under a name, empty where it is missing or null."""
    value = parent.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise NewsRejected(name)
    return value or {}


def _text(parent: Object, name: str, pattern: re.Pattern[str]) -> str:
    value = _matching(parent.get(name), pattern)
    if value is None:
        raise NewsRejected(name)
    return value


def _matching(value: object, pattern: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _whole(parent: Object, name: str) -> int:
    value = parent.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _AMOUNT_MAX:
        raise NewsRejected(name)
    return value


def _currency(parent: Object) -> str:
    """The currency by its ISO code. ForeignObject for one that ISO does not list, such as a coin."""
    currency = parent.get("currency")
    if not isinstance(currency, str):
        raise NewsRejected("currency")
    if currency.upper() not in MINOR_DIGITS:
        raise ForeignObject("currency")
    return currency.upper()


def _money(parent: Object, name: str) -> Money:
    try:
        return from_stripe(_whole(parent, name), _currency(parent))
    except ValueError:
        raise NewsRejected(name) from None


def _amount(parent: Object, name: str) -> int:
    """In ISO minor units, never below zero."""
    amount = _money(parent, name).amount
    if amount < 0:
        raise NewsRejected(name)
    return amount


def _time(parent: Object, name: str) -> datetime:
    try:
        return datetime.fromtimestamp(_whole(parent, name), UTC)
    except (ValueError, OverflowError, OSError):
        raise NewsRejected(name) from None


def _iso_time(parent: Object, name: str) -> datetime:
    value = parent.get(name)
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise NewsRejected(name) from None


def _payment_intent(parent: Object) -> str:
    """The id of the PaymentIntent that an object belongs to, expanded or not."""
    value = parent.get("payment_intent")
    if value is None:
        raise ForeignObject("payment_intent")
    return _text(value, "id", _ID) if isinstance(value, Mapping) else _text(parent, "payment_intent", _ID)


def _failure(parent: Object, name: str) -> str:
    return _matching(parent.get(name), _CODE) or "failed"


def _order_of(step: str) -> str:
    return step.removeprefix("checkout-").partition("/")[0]


def _ours(parent: Object) -> dict[str, Any]:
    """Order and step, where our metadata names both: an `order` alone may be any other program's."""
    metadata = _inner(parent, "metadata")
    step = _matching(metadata.get("step"), _STEP)
    if step is None or metadata.get("order") != _order_of(step):
        return {}
    return {"order_id": _order_of(step), "step": step}
