"""What each line of an invoice means to the books."""

from __future__ import annotations

import pytest

from commands.importing.online_retail.invoices import Invoice
from commands.importing.online_retail.records import Line, parse_record
from commands.importing.online_retail.sorting import Kind, sort_invoice
from commands.importing.reading.dates import DateForm


def invoice(number: str, *lines: tuple[str, int, str], customer: str = "100.0") -> Invoice:
    """An invoice of lines (code, quantity, price)."""
    parsed = []
    for nth, (code, quantity, price) in enumerate(lines, 2):
        record = [number, code, "SOMETHING", str(quantity), "2011-03-01 09:00:00", price, customer]
        line = parse_record(nth, record, DateForm.ISO)
        assert isinstance(line, Line)
        parsed.append(line)
    return Invoice(number, parsed[0].at, parsed[0].customer_id, parsed)


def kinds(given: Invoice) -> list[Kind]:
    return [meaning.kind for _, _, meaning in sort_invoice(given).meanings]


@pytest.mark.parametrize(
    ("code", "quantity", "price", "kind"),
    [
        ("85123A", 6, "2.55", Kind.SOLD),
        ("85123a", 6, "2.55", Kind.SOLD),
        ("PADS", 1, "0.001", Kind.SOLD),
        ("gift_0001_20", 1, "17.02", Kind.SOLD),
        ("DCGS0003", 1, "2.46", Kind.SOLD),
        ("85123A", 6, "0.0", Kind.FREE),
        ("85123A", -6, "0.0", Kind.ADJUSTMENT),
        ("POST", 1, "18.0", Kind.SHIPPING),
        ("DOT", 1, "18.0", Kind.SHIPPING),
        ("C2", 1, "50.0", Kind.SHIPPING),
        ("M", 1, "0.0", Kind.MANUAL),
        ("m", 1, "2.55", Kind.MANUAL),
        ("D", -1, "1.0", Kind.DISCOUNT),
        ("D", 1, "1.0", Kind.CONTRADICTORY),
        ("85123A", -6, "2.55", Kind.CONTRADICTORY),
        ("85123A", 6, "-2.55", Kind.CONTRADICTORY),
        ("BANK CHARGES", 1, "15.0", Kind.FEES),
        ("AMAZONFEE", 1, "15.0", Kind.FEES),
        ("CRUK", 1, "15.0", Kind.CHARITY),
        ("S", 1, "15.0", Kind.SAMPLES),
        ("B", 1, "15.0", Kind.BAD_DEBT),
    ],
)
def test_a_line_of_a_sale(code: str, quantity: int, price: str, kind: Kind) -> None:
    assert kinds(invoice("1", ("70001", 9, "9.99"), (code, quantity, price))) == [Kind.SOLD, kind]


@pytest.mark.parametrize(
    ("code", "quantity", "price", "kind"),
    [
        ("85123A", -6, "2.55", Kind.RETURNED),
        ("85123A", -6, "0.0", Kind.RETURNED),
        ("85123A", 6, "2.55", Kind.CONTRADICTORY),
        ("85123A", -6, "-2.55", Kind.CONTRADICTORY),
        ("POST", -1, "18.0", Kind.SHIPPING_CREDITED),
        ("M", -1, "18.0", Kind.MANUAL_CREDITED),
        ("D", -1, "27.5", Kind.DISCOUNT_CREDITED),
        ("CRUK", -1, "7.5", Kind.CHARITY),
        ("AMAZONFEE", -1, "7.5", Kind.FEES),
        ("S", -1, "7.5", Kind.SAMPLES),
    ],
)
def test_a_line_of_a_cancellation(code: str, quantity: int, price: str, kind: Kind) -> None:
    assert kinds(invoice("C1", (code, quantity, price))) == [kind]


def test_an_invoice_without_customer_and_without_price_adjusts_stock() -> None:
    lines = (("70001", 5, "0.0"), ("70002", -3, "0.0"), ("POST", 1, "0.0"))
    assert kinds(invoice("1", *lines, customer="")) == [Kind.ADJUSTMENT, Kind.ADJUSTMENT, Kind.NO_STOCK_KEPT]


def test_free_lines_to_a_customer_or_beside_priced_ones_are_ordered() -> None:
    assert kinds(invoice("1", ("70001", 5, "0.0"))) == [Kind.FREE]
    assert kinds(invoice("1", ("70001", 5, "0.0"), ("70002", 1, "0.5"), customer="")) == [
        Kind.FREE,
        Kind.SOLD,
    ]


def test_a_bad_debt_is_aside_whatever_stands_in_it() -> None:
    assert kinds(invoice("A1", ("B", 1, "-11062.06"), ("70001", 1, "2.0"))) == [Kind.BAD_DEBT] * 2


def test_discounts_beyond_the_order_refuse_the_order_but_not_what_is_beside_it() -> None:
    given = invoice("1", ("70001", 1, "2.0"), ("D", -1, "2.01"), ("AMAZONFEE", 1, "3.0"))
    assert kinds(given) == [Kind.REFUSED, Kind.REFUSED, Kind.FEES]
    all_of_it = invoice("1", ("70001", 1, "2.0"), ("D", -1, "2.0"))
    assert kinds(all_of_it) == [Kind.SOLD, Kind.DISCOUNT]


def test_what_gets_no_event_has_a_reason() -> None:
    given = sort_invoice(invoice("1", ("70001", 1, "2.0"), ("S", 1, "3.0"), ("70002", -1, "1.0")))
    assert [(line.code, kind, reason) for line, kind, reason in given.rejects] == [
        ("S", Kind.SAMPLES, "samples sent out or taken back"),
        ("70002", Kind.CONTRADICTORY, "a negative quantity at a price on a sale"),
    ]
