"""A small shop's books, line by line: what is in the log after the import, to the penny."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from aggregates.catalog.events import ProductListed
from aggregates.inventory import stock
from aggregates.inventory.events import StockAdjusted, StockDispatched, StockReceived, StockRestocked
from aggregates.kernel import Money
from aggregates.orders.events import (
    CreditNoteIssued,
    LinesFulfilled,
    LinesReturned,
    OrderPlaced,
    OrderRefunded,
)
from aggregates.payments.events import PaymentCaptured, PaymentRefunded
from commands.importing.online_retail.identity import Identity
from event_store.records import EventLog
from tests.importing.files import SMALL, run
from tests.shop.log import events, events_of

COUNTED = {  # label: lines and pence in the file; all of them in the log, or all aside
    "products sold": (12, 8465),
    "products given free": (1, 0),
    "shipping charges": (3, 7799),
    "manual charges": (2, 295),
    "discounts": (1, -100),
    "products returned, matched to orders": (1, 0),
    "products returned, matched in part": (3, -11640),
    "products returned, standing alone": (1, -210),
    "shipping credited": (1, -850),
    "manual charges credited": (1, -125),
    "discounts credited": (1, -2750),
    "stock adjustments": (4, 0),
}
ASIDE = {
    "fees": (2, 687001),
    "bad debt": (1, -106206),
    "charity": (1, -750),
    "samples": (1, -3305),
    "no stock is kept of it": (1, 0),
    "contradictory": (3, -376),
    "refused": (2, -458),
}


def gbp(pence: int) -> Money:
    return Money(pence, "GBP")


def test_every_line_is_accounted_for_once_and_to_the_penny(log: EventLog, tmp_path: Path) -> None:
    result = run(log, SMALL, tmp_path)
    account = result.account
    assert account.adds_up
    assert {label: (c.lines, c.pence) for label, c in account.file.items() if c.lines} == COUNTED | ASIDE
    assert {label: (c.lines, c.pence) for label, c in account.log.items() if c.lines} == COUNTED
    assert {label: (c.lines, c.pence) for label, c in account.rejects.items()} == ASIDE
    assert sum(lines for lines, _ in (COUNTED | ASIDE).values()) == 42


def test_an_order_has_a_line_for_each_of_its_invoice_at_its_own_price_and_time(
    log: EventLog, tmp_path: Path
) -> None:
    run(log, SMALL, tmp_path)
    order_id = Identity(log.installation_secret()).order("900001")
    [placed] = events_of(log, OrderPlaced, number="900001")
    assert placed.order_id == order_id
    assert [
        (line.line_id, line.sku, line.title, line.quantity, line.unit_price.exact, line.line_total.amount)
        for line in placed.lines
    ] == [
        ("1", "70001", "TIN WHISTLE", 6, Decimal("2.55"), 1530),
        ("2", "70001", "TIN WHISTLE", 4, Decimal("2.1"), 840),
        ("3", "70002", "STRING, GARDEN", 3, Decimal("0.125"), 38),
        ("4", "70003", "SPARE BUTTON", 2, Decimal("0.0"), 0),
    ]
    assert [(charge.kind, charge.label, charge.amount) for charge in placed.charges] == [
        ("shipping", "POSTAGE", gbp(1800))
    ]
    assert placed.total == gbp(1530 + 840 + 38 + 1800)
    assert (placed.channel, placed.customer_id, placed.cart_id) == ("import", "100", None)
    times = {recorded.valid_at for recorded in log.read_stream(f"order-{order_id}", limit=3)}
    assert times == {datetime(2011, 3, 1, 9, 0, tzinfo=UTC)}


def test_an_order_is_paid_elsewhere_fulfilled_and_dispatched_without_reservation(
    log: EventLog, tmp_path: Path
) -> None:
    run(log, SMALL, tmp_path)
    order_id = Identity(log.installation_secret()).order("900001")
    [captured] = events_of(log, PaymentCaptured, order_id=order_id)
    assert (captured.amount, captured.source) == (gbp(4208), "elsewhere")
    [fulfilled] = events_of(log, LinesFulfilled, order_id=order_id)
    assert {part.line_id: part.quantity for part in fulfilled.lines} == {"1": 6, "2": 4, "3": 3, "4": 2}
    dispatched = events_of(log, StockDispatched, order_id=order_id)
    assert {event.sku: event.quantity for event in dispatched} == {"70001": 10, "70002": 3, "70003": 2}
    assert all(event.from_reservation == 0 for event in dispatched)
    assert log.read_stream(f"checkout-{order_id}") == []  # no process, gateway or expiry acts on it


def test_a_time_in_summer_is_one_hour_before_london_and_may_be_the_day_before(
    log: EventLog, tmp_path: Path
) -> None:
    run(log, SMALL, tmp_path)
    [placed] = events_of(log, OrderPlaced, number="900017")
    assert placed.placed_on == date(2011, 5, 31)
    assert placed.lines[0].title == "TIN WHISTLE"  # its own line has no description


def test_nothing_is_ordered_by_fees_bad_debts_and_too_large_discounts(log: EventLog, tmp_path: Path) -> None:
    run(log, SMALL, tmp_path)
    numbers = {event.number for event in events_of(log, OrderPlaced)}
    assert numbers == {"900001", "900002", "900003", "900004", "900005", "900009", "900011", "900017"}


def test_a_cancellation_returns_the_latest_sales_and_refunds_no_more_than_they_cost(
    log: EventLog, tmp_path: Path
) -> None:
    run(log, SMALL, tmp_path)
    identity = Identity(log.installation_secret())
    first, later = identity.order("900001"), identity.order("900003")
    notes = [event for event in events_of(log, CreditNoteIssued) if event.number.startswith("C900012")]
    # 12 at 2.30: five bought later at 2.00, four at 2.10, three of six at 2.55; what is over stands alone.
    assert [(note.number, note.order_id, note.amount.amount) for note in notes] == [
        ("C900012", later, 1000),
        ("C900012-2", first, 840 + 690),
        ("C900012-3", None, 230),
    ]
    assert sum(note.amount.amount for note in notes) == 12 * 230
    refunds = [events_of(log, OrderRefunded, credit_note_id=note.credit_note_id) for note in notes]
    assert [[event.amount.amount for event in events] for events in refunds] == [[1000], [1530], []]
    paid_back = [events_of(log, PaymentRefunded, credit_note_id=note.credit_note_id) for note in notes]
    assert [[event.amount.amount for event in events] for events in paid_back] == [[1000], [1530], []]
    returned = events_of(log, LinesReturned, order_id=first)[0]
    assert [(part.line_id, part.quantity) for part in returned.lines] == [("2", 4), ("1", 3), ("4", 1)]
    restocked = events_of(log, StockRestocked, return_id=returned.return_id)
    assert {(event.sku, event.quantity) for event in restocked} == {("70001", 7), ("70003", 1)}


def test_what_no_order_bears_is_credited_alone_and_its_goods_are_back_in_stock(
    log: EventLog, tmp_path: Path
) -> None:
    run(log, SMALL, tmp_path)
    [guest] = events_of(log, CreditNoteIssued, number="C900013")
    assert (guest.order_id, guest.amount) == (None, gbp(210))
    [charges] = events_of(log, CreditNoteIssued, number="C900014")
    assert [(charge.kind, charge.amount.amount) for charge in charges.charges] == [
        ("discount", 2750),
        ("manual", 125),
        ("shipping", 850),
    ]
    [back] = events_of(log, StockAdjusted, sku="70004A")
    assert (back.delta, back.reason) == (2, "returned, no sale to match")


def test_an_invoice_of_zeros_adjusts_stock_with_the_clerks_words(log: EventLog, tmp_path: Path) -> None:
    run(log, SMALL, tmp_path)
    adjusted = [
        (event.sku, event.delta, event.reason)
        for event in events_of(log, StockAdjusted)
        if event.source and "900006" in event.source
    ]
    assert adjusted == [
        ("70001", 7, "found on a shelf"),
        ("70005", -12, "thrown away"),
        ("70005", -1, "no note"),
    ]


def test_opening_stock_is_what_the_sales_lack_and_no_more(log: EventLog, tmp_path: Path) -> None:
    result = run(log, SMALL, tmp_path)
    received = {event.sku: event.quantity for event in events_of(log, StockReceived)}
    assert received == {
        "70001": 15,  # 10 and 5 go out before 7 are found
        "70002": 11,
        "70003": 3,
        "70004A": 10,
        "70004a": 5,
        "70005": 13,
        "gift_0001_20": 1,
        "DCGS0003": 2,
        "PADS": 1,
    }
    assert {event.source for event in events_of(log, StockReceived)} == {
        f"online-retail:{result.outline.digest}"
    }
    first = log.read_all(after=0, limit=1)[0]
    assert first.valid_at == datetime(2011, 3, 1, 9, 0, tzinfo=UTC)  # never after what it was needed for


def test_stock_is_conserved_and_never_below_zero(log: EventLog, tmp_path: Path) -> None:
    run(log, SMALL, tmp_path)
    shelves: dict[str, stock.Stock] = {}
    moved: dict[str, int] = {}
    for event in events(log):
        match event:
            case StockReceived(quantity=delta) | StockRestocked(quantity=delta) | StockAdjusted(delta=delta):
                moved[event.sku] = moved.get(event.sku, 0) + delta
            case StockDispatched(quantity=quantity):
                moved[event.sku] = moved.get(event.sku, 0) - quantity
            case _:
                continue
        shelf = shelves.setdefault(event.sku, stock.initial())
        assert stock.evolve(shelf, event).on_hand >= 0
    assert {sku: shelf.on_hand for sku, shelf in shelves.items()} == moved
    assert moved["70001"] == 7 + 12 - 3 - 1 + 30  # found, back, sold again, sold, back


def test_what_was_sold_is_listed_once_under_its_usual_name_at_its_first_price(
    log: EventLog, tmp_path: Path
) -> None:
    run(log, SMALL, tmp_path)
    listed = {event.sku: (event.title, event.price.exact) for event in events_of(log, ProductListed)}
    assert listed["70001"] == ("TIN WHISTLE", Decimal("2.55"))
    assert listed["PADS"] == ("PADS TO MATCH ALL CUSHIONS", Decimal("0.001"))
    # 70003 has no price, 70005 was only ever thrown away, and charges are no products.
    assert set(listed) == {"70001", "70002", "70004A", "70004a", "gift_0001_20", "DCGS0003", "PADS"}


def test_the_list_aside_names_every_line_and_its_reason(log: EventLog, tmp_path: Path) -> None:
    result = run(log, SMALL, tmp_path)
    with result.rejects.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["invoice"], row["kind"]) for row in rows] == [
        ("11", "900002", "fees"),
        ("20", "900006", "no stock is kept of it"),
        ("21", "900007", "fees"),
        ("22", "A900008", "bad debt"),
        ("26", "900010", "refused"),
        ("27", "900010", "refused"),
        ("30", "900011", "contradictory"),
        ("31", "900011", "contradictory"),
        ("35", "C900014", "charity"),
        ("40", "C900015", "contradictory"),
        ("41", "C900016", "samples"),
    ]
    assert all(row["reason"] for row in rows)
