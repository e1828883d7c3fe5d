"""Importing a file of invoices: its outline, what its sales lack, every invoice in order, and the account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aggregates.inventory import stock
from aggregates.orders import order
from aggregates.orders.events import LinesReturned, OrderPlaced, OrderRefunded
from commands.handlers.numbering import given_number
from commands.handlers.registry import HANDLERS
from commands.importing.dry_run import DryRun
from commands.importing.online_retail.accounts import Account, Counts, FileAccount, LogAccount, account
from commands.importing.online_retail.handlers import IMPORT_HANDLERS
from commands.importing.online_retail.identity import SOURCE, Identity, receipt_source
from commands.importing.online_retail.invoices import Invoice, group
from commands.importing.online_retail.planning import Planner
from commands.importing.online_retail.reading_back import Imported, imported_before, read_account
from commands.importing.online_retail.recording import ListIfNew, ReceiveOpeningStock, RecordCancellation
from commands.importing.online_retail.records import Repeated, read_lines
from commands.importing.online_retail.sorting import Kind, SortedInvoice, sort_invoice
from commands.importing.online_retail.survey import Survey, survey
from commands.importing.progress import Progress
from commands.importing.reading.reading import Outline, Reading
from commands.importing.reading.refusals import Damaged, NotOnlineRetail
from commands.importing.rejects import Rejects, listing, read_back
from commands.importing.submitting import CHUNK_EVENTS, Submitter
from commands.loop.handling import Handling
from commands.loop.state_cache import StateCache
from event_store.codec import Codec
from event_store.records import EventLog

CATEGORY = "Online Retail"
OPENING = "opening stock for sales made elsewhere"
STREAMS_MAX = 12_000
"""Folded streams the handling loop keeps: every stock of a large shop, and some thousand recent orders."""
DEADLINE_SECONDS = 60.0
STOCKS_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an import ended with. `written` invoices were new to the log; the file's others were there."""

    account: Account
    outline: Outline
    invoices: int  # in the file
    written: int
    rejects: Path | None  # the list; None in a dry run
    head: int  # of the log when the last was written


