"""Which sales a cancellation takes back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from aggregates.kernel import Money, UnitPrice
from aggregates.orders.events import (
    LineQuantity,
    LinesReturned,
    OrderRefunded,
    RefundedLine,
)
from aggregates.orders.order import Purchase
from commands.importing.online_retail.recording import RecordSale
from commands.importing.online_retail.records import Line, parse_record
from commands.importing.online_retail.sold import Sold
from commands.importing.reading.dates import DateForm

Pieces = list[tuple[str | None, int, int]]


def at(day: int, number: int = 0) -> tuple[datetime, int]:
    return datetime(2011, 3, day, tzinfo=UTC), number


def sale(order_id: str, *lines: tuple[str, int, str], customer: str | None = "100") -> RecordSale:
    return RecordSale(
        order_id=order_id,
        number=order_id,
        customer_id=customer,
        currency="GBP",
        lines=[
            Purchase(
                line_id=str(nth),
                sku=sku,
                title=sku,
                seller="main",
                quantity=quantity,
                unit_price=UnitPrice(Decimal(price), "GBP"),
            )
            for nth, (sku, quantity, price) in enumerate(lines, 1)
        ],
        charges=[],
        placed_at=datetime(2011, 3, 1, tzinfo=UTC),
        fulfilment_id="f",
        top_up_source="t",
    )


def line(code: str, quantity: int, price: str = "2.00", customer: str = "100.0") -> Line:
    record = ["C1", code, "X", str(-quantity), "2011-03-31 09:00:00", price, customer]
    parsed = parse_record(2, record, DateForm.ISO)
    assert isinstance(parsed, Line)
    return parsed


def taken(sold: Sold, given: Line, before: tuple[datetime, int] = at(31)) -> Pieces:
    """Order, units and pence of every piece."""
    return [
        (piece.sold.sale.order_id if piece.sold else None, piece.quantity, piece.amount)
        for piece in sold.take(given, before)
    ]


def test_the_latest_sale_comes_back_first_and_several_may() -> None:
    sold = Sold()
    sold.record(at(1), sale("monday", ("MUG", 5, "2.00")))
    sold.record(at(3), sale("wednesday", ("MUG", 5, "2.00")))
    sold.record(at(2), sale("tuesday", ("MUG", 5, "2.00")))
    assert taken(sold, line("MUG", 7)) == [("wednesday", 5, 1000), ("tuesday", 2, 400)]
    assert taken(sold, line("MUG", 9)) == [("tuesday", 3, 600), ("monday", 5, 1000), (None, 1, 200)]


def test_within_an_order_the_last_line_comes_back_first() -> None:
    sold = Sold()
    sold.record(at(1), sale("o", ("MUG", 1, "2.00"), ("MUG", 1, "1.50")))
    pieces = sold.take(line("MUG", 1, "1.50"), at(31))
    assert [piece.sold.line_id for piece in pieces if piece.sold] == ["2"]


def test_only_the_same_customer_and_the_very_same_code_match() -> None:
    sold = Sold()
    sold.record(at(1), sale("o", ("MUGa", 5, "2.00")))
    assert taken(sold, line("MUGA", 1)) == [(None, 1, 200)]
    assert taken(sold, line("MUGa", 1, customer="200.0")) == [(None, 1, 200)]
    assert taken(sold, line("MUGa", 1, customer="")) == [(None, 1, 200)]


def test_a_sale_to_nobody_known_never_comes_back() -> None:
    sold = Sold()
    sold.record(at(1), sale("o", ("MUG", 5, "2.00"), customer=None))
    assert taken(sold, line("MUG", 1, customer="")) == [(None, 1, 200)]


def test_only_earlier_sales_match_by_number_within_a_minute() -> None:
    sold = Sold()
    sold.record(at(5, 10), sale("o", ("MUG", 5, "2.00")))
    assert taken(sold, line("MUG", 1), at(4, 99)) == [(None, 1, 200)]
    assert taken(sold, line("MUG", 1), at(5, 10)) == [(None, 1, 200)]
    assert taken(sold, line("MUG", 1), at(5, 11)) == [("o", 1, 200)]


def test_no_line_gives_back_more_than_it_cost() -> None:
    sold = Sold()
    sold.record(at(1), sale("o", ("MUG", 3, "2.00"), ("PEN", 1, "9.00")))
    assert taken(sold, line("MUG", 3, "2.50")) == [("o", 3, 600), (None, 0, 150)]


def test_a_credit_below_the_price_leaves_the_rest_with_the_line() -> None:
    sold = Sold()
    sold.record(at(1), sale("o", ("MUG", 2, "2.00")))
    assert taken(sold, line("MUG", 1, "1.00")) == [("o", 1, 100)]
    assert taken(sold, line("MUG", 1, "3.00")) == [("o", 1, 300)]


def test_pieces_of_a_line_sum_to_its_pence() -> None:
    sold = Sold()
    for day in (1, 2, 3):
        sold.record(at(day), sale(f"day {day}", ("MUG", 1, "0.335")))
    given = line("MUG", 4, "0.335")
    pieces = taken(sold, given)
    assert [units for _, units, _ in pieces] == [1, 1, 1, 1]
    assert sum(pence for _, _, pence in pieces) == -given.amount == 134


def test_free_units_come_back_without_money() -> None:
    sold = Sold()
    sold.record(at(1), sale("o", ("MUG", 2, "0.0")))
    assert taken(sold, line("MUG", 3, "0.0")) == [("o", 2, 0), (None, 1, 0)]


def test_what_an_operator_took_back_is_gone() -> None:
    sold = Sold()
    sold.record(at(1), sale("o", ("MUG", 5, "2.00")))
    parts = (LineQuantity(line_id="1", sku="MUG", quantity=3),)
    sold.take_back(LinesReturned(order_id="o", return_id="r", lines=parts, restock=True, reason=""))
    assert taken(sold, line("MUG", 5)) == [("o", 2, 400), (None, 3, 600)]


def test_money_an_operator_gave_back_is_gone_but_the_goods_still_come() -> None:
    sold = Sold()
    sold.record(at(1), sale("o", ("MUG", 5, "2.00")))
    refunded = RefundedLine(line_id="1", quantity=4, amount=Money(800, "GBP"))
    sold.take_back(
        OrderRefunded(
            order_id="o", credit_note_id="n", amount=Money(800, "GBP"), lines=(refunded,), reason=""
        )
    )
    pieces = sold.take(line("MUG", 5), at(31))
    assert [(piece.quantity, piece.refunded, piece.amount) for piece in pieces] == [(5, 1, 200), (0, 0, 800)]
