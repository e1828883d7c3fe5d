"""Files of several parts: sheets of a workbook, or years joined in one text.

An invoice counts where it first stands. The later edition's two sheets overlap by nine days, and so do
the texts that were made of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from commands.importing.online_retail.columns import CODE, DESCRIPTION, INVOICE

Record = tuple[int, list[str]]
LineContent = tuple[str, ...]
"""A line but for its product's description."""


@dataclass(slots=True)
class Parts:
    """Where the parts begin, and which invoices stand in more than one.

    The invoice on both sides of a border goes on there and is one. Of any other that comes again each line
    counts once: further lines are taken where every earlier one is repeated, else it differs and counts as
    it first stands.
    """

    begins: Sequence[int] = (0,)  # the numbers before each part's first line
    differing: set[str] = field(default_factory=set)
    last_line: dict[str, int] = field(default_factory=dict)  # of each invoice, the last that counts
    _first_in: dict[str, int] = field(default_factory=dict)
    _again: set[str] = field(default_factory=set)
    _going_on: set[tuple[str, int]] = field(default_factory=set)
    _further: set[int] = field(default_factory=set)  # lines

    def part_of(self, number: int) -> int:
        """Which part a line is of, from 0."""
        return bisect_left(self.begins, number) - 1

    def repeats(self, number: int, invoice: str) -> int | None:
        """The earlier part that has the invoice of this line; None where the line counts."""
        if invoice not in self._again or number in self._further:
            return None
        part, first = self.part_of(number), self._first_in[invoice]
        return None if part == first or (invoice, part) in self._going_on else first

    @property
    def again(self) -> int:
        """How many invoices come again."""
        return len(self._again)

    @property
    def is_repetition(self) -> bool:
        """Whether what comes again is mostly the same, so that it is a second copy and no accident."""
        return len(self._again) > 1 and 10 * len(self.differing) <= len(self._again)


def find_parts(records: Callable[[], Iterable[Record]], begins: Sequence[int]) -> Parts:
    """Goes through the records, twice where invoices come again."""
    found = Parts(begins)
    part, before = 0, ""
    for number, fields in records():
        invoice = fields[INVOICE]
        if (now := found.part_of(number)) != part:
            part = now
            if invoice == before:
                found._going_on.add((invoice, part))
        if found._first_in.setdefault(invoice, part) != part and (invoice, part) not in found._going_on:
            found._again.add(invoice)
        else:
            found.last_line[invoice] = number
        before = invoice
    if found._again:
        _compare(records(), found)
    return found


@dataclass(slots=True)
class _Compared:
    """An invoice's lines so far, and how those of a later part match them."""

    have: Counter[LineContent] = field(default_factory=Counter)
    part: int = -1
    unmatched: Counter[LineContent] = field(default_factory=Counter)
    further: list[tuple[int, LineContent]] = field(default_factory=list)

    def see(self, number: int, content: LineContent) -> None:
        """Takes a line of a later part."""
        if self.unmatched[content]:
            self.unmatched[content] -= 1
        else:
            self.further.append((number, content))

    def settle(self, invoice: str, parts: Parts) -> None:
        """Ends a part."""
        if self.further and self.unmatched.total():
            parts.differing.add(invoice)
        else:
            for number, content in self.further:
                parts._further.add(number)
                parts.last_line[invoice] = number
                self.have[content] += 1
        self.unmatched, self.further = self.have.copy(), []


def _compare(records: Iterable[Record], parts: Parts) -> None:
    compared = {invoice: _Compared() for invoice in parts._again}
    for number, fields in records:
        invoice = fields[INVOICE]
        if (one := compared.get(invoice)) is None:
            continue
        content = (fields[CODE], *fields[DESCRIPTION + 1 :])
        if parts.repeats(number, invoice) is None:
            one.have[content] += 1
            continue
        if (part := parts.part_of(number)) != one.part:
            one.settle(invoice, parts)
            one.part = part
        one.see(number, content)
    for invoice, one in compared.items():
        one.settle(invoice, parts)
