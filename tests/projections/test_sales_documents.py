"""Orders and credit notes in; the days' sales and the bestsellers out."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec

from aggregates.catalog import product
from aggregates.kernel import Money
from aggregates.orders.events import CreditNoteIssued
from projections.engine.follower import Decoded
from projections.views import bestsellers, sales
from tests.projections.memory_views import MemoryView, built
from tests.shop.facts import recorded
from tests.shop.log import FIRST_DAY, Shop


def row(day: str, currency: str, **numbers: int) -> dict[str, Any]:
    counted = dict.fromkeys(("orders", "units", "gross", "returns"), 0) | numbers
    return {
        "date": day,
        "currency": currency,
        **counted,
        "net": counted["gross"] - counted["returns"],
    }


def test_a_days_sales_are_its_placed_orders_less_the_canceled_and_the_credit_notes(shop: Shop) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 2}, charges=(395,), placed_at=FIRST_DAY)
    shop.places("o2", {"MUG": 1}, placed_at=FIRST_DAY)
    shop.places("o3", {"MUG": 1}, placed_at=FIRST_DAY, currency="EUR")
    shop.places("o4", {"MUG": 1}, placed_at=FIRST_DAY + timedelta(days=1))
    shop.cancels("o2", code="card_declined")
    shop.confirms("o1")
    shop.sends("o1", "f1")
    shop.takes_back("o1", "r1", {"1": 1})

    drawn = built(shop, sales.VIEW)

    days = {day: msgspec.json.decode(value)["rows"] for day, value in drawn.documents.items()}
    assert days["2026-03-01"] == [
        row("2026-03-01", "EUR", orders=1, units=1, gross=1299),
        row("2026-03-01", "GBP", orders=1, units=2, gross=2 * 1299 + 395),
    ]
    assert days["2026-03-02"] == [row("2026-03-02", "GBP", orders=1, units=1, gross=1299)]
    assert days["2026-03-03"] == [row("2026-03-03", "GBP", returns=1299)]
    assert drawn.ranking == {"2026-03-01": 20260301, "2026-03-02": 20260302, "2026-03-03": 20260303}


def test_a_stand_alone_credit_note_counts_on_the_day_it_was_issued() -> None:
    drawn = MemoryView(sales.VIEW)
    note = CreditNoteIssued(
        credit_note_id="n1",
        number="1",
        currency="GBP",
        amount=Money(700, "GBP"),
        lines=(),
        charges=(),
        issued_on=date(2010, 12, 1),
    )
    drawn.apply([Decoded(recorded(1), note)])

    assert msgspec.json.decode(drawn.documents["2010-12-01"])["rows"] == [
        row("2010-12-01", "GBP", returns=700)
    ]


def test_bestsellers_count_ordered_units_and_forget_canceled_ones(shop: Shop) -> None:
    shop.lists("MUG")
    shop.lists("CUP")
    shop.places("o1", {"MUG": 2, "CUP": 1})
    shop.places("o2", {"MUG": 3})
    assert built(shop, bestsellers.VIEW).ranking == {"MUG": 5, "CUP": 1}

    shop.cancels("o1", code="card_declined")

    drawn = built(shop, bestsellers.VIEW)
    assert drawn.ranking == {"MUG": 3}, "a SKU of which nothing is left ordered is in no ranking"
    assert msgspec.json.decode(drawn.documents["CUP"])["units"] == 0


def test_a_bestseller_that_leaves_the_shop_comes_back_with_its_units(shop: Shop) -> None:
    shop.lists("MUG")
    shop.lists("CUP")
    shop.places("o1", {"MUG": 5, "CUP": 1})
    shop.record(shop.decide(product.delist, sku="MUG", reason="gone"))
    assert built(shop, bestsellers.VIEW).ranking == {"CUP": 1}
    shop.places("o2", {"CUP": 1})
    shop.lists("MUG")
    assert built(shop, bestsellers.VIEW).ranking == {"MUG": 5, "CUP": 2}
