"""What of the sample a shop holds: a half-filled one is filled up, a full one left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from aggregates.inventory.events import StockReceived
from aggregates.orders.order import Order
from commands.importing.online_retail.identity import Identity
from commands.loop.books import Books
from deploy.sample.articles import Article
from deploy.sample.orders import ORDERS
from event_store.codec import Codec
from event_store.records import EventReader

FIRST_NUMBER = 10_000
OPENING = "sample:opening"
"""The source of the sample's opening stock."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`orders` by number, unknown ones too; `first_day` is None where no stock of the sample was received."""

    orders: dict[str, Order]
    listed: set[str]  # SKUs
    received: set[str]  # SKUs
    first_day: date | None


def number_of(nth: int) -> str:
    """The number of the sample's nth order."""
    return f"S-{FIRST_NUMBER + nth}"


def standing(log: EventReader, codec: Codec, identity: Identity, articles: Sequence[Article]) -> Standing:
    """Reads what is there. Raises StoreUnavailable."""
    books = Books(codec)
    ids = {number: identity.order(number) for number in map(number_of, range(1, ORDERS + 1))}
    streams = [f"order-{order_id}" for order_id in ids.values()]
    for article in articles:
        streams += [f"product-{article.sku}", f"stock-{article.sku}"]
    first_day, received = None, set()
    for stream, history in log.read_streams(streams).items():
        books.load(stream, history)
        for recorded in history:
            event = codec.decode(recorded)
            if isinstance(event, StockReceived) and event.source == OPENING:
                received.add(event.sku)
                first_day = recorded.valid_at.date() + timedelta(days=1)
    return Standing(
        orders={number: books.state(f"order-{order_id}") for number, order_id in ids.items()},
        listed={each.sku for each in articles if books.state(f"product-{each.sku}").facts is not None},
        received=received,
        first_day=first_day,
    )
