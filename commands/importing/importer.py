"""Importing a file of invoices: its outline, what its sales lack, every invoice in order, and the account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aggregates.orders.events import LinesReturned, OrderPlaced, OrderRefunded
from commands.books import Books
from commands.handlers import HANDLERS
from commands.handling import Handling
from commands.importing.accounts import Account, FileAccount, account
from commands.importing.aside import Aside, listing, read_back
from commands.importing.handlers import IMPORT_HANDLERS
from commands.importing.identity import SOURCE, Identity, receipt_source
from commands.importing.invoices import Invoice, group
from commands.importing.online_retail import Damaged, Outline, outline, read_lines
from commands.importing.planning import Planner
from commands.importing.progress import Progress
from commands.importing.reading_back import Imported, imported_before, read_account
from commands.importing.recording import ListIfNew, ReceiveOpeningStock, RecordCancellation
from commands.importing.sorting import SortedInvoice, sort_invoice
from commands.importing.submitting import CHUNK_EVENTS, Submitter
from commands.importing.survey import Survey, survey
from event_store.codec import Codec
from event_store.records import EventLog

CATEGORY = "Online Retail"
OPENING = "opening stock for sales made elsewhere"
STREAMS_MAX = 12_000
"""Folded streams the handling loop keeps: every stock of a large shop, and some thousand recent orders."""
DEADLINE_SECONDS = 60.0
STOCKS_PAGE = 200


class FileChanged(Exception):  # noqa: N818
    """The file is no longer what it was when the import began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an import ended with. `written` invoices were new to the log; the file's others were there."""

    account: Account
    outline: Outline
    invoices: int  # in the file
    written: int
    aside: Path
    head: int  # of the log when the last was written


