"""The first pass over a file: which products it sells, and what stock its sales are going to need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from aggregates.kernel import Sku, UnitPrice
from commands.importing.online_retail.adjusted import Adjusted
from commands.importing.online_retail.invoices import Invoice
from commands.importing.online_retail.records import Repeated
from commands.importing.online_retail.sorting import Kind, SortedInvoice, sort_invoice
from commands.importing.reading.refusals import Damaged

TAKEN = (Kind.SOLD, Kind.FREE)


@dataclass(slots=True)
class Movement:
    """The stock of one SKU through the sales yet to be written: where it stands, and its lowest point."""

    balance: int = 0
    lowest: int = 0

    def move(self, delta: int) -> None:
        """Units in, or out where negative."""
        self.balance += delta
        self.lowest = min(self.lowest, self.balance)


@dataclass(slots=True)
class Survey:
    """What was found. Times are UTC; `first_at` is the first invoice's, None for a file without any."""

    first_at: datetime | None = None
    movements: dict[Sku, Movement] = field(default_factory=dict)
    prices: dict[Sku, UnitPrice] = field(default_factory=dict)
    damaged: int = 0  # lines
    first_damaged: Damaged | None = None
    _descriptions: dict[Sku, Counter[str]] = field(default_factory=dict)

    def titles(self) -> dict[Sku, str]:
        """The description most lines of a product bear; the first of equals."""
        return {sku: counts.most_common(1)[0][0] for sku, counts in self._descriptions.items()}

    def lacking(self, sku: Sku, available: int) -> int:
        """Units that must be there first, so that every sale finds what it sold."""
        return max(0, -(available + self.movements[sku].lowest))

    def add(self, entry: SortedInvoice, *, imported: bool, adjusted: Adjusted) -> None:
        """Takes an invoice in, in the file's order; `adjusted` holds the adjustments done."""
        if self.first_at is None:
            self.first_at = entry.invoice.at
        for _, line in adjusted.missing(entry):
            self._move(line.code, line.quantity)
        for _, line, _ in entry.of(*TAKEN, Kind.RETURNED):
            self._describe(line.code, line.description, line.price)
            if not imported:
                self._move(line.code, -line.quantity)

    def _move(self, sku: Sku, delta: int) -> None:
        self.movements.setdefault(sku, Movement()).move(delta)

    def _describe(self, sku: Sku, description: str, price: UnitPrice) -> None:
        if description:
            self._descriptions.setdefault(sku, Counter())[description] += 1
        if price.exact > 0:
            self.prices.setdefault(sku, price)


def survey(
    items: Iterable[Invoice | Repeated | Damaged], *, imported: Callable[[Invoice], bool], adjusted: Adjusted
) -> Survey:
    """Goes through all of a file's invoices."""
    found = Survey()
    for item in items:
        if isinstance(item, Invoice):
            found.add(sort_invoice(item), imported=imported(item), adjusted=adjusted)
        elif isinstance(item, Damaged):
            found.damaged += 1
            found.first_damaged = found.first_damaged or item
    return found
