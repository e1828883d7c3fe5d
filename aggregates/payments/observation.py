"""What a gateway tells of a payment, as events: those that its `Standing` adds to what is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from aggregates.kernel import Money, OrderId
from aggregates.payments.events import (
    ActionRequired,
    PaymentAttemptFailed,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDisputed,
    PaymentEvent,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundSettled,
    PaymentVoided,
)
from aggregates.payments.payment import UNNAMED, Payment
from aggregates.payments.standing import Standing, join


def observe(payment: Payment, standing: Standing, *, order_id: OrderId) -> tuple[PaymentEvent, ...]:
    """What `standing` adds to what is known; nothing where it is known already. Never refuses.

    What is told in another currency than was asked for is none of it.
    """
    if standing.currency != payment.currency:
        return ()
    known = _with_names(payment.known(standing.reference), standing)
    joined = join(known, standing)
    return (
        *_promised(known, joined, order_id),
        *_taken(known, joined, order_id),
        *_given_back(known, joined, order_id),
        *_disputed(known, joined, order_id),
    )


def _promised(known: Standing, joined: Standing, order_id: OrderId) -> Iterable[PaymentEvent]:
    reference = joined.reference
    if joined.acting and not known.acting:
        yield ActionRequired(order_id=order_id, gateway_reference=reference)
    if joined.failed is not None and known.failed is None:
        yield PaymentAttemptFailed(order_id=order_id, code=joined.failed, gateway_reference=reference)
    before = (known.authorized, known.capture_before, known.in_parts)
    # What is closed lapses no more, and what is learned of it sets no timer.
    lapses = known.capture_before if known.closed else joined.capture_before
    if joined.most and (joined.most, lapses, joined.in_parts) != before:
        yield PaymentAuthorized(
            order_id=order_id,
            amount=Money(joined.most, joined.currency),
            gateway_reference=reference,
            capture_before=lapses,
            in_parts=joined.in_parts,
        )


def _taken(known: Standing, joined: Standing, order_id: OrderId) -> Iterable[PaymentEvent]:
    reference, currency = joined.reference, joined.currency
    closed = known.closed
    if joined.captured > known.captured:
        final = joined.closed == "captured"
        closed = "captured" if final else closed
        yield PaymentCaptured(
            order_id=order_id,
            amount=Money(joined.captured - known.captured, currency),
            source="gateway",
            gateway_reference=reference,
            final=final,
        )
    if joined.closed is not None and joined.closed != closed:
        yield PaymentVoided(
            order_id=order_id,
            amount=Money(joined.most - joined.captured, currency),
            cause=joined.closed,
            gateway_reference=reference,
        )


def _given_back(known: Standing, joined: Standing, order_id: OrderId) -> Iterable[PaymentEvent]:
    before = {refund.reference: refund for refund in known.refunds}
    for refund in joined.refunds:
        amount = Money(refund.amount, joined.currency)
        seen = before.get(refund.reference)
        if seen is None:
            yield PaymentRefunded(
                order_id=order_id,
                amount=amount,
                credit_note_id=refund.credit_note_id,
                gateway_reference=joined.reference,
                refund_reference=refund.reference,
                step=refund.step,
                pending=not refund.settled,
            )
        elif refund.state == "succeeded" and not seen.settled:
            yield PaymentRefundSettled(
                order_id=order_id, refund_reference=refund.reference, gateway_reference=joined.reference
            )
        if not refund.alive and (seen is None or seen.alive):
            yield PaymentRefundFailed(
                order_id=order_id,
                amount=amount,
                refund_reference=refund.reference,
                gateway_reference=joined.reference,
                state=refund.state,
            )


def _disputed(known: Standing, joined: Standing, order_id: OrderId) -> Iterable[PaymentEvent]:
    before = {move.transaction for move in known.moves}
    for move in joined.moves:
        if move.transaction not in before:
            yield PaymentDisputed(
                order_id=order_id,
                amount=Money(move.amount, joined.currency),
                fee=Money(move.fee, joined.currency),
                dispute=move.dispute,
                transaction=move.transaction,
                gateway_reference=joined.reference,
            )


def _with_names(known: Standing, standing: Standing) -> Standing:
    """Gives refunds that were stored without the gateway's names those that `standing` has for them.

    Of the same credit note (or of none) and amount is the same refund: it must not count twice.
    """
    unnamed = [refund for refund in known.refunds if refund.reference.startswith(UNNAMED)]
    if not unnamed:
        return known
    names = {refund.reference for refund in known.refunds}
    renamed = {}
    for refund in standing.refunds:
        if refund.reference in names:
            continue
        for old in unnamed:
            if (old.credit_note_id, old.amount) == (refund.credit_note_id, refund.amount):
                renamed[old.reference] = refund.reference
                unnamed.remove(old)
                break
    return replace(
        known,
        refunds=tuple(
            replace(refund, reference=renamed.get(refund.reference, refund.reference))
            for refund in known.refunds
        ),
    )