class OnlineRetailImport:
    """One import of one file. Run it once; a new one goes on where another was stopped."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec,
        reading: Reading,
        rejects_path: Callable[[str], Path],
        progress: Progress,
        *,
        chunk_events: int = CHUNK_EVENTS,
    ) -> None:
        """`rejects_path` names the list of lines that get no event, by the digest of the file's content."""
        self._log = log
        self._codec = codec
        self._reading = reading
        self._rejects_path = rejects_path
        self._progress = progress
        self._chunk_events = chunk_events
        self._identity = Identity(log.installation_secret())

    async def run(self) -> Result:
        """Imports the file. Raises NotOnlineRetail, OSError, and what the handling loop raises."""
        before, surveyed = await self._look_through()
        handling = Handling(
            self._log,
            self._codec,
            {**HANDLERS, **IMPORT_HANDLERS},
            deadline_seconds=DEADLINE_SECONDS,
            streams_max=STREAMS_MAX,
        )
        path = self._rejects_path(self._reading.outline.digest)
        async with handling:
            submitter = Submitter(handling, actor=SOURCE, chunk_events=self._chunk_events)
            try:
                with listing(path, self._reading.place) as rejects:
                    await self._prepare(submitter, surveyed, before)
                    submitter.written = 0
                    file_account = await self._write(submitter, surveyed, before, rejects)
            finally:
                await submitter.abandon()
        return await self._result(file_account, LogAccount(), read_back(path), submitter.written, path)

    async def dry_run(self) -> Result:
        """Accounts for the file as `run` would, and writes nothing. Raises as it does."""
        before, surveyed = await self._look_through()
        rejects, dry = Rejects(self._reading.place), DryRun()
        file_account = await self._write(dry, surveyed, before, rejects)
        return await self._result(file_account, dry.account, rejects.counted, dry.written, None)

    async def _look_through(self) -> tuple[Imported, Survey]:
        """What earlier imports left, and what the file is going to need."""
        self._progress.stage("reading what is in the log")
        before = await asyncio.to_thread(imported_before, self._log, self._codec, self._identity)
        self._progress.stage("looking through the file")
        surveyed = survey(
            self._items(), imported=partial(self._is_imported, before), adjusted=before.adjusted
        )
        if surveyed.first_at is None:
            first = surveyed.first_damaged
            why = f": {self._reading.place(first.number)}: {first.reason}" if first is not None else ""
            raise NotOnlineRetail(f"none of the file's {surveyed.damaged:,} lines can be read{why}")
        return before, surveyed

    def _items(self) -> Iterator[Invoice | Repeated | Damaged]:
        return group(read_lines(self._reading), self._reading.outline.parts.last_line)

    async def _result(
        self, file: FileAccount, in_log: LogAccount, rejects: Counts, written: int, path: Path | None
    ) -> Result:
        self._progress.stage("reading back what the log holds")
        head = await asyncio.to_thread(self._log.head)
        read = partial(read_account, self._log, self._codec, self._identity, file.by_invoice, in_log)
        return Result(
            account=account(file, await asyncio.to_thread(read), rejects),
            outline=self._reading.outline,
            invoices=len(file.by_invoice),
            written=written,
            rejects=path,
            head=head,
        )

    def _is_imported(self, before: Imported, invoice: Invoice) -> bool:
        if invoice.is_cancellation:
            return self._identity.credit_note(invoice.number, 1) in before.credit_notes
        return self._identity.order(invoice.number) in before.orders

    async def _prepare(self, submitter: Submitter, surveyed: Survey, before: Imported) -> None:
        """Lists every product sold, and receives what the sales to come lack."""
        assert surveyed.first_at is not None
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
                sku=sku,
                quantity=quantity,
                reason=OPENING,
                source=receipt_source(self._reading.outline.digest),
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
        cache = StateCache(self._codec)
        for stream, history in self._log.read_streams([stock.stream(sku) for sku in skus]).items():
            cache.load(stream, history)
        return {sku: cache.state(stock.stream(sku)).available for sku in skus}

    async def _write(
        self, submitter: Submitter | DryRun, surveyed: Survey, before: Imported, rejects: Rejects
    ) -> FileAccount:
        """Every invoice in the file's order, and the list of rejects."""
        result, outline = FileAccount(), self._reading.outline
        planner = Planner(digest=outline.digest, identity=self._identity, titles=surveyed.titles())
        self._progress.stage("going through the invoices", total=outline.lines, unit=" lines")
        for item in self._items():
            entry = sort_invoice(item) if isinstance(item, Invoice) else item
            result.add(entry)
            self._list_rejects(entry, rejects)
            if isinstance(entry, SortedInvoice):
                await self._record(submitter, planner, entry, before)
                submitter.when_done(partial(self._progress.advance, len(entry.invoice.lines)))
            else:
                submitter.when_done(partial(self._progress.advance, 1))
        await submitter.flush()
        return result

    def _list_rejects(self, entry: SortedInvoice | Repeated | Damaged, rejects: Rejects) -> None:
        if isinstance(entry, Damaged):
            rejects.add_damaged(entry)
            place = self._reading.place(entry.number)
            self._progress.note(f"{place} is damaged and skipped: {entry.reason}")
        elif isinstance(entry, Repeated):
            rejects.add(entry.line, Kind.REPEATED, entry.reason)
        else:
            for line, kind, reason in entry.rejects:
                rejects.add(line, kind, reason)

    async def _record(
        self, submitter: Submitter | DryRun, planner: Planner, entry: SortedInvoice, before: Imported
    ) -> None:
        """Submits what the invoice becomes, unless it is in the log."""
        invoice = entry.invoice
        submit = partial(submitter.submit, valid_at=invoice.at, events=len(invoice.lines) + 4)
        adjustments = planner.adjustments(entry, before.adjusted)
        if adjustments is not None:
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
        histories = await asyncio.to_thread(self._log.read_streams, [order.stream(one) for one in orders])
        for order_id in orders:
            before.sold.forget(order_id)
            for recorded in histories[order.stream(order_id)]:
                event = self._codec.decode(recorded)
                if isinstance(event, OrderPlaced):
                    before.sold.place((recorded.valid_at, int(given_number(event.number))), event)
                elif isinstance(event, LinesReturned | OrderRefunded):
                    before.sold.take_back(event)
        return planner.cancellation(entry, before.sold)
