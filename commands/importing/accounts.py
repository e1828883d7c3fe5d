"""The import's account of every line: what the file holds, what the log holds, what was listed aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from commands.importing.online_retail import Damaged
from commands.importing.sorting import Kind, SortedInvoice


@dataclass(slots=True)
class Count:
    """Lines and their sum in pence, as the file signs them: what goes back is negative."""

    lines: int = 0
    pence: int = 0

    def add(self, pence: int, lines: int = 1) -> None:
        """Counts lines in."""
        self.lines += lines
        self.pence += pence


Counts = defaultdict[str, Count]
"""By label: a kind's, or for returned products that and how they were matched."""


def counts() -> Counts:
    """Nothing counted yet."""
    return defaultdict(Count)


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """A returned product as its cancellation has it (units and pence positive)."""

    sku: str
    quantity: int
    pence: int


@dataclass(frozen=True, slots=True)
class CreditedPiece:
    """A part of it as a credit note in the log has it."""

    sku: str
    quantity: int
    pence: int
    on_order: bool


@dataclass(slots=True)
class FileAccount:
    """What the file holds, by invoice and kind, counted from its lines."""

    by_invoice: dict[str, dict[Kind, Count]] = field(default_factory=dict)
    returned: dict[str, list[ReturnedLine]] = field(default_factory=dict)
    damaged: int = 0

    def add(self, item: SortedInvoice | Damaged) -> None:
        """Counts an invoice, or a line that is damaged."""
        if isinstance(item, Damaged):
            self.damaged += 1
            return
        number = item.invoice.number
        of_invoice = self.by_invoice.setdefault(number, {})
        for _, line, meaning in item.meanings:
            of_invoice.setdefault(meaning.kind, Count()).add(line.amount)
            if meaning.kind is Kind.RETURNED:
                returned = ReturnedLine(line.code, -line.quantity, -line.amount)
                self.returned.setdefault(number, []).append(returned)


@dataclass(slots=True)
class LogAccount:
    """What the log holds of the file's invoices, read back from it."""

    by_invoice: dict[str, dict[Kind, Count]] = field(default_factory=dict)
    credited: dict[str, list[CreditedPiece]] = field(default_factory=dict)

    def add(self, invoice: str, kind: Kind, pence: int) -> None:
        """Counts one order line, charge or adjustment."""
        self.by_invoice.setdefault(invoice, {}).setdefault(kind, Count()).add(pence)


MATCHED, IN_PART, ALONE = "matched to orders", "matched in part", "standing alone"


@dataclass(slots=True)
class Account:
    """The whole account. It adds up when every line of the file is in the log or aside, to the penny."""

    file: Counts
    log: Counts
    aside: Counts
    missing: list[str]  # invoices whose lines the log has otherwise than the file

    def row(self, label: str) -> tuple[Count, Count, Count]:
        """In the file, in the log, aside."""
        return (
            self.file.get(label, Count()),
            self.log.get(label, Count()),
            self.aside.get(label, Count()),
        )

    @property
    def adds_up(self) -> bool:
        """Whether lines in = lines accounted for, by kind and in sums."""
        return not self.missing and all(
            in_file.lines == in_log.lines + aside.lines and in_file.pence == in_log.pence + aside.pence
            for in_file, in_log, aside in map(self.row, {*self.file, *self.log, *self.aside})
        )


def account(file: FileAccount, log: LogAccount, aside: Iterable[tuple[Kind, int]]) -> Account:
    """Holds the three against each other."""
    result = Account(counts(), counts(), counts(), [])
    for number, kinds in file.by_invoice.items():
        in_log = log.by_invoice.get(number, {})
        for kind, count in kinds.items():
            if kind is not Kind.RETURNED:
                result.file[kind.value].add(count.pence, count.lines)
        for kind, count in in_log.items():
            result.log[kind.value].add(count.pence, count.lines)
        whole = _returns(result, file.returned.get(number, []), log.credited.get(number, []))
        booked = {
            kind: count for kind, count in kinds.items() if kind in BOOKED and kind is not Kind.RETURNED
        }
        if not whole or booked != in_log:
            result.missing.append(number)
    if file.damaged:
        result.file[Kind.DAMAGED.value].add(0, file.damaged)
    for kind, pence in aside:
        result.aside[kind.value].add(pence)
    return result


BOOKED = {
    Kind.SOLD,
    Kind.FREE,
    Kind.SHIPPING,
    Kind.MANUAL,
    Kind.DISCOUNT,
    Kind.RETURNED,
    Kind.SHIPPING_CREDITED,
    Kind.MANUAL_CREDITED,
    Kind.DISCOUNT_CREDITED,
    Kind.ADJUSTMENT,
}


def _returns(result: Account, lines: list[ReturnedLine], pieces: list[CreditedPiece]) -> bool:
    """Counts a cancellation's returned products, by SKU and by how they were matched.

    A line may be credited in several pieces. The log has a SKU's lines when units and pence agree.
    """
    by_sku: dict[str, list[CreditedPiece]] = defaultdict(list)
    for piece in pieces:
        by_sku[piece.sku].append(piece)
    whole = True
    for sku in dict.fromkeys([*(line.sku for line in lines), *by_sku]):
        label = f"{Kind.RETURNED.value}, {_matching(by_sku[sku])}"
        of_sku = [line for line in lines if line.sku == sku]
        for line in of_sku:
            result.file[label].add(-line.pence)
        units = sum(piece.quantity for piece in by_sku[sku])
        pence = sum(piece.pence for piece in by_sku[sku])
        agrees = units == sum(line.quantity for line in of_sku) and pence == sum(
            line.pence for line in of_sku
        )
        result.log[label].add(-pence, len(of_sku) if agrees else 0)
        whole = whole and agrees
    return whole


def _matching(pieces: list[CreditedPiece]) -> str:
    on_order = {piece.on_order for piece in pieces}
    if on_order == {True}:
        return MATCHED
    return IN_PART if True in on_order else ALONE
