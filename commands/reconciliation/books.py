"""Our side, read from the log: every payment of the gateway's with what moved, and when we learnt of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from aggregates.kernel import OrderId
from aggregates.payments import payment
from aggregates.payments.payment import Payment
from aggregates.payments.standing import Standing
from commands.codec import CODEC
from commands.reconciliation.matching import Fact, Kind, OurPayment, Window
from event_store.records import EventReader

_MOVING = (
    "payments.payment_captured",
    "payments.payment_refunded",
    "payments.payment_refund_failed",
    "payments.payment_disputed",
)
_PAGE = 5_000
_STREAMS_AT_ONCE = 500

_Known = dict[tuple[str, Kind, str], tuple[int, bool]]
T = TypeVar("T")


def orders_moved(log: EventReader, window: Window, *, after: int = 0) -> Iterator[OrderId]:
    """The orders whose money moved in the time of a report, as the log has it; some more than once.

    `after`: a position before which nothing of that time can lie.
    """
    prefix = f"{payment.stream.name}-"
    while page := log.read_all(after=after, limit=_PAGE, types=_MOVING):
        after = page[-1].position
        for event in page:
            if window.since <= event.valid_at < window.until:
                yield event.stream.removeprefix(prefix)


def our_payments(log: EventReader, orders: Collection[OrderId]) -> Iterator[OurPayment]:
    """The gateway's payments of the orders; of an order that the log does not know there are none."""
    for chunk in _chunks(orders, _STREAMS_AT_ONCE):
        streams = log.read_streams([payment.stream(order) for order in chunk])
        for order, events in zip(chunk, streams.values(), strict=True):
            yield from payments_of(order, ((CODEC.decode(one), one.valid_at) for one in events))


def payments_of(order: OrderId, events: Iterable[tuple[Any, datetime]]) -> Iterator[OurPayment]:
    """The gateway's payments of one order, by the events of its payment and the times when they were true."""
    state: Payment = payment.stream.initial()
    before: _Known = {}
    learnt: list[tuple[tuple[str, Kind, str], int, datetime]] = []
    for event, at in events:
        state = payment.stream.evolve(state, event)
        known = _known(state)
        for key, (amount, _) in known.items():
            if more := amount - before.get(key, (0, False))[0]:
                learnt.append((key, more, at))
        before = known
    for reference, standing in state.standings.items():
        yield OurPayment(
            reference=reference,
            order_id=order,
            currency=standing.currency,
            authorized=standing.most,
            facts=tuple(
                Fact(kind=key[1], item=key[2], amount=amount, at=at, certain=before[key][1])
                for key, amount, at in learnt
                if key[0] == reference and key in before
            ),
        )


def _known(state: Payment) -> _Known:
    """What moved so far: by payment, kind and item the amount, and whether a report must have it."""
    return {
        (reference, kind, item): (amount, certain)
        for reference, standing in state.standings.items()
        for kind, item, amount, certain in moved(standing)
    }


def moved(standing: Standing) -> Iterator[tuple[Kind, str, int, bool]]:
    """What a standing says moved: kind, item, amount, and whether a report must have it."""
    yield "charge", standing.reference, standing.captured, True
    for refund in standing.refunds:
        yield "refund", refund.reference, -refund.amount, refund.state == "succeeded"
        if not refund.alive:
            yield "refund_failure", refund.reference, refund.amount, refund.state == "failed"
    for move in standing.moves:
        yield "dispute", move.transaction, move.amount, True


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk
