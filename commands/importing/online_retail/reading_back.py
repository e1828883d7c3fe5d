"""What the log holds of a file's invoices: read back from it, not remembered from the writing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aggregates.catalog.events import ProductListed
from aggregates.inventory.events import StockAdjusted
from aggregates.orders.events import (
    CreditNoteIssued,
    LinesReturned,
    OrderPlaced,
    OrderRefunded,
)
from commands.handlers.numbering import given_number
from commands.importing.online_retail.accounts import LogAccount, goods
from commands.importing.online_retail.adjusted import Adjusted
from commands.importing.online_retail.credits import UNMATCHED
from commands.importing.online_retail.identity import SOURCE, Identity
from commands.importing.online_retail.sold import Sold
from commands.importing.online_retail.sorting import Kind
from event_store.codec import Codec
from event_store.records import EventReader, RecordedEvent

PAGE = 2_000


@dataclass(slots=True)
class Imported:
    """What earlier imports left: which invoices are done, and what of them can still come back."""

    orders: set[str] = field(default_factory=set)
    credit_notes: set[str] = field(default_factory=set)
    adjusted: Adjusted = field(default_factory=Adjusted)
    listed: set[str] = field(default_factory=set)  # SKUs
    sold: Sold = field(default_factory=Sold)


def imported_before(log: EventReader, codec: Codec, identity: Identity) -> Imported:
    """Rebuilds from the log what the importer must know. Raises StoreUnavailable."""
    found = Imported()
    for recorded, event in _events(
        log,
        codec,
        OrderPlaced,
        LinesReturned,
        OrderRefunded,
        CreditNoteIssued,
        StockAdjusted,
        ProductListed,
    ):
        match event:
            case ProductListed(sku=sku):
                found.listed.add(sku)
            case OrderPlaced():
                number = given_number(event.number)
                if event.order_id == identity.order(number):
                    found.orders.add(event.order_id)
                    found.sold.place((recorded.valid_at, int(number)), event)
            case LinesReturned() | OrderRefunded():
                found.sold.take_back(event)
            case CreditNoteIssued():
                found.credit_notes.add(event.credit_note_id)
            case StockAdjusted(source=source, sku=sku, delta=delta) if source is not None:
                found.adjusted.add(source, sku, delta)
            case _:
                pass
    return found


def read_account(
    log: EventReader,
    codec: Codec,
    identity: Identity,
    invoices: Mapping[str, object],
    result: LogAccount,
) -> LogAccount:
    """Adds to `result` what the log holds of these `invoices` (numbers). Raises StoreUnavailable."""
    for _, event in _events(log, codec, OrderPlaced, CreditNoteIssued, StockAdjusted):
        match event:
            case OrderPlaced() if (number := given_number(event.number)) in invoices:
                if event.order_id == identity.order(number):
                    lines = [(line, line.line_total.amount) for line in event.lines]
                    result.add_order(number, lines, event.charges)
            case CreditNoteIssued():
                invoice, _, part = given_number(event.number).partition("-")
                expected = (
                    identity.credit_note(invoice, int(part or 1)) if part.isdecimal() or not part else None
                )
                if invoice in invoices and event.credit_note_id == expected:
                    on_order = event.order_id is not None
                    result.add_credit(invoice, event.lines, event.charges, on_order=on_order)
            case StockAdjusted(source=source, reason=reason, sku=sku, delta=delta) if source is not None:
                kind, _, rest = source.partition(":")
                invoice = rest.partition(":")[0]
                if kind == SOURCE and invoice in invoices and reason != UNMATCHED:
                    result.add(invoice, Kind.ADJUSTMENT, 0, goods=goods(sku, delta))
            case _:
                pass
    return result


def _events(log: EventReader, codec: Codec, *classes: type[object]) -> Iterator[tuple[RecordedEvent, object]]:
    types = [codec.name_of(cls) for cls in classes]
    after = 0
    while page := log.read_all(after=after, limit=PAGE, types=types):
        for recorded in page:
            yield recorded, codec.decode(recorded)
        after = page[-1].position
