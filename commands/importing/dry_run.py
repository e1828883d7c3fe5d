"""An import that writes nothing: what it would hand to the handling loop is counted instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from commands.importing.online_retail.accounts import CreditedPiece, LogAccount, goods
from commands.importing.online_retail.reading_back import CHARGES, CHARGES_CREDITED
from commands.importing.online_retail.recording import (
    Credited,
    RecordAdjustments,
    RecordCancellation,
    RecordSale,
)
from commands.importing.online_retail.sorting import Kind
from commands.importing.submitting import Amend


class DryRun:
    """Takes a Submitter's place; `account` is what the log would hold of the commands."""

    def __init__(self) -> None:
        self.account = LogAccount()
        self.written = 0

    async def submit(
        self,
        command: Any,
        *,
        valid_at: datetime,
        events: int,
        amend: Amend | None = None,
    ) -> None:
        """Counts a command."""
        self.written += 1
        match command:
            case RecordSale():
                self._sale(command)
            case RecordCancellation():
                self._cancellation(command)
            case RecordAdjustments(number=number, corrections=corrections):
                for one in corrections:
                    self.account.add(number, Kind.ADJUSTMENT, 0, goods=goods(one.sku, one.delta))
            case _:  # Products and stock are no lines of an invoice.
                self.written -= 1

    def when_done(self, call: Callable[[], None]) -> None:
        """Nothing is under way."""
        call()

    async def flush(self) -> None:
        """Nothing is under way."""

    async def abandon(self) -> None:
        """Nothing is under way."""

    def _sale(self, sale: RecordSale) -> None:
        for line in sale.lines:
            kind = Kind.SOLD if line.unit_price.exact > 0 else Kind.FREE
            pence = line.unit_price.times(line.quantity).amount
            self.account.add(sale.number, kind, pence, goods=goods(line.sku, line.quantity))
        for charge in sale.charges:
            self.account.add(sale.number, CHARGES[charge.kind], charge.amount.amount)

    def _cancellation(self, canceled: RecordCancellation) -> None:
        for part in canceled.on_orders:
            self._credited(canceled.number, part.lines, on_order=True)
        if canceled.alone is not None:
            self._credited(canceled.number, canceled.alone.lines, on_order=False)
            for charge in canceled.alone.charges:
                kind = CHARGES_CREDITED[charge.kind]
                self.account.add(canceled.number, kind, -charge.amount.amount)

    def _credited(self, number: str, lines: Sequence[Credited], *, on_order: bool) -> None:
        pieces = self.account.credited.setdefault(number, [])
        pieces += [CreditedPiece(line.sku, line.quantity, line.amount.amount, on_order) for line in lines]
