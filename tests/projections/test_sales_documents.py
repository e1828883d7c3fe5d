"""Orders and credit notes in; the days' sales and the bestsellers out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec

from aggregates.catalog import product
from aggregates.kernel import Money
from aggregates.orders import cancellation, order
from aggregates.orders.events import Charge, CreditNoteIssued, OrderPlaced, OrderRefunded, RefundedLine
from aggregates.pricing.explanation import TaxTotal
from projections.engine.follower import Decoded
from projections.views import bestsellers, sales
from tests.projections.memory_views import MemoryView, built
from tests.shop.facts import DAY, placed, recorded
from tests.shop.log import FIRST_DAY, Shop

FIGURES = ("orders", "units", "gross", "returns", "discounts", "shipping", "tax")


def row(day: str, currency: str, **numbers: int) -> dict[str, Any]:
    counted = (
        dict.fromkeys(("orders", "units", "gross", "returns", "discounts", "shipping", "tax"), 0) | numbers
    )
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
        row("2026-03-01", "GBP", orders=1, units=2, gross=2 * 1299 + 395, shipping=395),
    ]
    assert days["2026-03-02"] == [row("2026-03-02", "GBP", orders=1, units=1, gross=1299)]
    assert days["2026-03-03"] == [row("2026-03-03", "GBP", returns=1299)]
    assert drawn.ranking == {"2026-03-01": 20260301, "2026-03-02": 20260302, "2026-03-03": 20260303}


def sale(order_id: str, *, tax_inside: bool) -> OrderPlaced:
    """20.00 of goods less 2.00, 4.00 to ship less 1.00, and 20 % tax: 3.50 inside 21.00, or 4.20 on top."""
    tax = 350 if tax_inside else 420
    charges = [("discount", -200), ("shipping", 400), ("discount", -100)]
    charges += [] if tax_inside else [("tax", tax)]
    group = TaxTotal(
        **{"group": "gb/standard", "label": "VAT 20 %", "tax_category": "standard", "treatment": "taxed"},
        **{"base": 2100, "rate": "20 %", "amount": tax, "inside": tax_inside},
    )
    return replace(
        placed(order_id, "MUG", 2),
        charges=tuple(Charge(kind=kind, label="", amount=Money(amount, "GBP")) for kind, amount in charges),
        total=Money(2000 + sum(amount for _, amount in charges), "GBP"),
        taxes=(group,),
    )


def day_of(*happened: Any) -> dict[str, Any]:
    """The one row of the day, over a log of these events."""
    drawn = MemoryView(sales.VIEW)
    drawn.apply([Decoded(recorded(n, event), event) for n, event in enumerate(happened, start=1)])
    (only,) = msgspec.json.decode(drawn.documents[DAY.isoformat()])["rows"]
    found: dict[str, Any] = only
    return found


def test_gross_is_goods_less_discounts_with_shipping_and_the_tax_on_top() -> None:
    inside, on_top = sale("o1", tax_inside=True), sale("o2", tax_inside=False)
    books = day_of(inside, on_top)
    assert books == row(
        DAY.isoformat(),
        "GBP",
        **{"orders": 2, "units": 4, "gross": 2100 + 2520, "discounts": 600, "shipping": 800, "tax": 770},
    )
    goods = sum(line.line_total.amount for order in (inside, on_top) for line in order.lines)
    assert books["gross"] == goods - books["discounts"] + books["shipping"] + 420


def test_an_order_that_is_canceled_leaves_nothing_in_the_books() -> None:
    orders = [sale("o1", tax_inside=True), sale("o2", tax_inside=False)]
    canceled: list[Any] = []
    for one in orders:
        state = order.evolve(order.initial(), one)
        canceled += cancellation.cancel(state, order_id=one.order_id, cause="canceled")
    assert day_of(*orders, *canceled) == row(DAY.isoformat(), "GBP")


def test_of_an_order_canceled_after_a_refund_what_was_credited_stays() -> None:
    one = sale("o1", tax_inside=True)
    part = RefundedLine(line_id="1", quantity=0, amount=Money(700, "GBP"))
    refunded = OrderRefunded(order_id="o1", credit_note_id="n", amount=Money(700, "GBP"), lines=(part,))
    state = order.evolve(order.evolve(order.initial(), one), refunded)
    books = day_of(one, *cancellation.cancel(state, order_id="o1", cause="canceled"))
    assert (books["orders"], books["gross"]) == (0, 700)
    assert (books["discounts"], books["shipping"], books["tax"]) == (100, 133, 116), "a third of each"


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
