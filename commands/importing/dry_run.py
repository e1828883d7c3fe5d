"""An import that writes nothing: what it would hand to the handling loop is counted instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from commands.importing.online_retail.accounts import LogAccount, goods
from commands.importing.online_retail.recording import RecordAdjustments, RecordCancellation, RecordSale
from commands.importing.online_retail.sorting import Kind
from commands.importing.submitting import Amend


class DryRun:
    """Takes a Submitter's place; `account` is what the log would hold of the commands."""

    def __init__(self) -> None:
        self.account = LogAccount()
        self.written = 0

    async def submit(
        self, command: Any, *, valid_at: datetime, events: int, amend: Amend | None = None
    ) -> None:
        """Counts a command."""
        self.written += 1
        match command:
            case RecordSale(number=number, lines=lines, charges=charges):
                priced = [(line, line.unit_price.times(line.quantity).amount) for line in lines]
                self.account.add_order(number, priced, charges)
            case RecordCancellation(number=number, on_orders=on_orders, alone=alone):
                for part in on_orders:
                    self.account.add_credit(number, part.lines, on_order=True)
                if alone is not None:
                    self.account.add_credit(number, alone.lines, alone.charges, on_order=False)
            case RecordAdjustments(number=number, corrections=corrections):
                for one in corrections:
                    self.account.add(number, Kind.ADJUSTMENT, 0, goods=goods(one.sku, one.delta))

    def when_done(self, call: Callable[[], None]) -> None:
        """Nothing is under way."""
        call()

    async def flush(self) -> None:
        """Nothing is under way."""