class OnlineRetailImport:
    """One import of one file. Run it once; a new one goes on where another was stopped."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec,
        path: Path,
        aside: Callable[[str], Path],
        progress: Progress,
        *,
        chunk_events: int = CHUNK_EVENTS,
    ) -> None:
        """`aside` names the list of lines that get no event, given the digest of the file's content."""
        self._log = log
        self._codec = codec
        self._path = path
        self._aside_of = aside
        self._progress = progress
        self._chunk_events = chunk_events
        self._identity = Identity(log.installation_secret())

    async def run(self) -> Result:
        """Imports the file. Raises NotOnlineRetail, OSError, and what the handling loop raises."""
        found = await asyncio.to_thread(outline, self._path)
        self._progress.stage("reading what is in the log")
        before = await asyncio.to_thread(imported_before, self._log, self._codec, self._identity)
        self._progress.stage("looking through the file")
        surveyed = survey(
            group(read_lines(self._path), found.last_line),
            imported=partial(self._is_imported, before),
            adjusted=before.adjustments,
        )
        handling = Handling(
            self._log,
            self._codec,
            {**HANDLERS, **IMPORT_HANDLERS},
            deadline_seconds=DEADLINE_SECONDS,
            streams_max=STREAMS_MAX,
        )
        async with handling:
            submitter = Submitter(handling, actor=SOURCE, chunk_events=self._chunk_events)
            try:
                await self._prepare(submitter, found, surveyed, before)
                submitter.written = 0
                file_account = await self._write(submitter, found, surveyed, before)
            finally:
                await submitter.abandon()
        self._progress.stage("reading back what the log holds")
        head = await asyncio.to_thread(self._log.head)
        in_log = await asyncio.to_thread(
            read_account, self._log, self._codec, self._identity, file_account.by_invoice
        )
        aside = self._aside_of(found.digest)
        accounted = account(file_account, in_log, read_back(aside))
        return Result(
            account=accounted,
            outline=found,
            invoices=len(file_account.by_invoice),
            written=submitter.written,
            aside=aside,
            head=head,
        )

    def _is_imported(self, before: Imported, invoice: Invoice) -> bool:
        if invoice.is_cancellation:
            return self._identity.credit_note(invoice.number, 1) in before.credit_notes
        return self._identity.order(invoice.number) in before.orders

    async def _prepare(
        self, submitter: Submitter, found: Outline, surveyed: Survey, before: Imported
    ) -> None:
        """Lists every product sold, and receives what the sales to come lack."""
        if surveyed.first_at is None:
            return
        titles = surveyed.titles()
        new = {sku: price for sku, price in surveyed.prices.items() if sku not in before.listed}
        if new:
            self._progress.stage("listing products", total=len(new), unit=" products")
        for sku, price in new.items():
            title = titles.get(sku, sku)
            command = ListIfNew(
                sku=sku, title=title, description=title, category=CATEGORY, attributes={}, price=price
            )
            await submitter.submit(command, valid_at=surveyed.first_at, events=1)
            self._progress.advance(1)
        await submitter.flush()
        if surveyed.movements:
            self._progress.stage("receiving opening stock", total=len(surveyed.movements), unit=" products")
        lacking = await self._lacking(surveyed)
        for sku, quantity in lacking.items():
            receipt = ReceiveOpeningStock(
                sku=sku, quantity=quantity, reason=OPENING, source=receipt_source(found.digest)
            )
            await submitter.submit(receipt, valid_at=surveyed.first_at, events=1)
        await submitter.flush()

    async def _lacking(self, surveyed: Survey) -> dict[str, int]:
        """Units to receive, by SKU, given what is available now."""
        result = {}
        skus = list(surveyed.movements)
        for start in range(0, len(skus), STOCKS_PAGE):
            page = skus[start : start + STOCKS_PAGE]
            available = await asyncio.to_thread(self._available, page)
            for sku in page:
                if quantity := surveyed.lacking(sku, available[sku]):
                    result[sku] = quantity
            self._progress.advance(len(page))
        return result

    def _available(self, skus: list[str]) -> dict[str, int]:
        books = Books(self._codec)
        for stream, history in self._log.read_streams([f"stock-{sku}" for sku in skus]).items():
            books.load(stream, history)
        return {sku: books.state(f"stock-{sku}").available for sku in skus}

    async def _write(
        self, submitter: Submitter, found: Outline, surveyed: Survey, before: Imported
    ) -> FileAccount:
        """Every invoice in the file's order, and the list of what goes aside."""
        result = FileAccount()
        planner = Planner(digest=found.digest, identity=self._identity, titles=surveyed.titles())
        self._progress.stage("writing invoices", total=found.lines, unit=" lines")
        with listing(self._aside_of(found.digest)) as aside:
            for item in group(read_lines(self._path), found.last_line):
                entry = item if isinstance(item, Damaged) else sort_invoice(item)
                result.add(entry)
                self._list_aside(entry, aside)
                if isinstance(entry, Damaged):
                    self._progress.tell(f"line {entry.number} is damaged and skipped: {entry.reason}")
                    submitter.when_done(partial(self._progress.advance, 1))
                    continue
                await self._record(submitter, planner, entry, before)
                submitter.when_done(partial(self._progress.advance, len(entry.invoice.lines)))
            await submitter.flush()
        if outline(self._path).digest != found.digest:
            raise FileChanged(f"{self._path} changed while it was imported")
        return result

    @staticmethod
    def _list_aside(entry: SortedInvoice | Damaged, aside: Aside) -> None:
        if isinstance(entry, Damaged):
            aside.damaged(entry)
            return
        for line, kind, reason in entry.aside:
            aside.line(line, kind, reason)

    async def _record(
        self, submitter: Submitter, planner: Planner, entry: SortedInvoice, before: Imported
    ) -> None:
        """Submits what the invoice becomes, unless it is in the log."""
        invoice = entry.invoice
        submit = partial(submitter.submit, valid_at=invoice.at, events=len(invoice.lines) + 4)
        adjustments = planner.adjustments(entry)
        if adjustments is not None and any(
            line.source not in before.adjustments for line in adjustments.corrections
        ):
            await submit(adjustments)
        if self._is_imported(before, invoice):
            return
        if not invoice.is_cancellation:
            sale = planner.sale(entry)
            if sale is not None:
                before.sold.record(invoice.sequence, sale)
                await submit(sale)
            return
        cancellation = planner.cancellation(entry, before.sold)
        if cancellation is not None:
            amend = partial(self._amend, planner, entry, before, cancellation)
            await submit(cancellation, amend=amend)

    async def _amend(
        self, planner: Planner, entry: SortedInvoice, before: Imported, refused: RecordCancellation
    ) -> RecordCancellation | None:
        """Matches anew what an operator returned or refunded meanwhile."""
        orders = [part.order_id for part in refused.on_orders]
        histories = await asyncio.to_thread(self._log.read_streams, [f"order-{order}" for order in orders])
        for order_id in orders:
            before.sold.forget(order_id)
            for recorded in histories[f"order-{order_id}"]:
                event = self._codec.decode(recorded)
                if isinstance(event, OrderPlaced):
                    before.sold.place((recorded.valid_at, int(event.number)), event)
                elif isinstance(event, LinesReturned | OrderRefunded):
                    before.sold.take_back(event)
        return planner.cancellation(entry, before.sold)
