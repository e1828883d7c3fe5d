"""The view `also_bought`: per SKU, how many orders had each other product beside it, canceled orders out.

Events: orders placed and canceled. Key: the SKU. Of an order count its first `SKUS_MAX` SKUs, in the order of
its lines: so one of many lines changes no more than so many documents. A document has at most `PARTNERS_MAX`
others; one more, and the `PARTNERS_LEFT` stay that most orders had, of equals those that were ordered last.
What went begins at nothing when it is ordered again, so the count of a rare partner may be less than its
orders, never more. On sale or not: the query leaves out what is not. As stale as the projector is behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from aggregates.orders.events import OrderCanceled, OrderPlaced
from event_store.records import RecordedEvent
from projections.documents.shapes import AlsoBoughtDocument
from projections.views.view import DocumentView

SKUS_MAX = 10
PARTNERS_MAX = 128
PARTNERS_LEFT = 64


class Together(NamedTuple):
    """The SKUs of one order, and whether it was placed (1) or given up (-1)."""

    skus: Sequence[str]
    orders: int


Event = OrderPlaced | OrderCanceled


def facts(event: Event, recorded: RecordedEvent) -> Sequence[tuple[str, Together]]:
    """All SKUs that count, for each of them; nothing of an order of one."""
    skus = list(dict.fromkeys(line.sku for line in event.lines))[:SKUS_MAX]
    if len(skus) == 1:
        return ()
    together = Together(skus, 1 if isinstance(event, OrderPlaced) else -1)
    return [(sku, together) for sku in skus]


def evolve(
    key: str, document: AlsoBoughtDocument | None, fact: Together, recorded: RecordedEvent
) -> AlsoBoughtDocument:
    """The SKU's partners after the order."""
    document = document or AlsoBoughtDocument(sku=key, orders={}, position=recorded.position)
    orders = document.orders
    for sku in fact.skus:
        if sku != key:
            counted = orders.get(sku, 0)
            if fact.orders > 0:
                orders.pop(sku, None)  # so that it comes last
                orders[sku] = counted + 1
            elif counted > 1:
                orders[sku] = counted - 1
            elif counted:
                del orders[sku]
    if len(orders) > PARTNERS_MAX:
        left = frozenset(document.best_first()[:PARTNERS_LEFT])
        document.orders = {sku: counted for sku, counted in orders.items() if sku in left}
    return document


VIEW = DocumentView(
    name="also_bought",
    model=2,
    shape=AlsoBoughtDocument,
    events=frozenset(get_args(Event)),
    facts=facts,
    evolve=evolve,
)
