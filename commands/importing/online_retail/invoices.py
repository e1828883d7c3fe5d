"""Invoice lines, grouped into invoices in the order of their first lines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from commands.importing.online_retail.records import Line, Repeated
from commands.importing.reading.refusals import Damaged


@dataclass(slots=True)
class Invoice:
    """All lines under one number. Its time and customer are its first line's."""

    number: str
    at: datetime  # UTC
    customer_id: str | None
    lines: list[Line] = field(default_factory=list)

    @property
    def is_cancellation(self) -> bool:
        """Whether it takes back rather than sells."""
        return self.number.startswith("C")

    @property
    def is_bad_debt(self) -> bool:
        """Whether it writes off what a customer never paid."""
        return self.number.startswith("A")

    @property
    def sequence(self) -> tuple[datetime, int]:
        """Which of two invoices is the earlier: by time, within a minute by number."""
        return self.at, int(self.number.lstrip("CA"))


def group(
    lines: Iterable[Line | Repeated | Damaged], last_line: Mapping[str, int]
) -> Iterator[Invoice | Repeated | Damaged]:
    """Invoices, each complete, and damaged and repeated lines as they come.

    `last_line` gives each invoice's last line, so that lines of two invoices may interleave
    without the file being in memory at once.
    """
    open_invoices: OrderedDict[str, Invoice] = OrderedDict()
    for line in lines:
        if isinstance(line, Line):
            invoice = open_invoices.get(line.invoice)
            if invoice is None:
                invoice = open_invoices[line.invoice] = Invoice(line.invoice, line.at, line.customer_id)
            if invoice.customer_id == line.customer_id:
                invoice.lines.append(line)
            else:
                reason = f"customer {line.customer_id} on an invoice of customer {invoice.customer_id}"
                yield Damaged(line.number, reason, f"{line.invoice},{line.code},{line.description}")
        else:
            yield line
        number = line.line.number if isinstance(line, Repeated) else line.number
        while open_invoices:
            first = next(iter(open_invoices))
            if last_line.get(first, 0) > number:
                break
            yield open_invoices.pop(first)
    yield from open_invoices.values()
