"""The owed list: orders whose money is to be settled by a person, as the log has them at this moment.

Kept as open work (commands/processes/owed.py), so a page costs two statements however long the log is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from aggregates.kernel import Money
from aggregates.orders import order
from aggregates.orders.events import OrderPlaced
from aggregates.payments import process
from aggregates.payments.events import Call, Concern, OwedChanged, StepBegun, StepEnded
from aggregates.payments.process import LOST, REFUSED
from commands.codec import CODEC
from commands.processes.following import LOOKED_AT_MAX, PAGE, checkpoint_of
from commands.processes.owed import ASPECTS, Owed
from event_store.progress import FIRST
from event_store.records import EventLog, RecordedEvent

_WORK = checkpoint_of(Owed())


class StuckCall(msgspec.Struct, frozen=True):
    """A call that the gateway refused, or whose outcome is lost, as it ended last."""

    call: Call
    outcome: str
    code: str | None  # the gateway's word for why
    request_id: str | None  # the gateway's name for the request
    at: datetime  # UTC


class OwedOrder(msgspec.Struct, frozen=True):
    """What an order leaves to be settled by a person."""

    order_id: str
    number: str
    to_shop: Money
    to_customer: Money
    stuck: tuple[StuckCall, ...]
    concerns: tuple[Concern, ...]
    since: datetime  # UTC; from when on there was always something


@dataclass(frozen=True, slots=True)
class OwedPage:
    """The orders whose state changed longest ago first; `next`: the position to go on after."""

    items: list[OwedOrder]
    next: int | None


def read_owed(log: EventLog, *, after: int = 0, limit: int) -> OwedPage:
    """Orders whose last change is above the position `after`. Raises StoreUnavailable."""
    changed = _changed_since_saved(log)
    found: dict[str, int] = {}  # by order: the position of its last change
    rows = len(ASPECTS) * (limit + len(changed) + 1)
    for work in log.listed_work(_WORK, after=(after + 1, *FIRST[1:]), limit=rows):
        found[work.queue] = work.position
    for order_id, (position, is_owed) in changed.items():
        found.pop(order_id, None)
        if is_owed and position > after:
            found[order_id] = position
    listed = sorted(found, key=found.__getitem__)
    page = listed[:limit]
    streams = [stream for order_id in page for stream in (process.stream(order_id), order.stream(order_id))]
    histories = log.read_streams(streams)
    items = [
        _order(order_id, histories[process.stream(order_id)], histories[order.stream(order_id)])
        for order_id in page
    ]
    return OwedPage(
        items=[item for item in items if item is not None],
        next=found[page[-1]] if len(listed) > limit else None,
    )


def read_owed_order(log: EventLog, order_id: str) -> OwedOrder | None:
    """One order's; None where nothing of it is to be settled. Raises StoreUnavailable."""
    histories = log.read_streams([process.stream(order_id), order.stream(order_id)])
    return _order(order_id, histories[process.stream(order_id)], histories[order.stream(order_id)])


@dataclass(frozen=True, slots=True)
class Totals:
    """How many orders wait for an operator, by what for, and the money owed, by currency in minor units."""

    orders: Mapping[int, int]
    to_shop: Mapping[str, int]
    to_customer: Mapping[str, int]


class OwedTotals:
    """Reads the totals as of the last second; of orders that did not change since, what is remembered."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        # By order and position of its last change: owed to the shop, to the customer.
        self._owed: dict[tuple[str, int], tuple[Money, Money]] = {}
        self._currencies: set[str] = set()  # in which anything ever was: 0 once that is settled

    def read(self) -> Totals:
        """Raises StoreUnavailable."""
        orders: Counter[int] = Counter(dict.fromkeys(ASPECTS, 0))
        there: set[tuple[str, int]] = set()
        after = FIRST
        while page := self._log.listed_work(_WORK, after=after, limit=PAGE):
            after = page[-1].place
            for work in page:
                orders[work.number] += 1
                there.add((work.queue, work.position))
        for changed in self._owed.keys() - there:
            del self._owed[changed]
        self._remember(sorted(position for _, position in there - self._owed.keys()))
        to_shop = Counter(dict.fromkeys(self._currencies, 0))
        to_customer = to_shop.copy()
        for shop, customer in self._owed.values():
            to_shop[shop.currency] += shop.amount
            to_customer[customer.currency] += customer.amount
        return Totals(orders, to_shop, to_customer)

    def _remember(self, positions: Sequence[int]) -> None:
        for first in range(0, len(positions), PAGE):
            for recorded in self._log.read_positions(positions[first : first + PAGE]):
                event: OwedChanged = CODEC.decode(recorded)
                self._owed[event.order_id, recorded.position] = event.to_shop, event.to_customer
                self._currencies.add(event.to_shop.currency)


def _changed_since_saved(log: EventLog) -> dict[str, tuple[int, bool]]:
    """By order, what the events beyond the work's checkpoint say: their position, and whether it is owed."""
    place, head = log.checkpoint(_WORK), log.head()
    changed: dict[str, tuple[int, bool]] = {}
    while place < head:
        up_to = min(head, place + LOOKED_AT_MAX)
        page = log.read_all(after=place, limit=PAGE, types=Owed.event_names, up_to=up_to)
        for recorded in page:
            event: OwedChanged = CODEC.decode(recorded)
            changed[event.order_id] = recorded.position, event.is_owed
        place = page[-1].position if len(page) == PAGE else up_to
    return changed


def _order(order_id: str, steps: Sequence[RecordedEvent], sold: Sequence[RecordedEvent]) -> OwedOrder | None:
    owed: OwedChanged | None = None
    since: datetime | None = None
    calls: dict[int, Call] = {}
    failed: dict[Call, StuckCall] = {}
    for recorded in steps:
        match CODEC.decode(recorded):
            case OwedChanged() as event:
                owed = event if event.is_owed else None
                since = (since or recorded.recorded_at) if event.is_owed else None
            case StepBegun(step=step, call=call):
                calls[step] = call
            case StepEnded(step=step, outcome=outcome, code=code, request_id=request_id) if outcome in (
                REFUSED,
                LOST,
            ):
                failed[calls[step]] = StuckCall(calls[step], outcome, code, request_id, recorded.recorded_at)
    if owed is None or since is None:
        return None
    return OwedOrder(
        order_id=order_id,
        number=_number(sold),
        to_shop=owed.to_shop,
        to_customer=owed.to_customer,
        stuck=tuple(failed[call] for call in owed.stuck),
        concerns=owed.concerns,
        since=since,
    )


def _number(sold: Sequence[RecordedEvent]) -> str:
    events: list[Any] = [CODEC.decode(recorded) for recorded in sold[:1]]
    return events[0].number if events and isinstance(events[0], OrderPlaced) else ""
