"""The view `conversion`: per day of the shop's clocks how many visits began, carts were taken, and orders of
carts were placed, canceled ones out; ranking `days`.

Events: the first product viewed of a visit, cart opened, orders placed and canceled. Key: the day. Each
counts on the day of its valid time, an order also where it is canceled on that of its placing; one of which
the log has no more than the UTC day of that, on this day. An order that came of no cart, such as an imported
one, is not counted. The time zone is a part of the read model: another one, or other rules of it, is
built anew. As stale as the projector is behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import NamedTuple, assert_never, get_args

from aggregates.cart.events import CartOpened
from aggregates.orders.events import OrderCanceled, OrderPlaced
from aggregates.visits.events import ProductViewed
from event_store.records import RecordedEvent
from projections.documents.shapes import ConversionDocument
from projections.views.time_zone import TimeZone
from projections.views.view import DocumentView, Ranking

MODEL = 1
"""The number of this read model, whatever the time zone."""

DAYS = "days"
"""The ranking of all days that have a document; the score is the day as a number, 20101201."""


class Counted(NamedTuple):
    """What an event adds to its day."""

    visits: int = 0
    carts: int = 0
    orders: int = 0


Event = ProductViewed | CartOpened | OrderPlaced | OrderCanceled


def facts(time_zone: TimeZone, event: Event, recorded: RecordedEvent) -> Sequence[tuple[str, Counted]]:
    """What is counted, for its day; nothing of a visit's further views, and of orders without a cart."""
    match event:
        case ProductViewed(number=number):
            if number > 1:
                return ()
            day, counted = time_zone.day_of(recorded.valid_at), Counted(visits=1)
        case CartOpened():
            day, counted = time_zone.day_of(recorded.valid_at), Counted(carts=1)
        case OrderPlaced(cart_id=cart_id):
            if cart_id is None:
                return ()
            day, counted = _placed(time_zone, event), Counted(orders=1)
        case OrderCanceled(cart_id=cart_id):
            if cart_id is None:
                return ()
            day, counted = _placed(time_zone, event), Counted(orders=-1)
        case _:
            assert_never(event)
    return ((day.isoformat(), counted),)


def _placed(time_zone: TimeZone, event: OrderPlaced | OrderCanceled) -> date:
    return event.placed_on if event.placed_at is None else time_zone.day_of(event.placed_at)


def evolve(
    key: str, document: ConversionDocument | None, counted: Counted, recorded: RecordedEvent
) -> ConversionDocument:
    """The day after the event."""
    document = document or ConversionDocument(
        date=key, visits=0, carts=0, orders=0, position=recorded.position
    )
    document.visits += counted.visits
    document.carts += counted.carts
    document.orders += counted.orders
    return document


def day_number(document: ConversionDocument) -> int:
    """2010-12-01 is 20101201."""
    return int(document.date.replace("-", ""))


def view(time_zone: TimeZone) -> DocumentView[ConversionDocument]:
    """The view of a shop in this time zone."""
    return DocumentView(
        name="conversion",
        model=MODEL + (time_zone.fingerprint << 16),
        shape=ConversionDocument,
        events=frozenset(get_args(Event)),
        facts=partial(facts, time_zone),
        evolve=evolve,
        ranking=Ranking(DAYS, day_number),
    )
