"""Which stock adjustments of an invoice are in the log, found by content and not by place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from aggregates.kernel import Sku
from commands.importing.online_retail.identity import SOURCE, adjustment_source
from commands.importing.online_retail.records import Line
from commands.importing.online_retail.sorting import Kind, SortedInvoice


@dataclass(slots=True)
class Adjusted:
    """Adjustments done, by invoice. Another file may have their lines in another order, or one more."""

    _done: dict[str, dict[str, tuple[Sku, int]]] = field(default_factory=dict)

    def add(self, source: str, sku: Sku, delta: int) -> None:
        """Takes one of the log in, if an invoice is its source."""
        kind, _, rest = source.partition(":")
        if kind == SOURCE:
            self._done.setdefault(rest.partition(":")[0], {})[source] = (sku, delta)

    def missing(self, entry: SortedInvoice) -> list[tuple[str, Line]]:
        """The invoice's adjustments that are not in the log, each with a source that no other one has."""
        done = self._done.get(entry.invoice.number, {})
        left, taken = Counter(done.values()), set(done)
        result = []
        for nth, line, _ in entry.of(Kind.ADJUSTMENT):
            if left[line.code, line.quantity]:
                left[line.code, line.quantity] -= 1
                continue
            while (source := adjustment_source(entry.invoice.number, nth)) in taken:
                nth += 1  # noqa: PLW2901
            taken.add(source)
            result.append((source, line))
        return result
