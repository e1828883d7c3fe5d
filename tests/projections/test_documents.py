"""Events in, documents out."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from aggregates.catalog import product
from aggregates.catalog.events import PriceChanged
from aggregates.inventory import stock
from aggregates.kernel import Money, UnitPrice
from aggregates.orders.events import CreditNoteIssued
from aggregates.payments.events import PaymentCaptured, PaymentRefunded
from event_store.memory_log import MemoryLog
from projections import bestsellers, cart, catalog, customer_orders, inventory, orders, sales
from projections.check import MemoryView
from projections.sink import Decoded
from projections.view import View
from projections.views import VIEWS
from tests.projections.shop import EMAIL, FIRST_DAY, Shop, decoded, recorded


@pytest.fixture
def shop() -> Shop:
    return Shop(MemoryLog())


def drawn_up(shop: Shop, view: View) -> MemoryView:
    shop.flush()
    drawn = MemoryView(view)
    drawn.apply(decoded(shop.log))
    return drawn


def document(shop: Shop, view: View, key: str) -> Any:
    return msgspec.json.decode(drawn_up(shop, view).documents[key])


def row(day: str, currency: str, **numbers: int) -> dict[str, Any]:
    counted = dict.fromkeys(("orders", "units", "gross", "returns"), 0) | numbers
    return {
        "date": day,
        "currency": currency,
        **counted,
        "net": counted["gross"] - counted["returns"],
    }


def test_a_product_shows_its_listing_and_what_can_be_bought_now(shop: Shop) -> None:
    shop.lists("MUG", units=10)
    shop.places("o1", {"MUG": 3})

    page = document(shop, catalog.VIEW, "MUG")

    assert page["title"] == "Mug MUG"
    assert page["category"] == "Kitchen > Mugs"
    assert page["price"] == {"amount": 1299, "currency": "GBP"}
    assert (page["on_hand"], page["reserved"], page["available"]) == (10, 3, 7)
    assert page["status"] == "listed"


def test_a_price_finer_than_a_penny_is_shown_rounded_and_exactly(shop: Shop) -> None:
    shop.lists("MUG", price="2.5550")

    assert document(shop, catalog.VIEW, "MUG")["price"] == {
        "amount": 256,
        "currency": "GBP",
        "exact": "2.555",
    }


def test_a_delisted_product_keeps_its_page_and_is_listed_again_with_its_stock(shop: Shop) -> None:
    shop.lists("MUG", units=10)
    stream = "product-MUG"
    shop.record((stream, product.delist(shop.state(stream), sku="MUG", reason="gone")))
    assert document(shop, catalog.VIEW, "MUG")["status"] == "delisted"

    shop.lists("MUG", price="1.00", units=5)

    page = document(shop, catalog.VIEW, "MUG")
    assert (page["status"], page["available"], page["price"]["amount"]) == ("listed", 15, 100)


def test_a_sku_that_has_stock_and_was_never_listed_is_unlisted(shop: Shop) -> None:
    received = stock.receive(shop.state("stock-X"), sku="X", quantity=4, reason="delivery")
    shop.record(("stock-X", received))

    page = document(shop, catalog.VIEW, "X")

    assert (page["status"], page["price"], page["available"]) == ("unlisted", None, 4)


def test_stock_follows_every_movement(shop: Shop) -> None:
    shop.lists("MUG", units=10)
    adjusted = stock.adjust(shop.state("stock-MUG"), sku="MUG", delta=-2, reason="broken")
    shop.record(("stock-MUG", adjusted))
    shop.places("o1", {"MUG": 3})
    shop.confirms("o1")
    assert document(shop, inventory.VIEW, "MUG") | {"position": 0} == {
        "sku": "MUG",
        "on_hand": 8,
        "reserved": 3,
        "available": 5,
        "locations": {"main": 8},
        "position": 0,
    }

    shop.sends("o1", "f1", {"1": 2})
    shop.takes_back("o1", "r1", {"1": 1})
    shop.places("o2", {"MUG": 1})
    shop.cancels("o2", code="card_declined")

    found = document(shop, inventory.VIEW, "MUG")
    assert (found["on_hand"], found["reserved"], found["available"]) == (7, 1, 6)


def test_a_cart_shows_its_lines_and_their_rounded_sum(shop: Shop) -> None:
    shop.bustle(orders=12, seed=3)
    drawn = drawn_up(shop, cart.VIEW)

    carts = {
        stream.removeprefix("cart-"): state
        for stream, state in shop.states.items()
        if stream.startswith("cart-")
    }
    assert len(carts) == 12
    for cart_id, state in carts.items():
        shown = msgspec.json.decode(drawn.documents[cart_id])
        assert shown["status"] == state.status
        assert shown["total"]["amount"] == state.total.amount
        assert [(line["line_id"], line["sku"], line["quantity"]) for line in shown["lines"]] == [
            (line.line_id, line.sku, line.quantity) for line in state.lines.values()
        ]
        assert shown["version"] == len(shop.log.read_stream(f"cart-{cart_id}"))


def test_an_order_shows_its_lines_charges_and_story(shop: Shop) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 2}, charges=(395, -50), customer_id="c-1", email=EMAIL)
    shop.confirms("o1")
    shop.sends("o1", "f1", {"1": 1})
    shop.sends("o1", "f2")
    shop.takes_back("o1", "r1", {"1": 1})

    shown = document(shop, orders.VIEW, "o1")

    assert shown["lines"][0]["line_total"] == {"amount": 2598, "currency": "GBP"}
    assert (shown["lines"][0]["fulfilled"], shown["lines"][0]["returned"]) == (2, 1)
    assert [charge["amount"]["amount"] for charge in shown["charges"]] == [395, -50]
    assert shown["total"]["amount"] == 2598 + 395 - 50
    assert shown["placed_at"] == "2026-03-01T09:00:00Z"
    assert [each["id"] for each in shown["fulfilments"]] == ["f1", "f2"]
    assert shown["returns"][0]["lines"] == [{"line_id": "1", "sku": "MUG", "quantity": 1}]
    assert shown["refunds"][0]["id"] == "note-r1"
    assert [entry["event"] for entry in shown["timeline"]] == [
        "orders.order_placed",
        "payments.payment_requested",
        "payments.payment_authorized",
        "orders.order_confirmed",
        "orders.lines_fulfilled",
        "payments.payment_captured",
        "orders.lines_fulfilled",
        "orders.lines_returned",
        "orders.order_refunded",
        "payments.payment_refunded",
    ]
    assert shown["version"] == 6


def test_statuses_are_those_of_the_aggregates_after_every_event(shop: Shop) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 2})
    shop.places("o2", {"MUG": 1})
    seen = set()

    def agrees() -> None:
        for order_id in ("o1", "o2"):
            shown = document(shop, orders.VIEW, order_id)
            assert shown["status"] == shop.state(f"order-{order_id}").status
            assert shown["payment"]["status"] == shop.state(f"payment-{order_id}").status
            seen.update((shown["status"], shown["payment"]["status"]))

    agrees()
    shop.cancels("o2", code="card_declined")
    agrees()
    shop.confirms("o1")
    agrees()
    shop.sends("o1", "f1", {"1": 1})
    agrees()
    shop.sends("o1", "f2")
    agrees()
    shop.takes_back("o1", "r1", {"1": 1})
    agrees()
    shop.takes_back("o1", "r2")
    agrees()
    assert seen == {
        *("placed", "pending", "canceled", "declined", "confirmed", "authorized", "partially_fulfilled"),
        *("captured", "fulfilled", "partially_returned", "partially_refunded", "returned", "refunded"),
    }


def test_a_sale_that_was_undone_without_a_credit_note_is_refunded() -> None:
    drawn = MemoryView(orders.VIEW)
    money = Money(500, "GBP")
    drawn.apply(
        [
            Decoded(recorded(1), PaymentCaptured(order_id="o1", amount=money, source="elsewhere")),
            Decoded(recorded(2), PaymentRefunded(order_id="o1", amount=money)),
        ]
    )

    shown = msgspec.json.decode(drawn.documents["o1"])

    assert shown["payment"]["status"] == "refunded"
    assert shown["status"] == orders.UNKNOWN, "the order itself was never heard of"


def test_a_customers_orders_are_listed_by_placing_and_a_guests_nowhere(shop: Shop) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 1}, customer_id="c-1")
    shop.places("o2", {"MUG": 1})
    shop.places("o3", {"MUG": 1}, customer_id="c-1")

    entries = drawn_up(shop, customer_orders.VIEW).entries

    assert entries.keys() == {"c-1"}
    assert sorted(entries["c-1"], key=entries["c-1"].__getitem__) == ["o1", "o3"]


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

    drawn = drawn_up(shop, sales.VIEW)

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
        reason="goodwill",
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
    assert drawn_up(shop, bestsellers.VIEW).ranking == {"MUG": 5, "CUP": 1}

    shop.cancels("o1", code="card_declined")

    drawn = drawn_up(shop, bestsellers.VIEW)
    assert drawn.ranking == {"MUG": 3}, "a SKU of which nothing is left ordered is in no ranking"
    assert msgspec.json.decode(drawn.documents["CUP"])["units"] == 0


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_view_holds_personal_data(shop: Shop, view: View) -> None:
    shop.lists("MUG")
    shop.places("o1", {"MUG": 1}, email=EMAIL)
    stored = b"".join(drawn_up(shop, view).documents.values())

    for secret in (EMAIL, "Anna", "1 Road", "York", "sealed"):
        assert secret.encode() not in stored


def test_what_is_not_above_a_documents_position_is_counted_in_it_already() -> None:
    drawn = MemoryView(catalog.VIEW)
    price = PriceChanged(sku="MUG", price=UnitPrice(Decimal("2.00"), "GBP"))
    received = stock.receive(stock.initial(), sku="MUG", quantity=5, reason="delivery")
    drawn.apply([Decoded(recorded(1), received[0]), Decoded(recorded(2), price)])
    before = dict(drawn.documents)

    drawn.position = 0  # as a shard whose checkpoint lies behind its documents
    drawn.apply([Decoded(recorded(1), received[0]), Decoded(recorded(2), price)])

    assert drawn.documents == before
