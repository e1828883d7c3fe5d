"""Orders, cancellations and credit notes in; what each customer bought out."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from aggregates.kernel import Money
from aggregates.orders.events import CreditNoteIssued, OrderPlaced
from event_store.memory.log import MemoryLog
from projections.engine.follower import Decoded
from projections.views import customer_value, sales
from tests.projections.memory_views import MemoryView, built
from tests.shop.facts import given_up, placed, recorded
from tests.shop.log import Shop


def values(*happened: Any) -> dict[str, Any]:
    view = MemoryView(customer_value.VIEW)
    view.apply([Decoded(recorded(n, event), event) for n, event in enumerate(happened, start=1)])
    return {key: msgspec.json.decode(document) for key, document in view.documents.items()}


def bought(order_id: str, day: int, units: int = 1, **facts: Any) -> OrderPlaced:
    facts = {"customer_id": "anna", **facts}
    return placed(order_id, "MUG", units, placed_on=date(2026, 3, day), **facts)


def note(amount: int, customer_id: str | None = "anna") -> CreditNoteIssued:
    facts = {"credit_note_id": "n", "number": "n", "currency": "GBP", "lines": (), "charges": ()}
    return CreditNoteIssued(
        **facts, amount=Money(amount, "GBP"), issued_on=date(2026, 3, 9), customer_id=customer_id
    )


def test_orders_and_sums_by_currency() -> None:
    anna = values(bought("o1", 2), bought("o2", 1, 3), bought("o3", 4, currency="EUR"), note(250))["anna"]
    assert (anna["orders"], anna["first_order_on"], anna["last_order_on"]) == (3, "2026-03-01", "2026-03-04")
    assert anna["sums"] == [
        {"currency": "EUR", "orders": 1, "gross": 1_000, "returns": 0, "net": 1_000},
        {"currency": "GBP", "orders": 2, "gross": 4_000, "returns": 250, "net": 3_750},
    ]


def test_canceled_orders_are_out_also_as_the_first_and_the_last() -> None:
    first, last = bought("o1", 1), bought("o4", 9)
    happened = (first, bought("o2", 3), bought("o3", 5), last, given_up(first), given_up(last))
    anna = values(*happened)["anna"]
    assert (anna["orders"], anna["first_order_on"], anna["last_order_on"]) == (2, "2026-03-03", "2026-03-05")
    assert anna["sums"][0]["gross"] == 2_000


def test_another_order_of_the_same_day_stays_the_first() -> None:
    one = bought("o1", 1)
    anna = values(one, bought("o2", 1), given_up(one))["anna"]
    assert (anna["orders"], anna["first_order_on"], anna["last_order_on"]) == (1, "2026-03-01", "2026-03-01")


def test_a_customer_whose_every_order_was_canceled_has_no_first_and_no_last() -> None:
    one = bought("o1", 1)
    anna = values(one, given_up(one))["anna"]
    assert (anna["orders"], anna["first_order_on"], anna["last_order_on"]) == (0, None, None)
    assert anna["days"] == {}


def test_guests_have_none() -> None:
    assert values(bought("o1", 1, customer_id=None), note(100, customer_id=None)) == {}


def test_all_customers_and_guests_together_make_the_shops_sales() -> None:
    shop = Shop(MemoryLog())
    shop.bustle(orders=60)
    named = [msgspec.json.decode(one) for one in built(shop, customer_value.VIEW).documents.values()]
    days = [msgspec.json.decode(one) for one in built(shop, sales.VIEW).documents.values()]
    for figure in ("orders", "gross", "returns"):
        of_customers = sum(sums[figure] for one in named for sums in one["sums"])
        of_all = sum(row[figure] for day in days for row in day["rows"])
        assert 0 < of_customers <= of_all, figure
