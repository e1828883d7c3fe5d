"""The import's account of every line: what the file holds, what the log holds, what was rejected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from zlib import crc32

from aggregates.orders.events import Charge, CreditNoteLine, OrderLine
from aggregates.orders.order import Purchase
from commands.importing.online_retail.recording import Credited
from commands.importing.online_retail.records import Repeated
from commands.importing.online_retail.sorting import CHARGE_KINDS, CREDITED, Kind, SortedInvoice
from commands.importing.reading.refusals import Damaged


@dataclass(slots=True)
class Count:
    """Lines and their sum in pence, as the file signs them: what goes back is negative."""

    lines: int = 0
    pence: int = 0
    goods: int = 0  # a sum over what the lines are of, so that other goods at the same price differ

    def add(self, pence: int, lines: int = 1, *, goods: int = 0) -> None:
        """Counts lines in."""
        self.lines += lines
        self.pence += pence
        self.goods += goods


def goods(sku: str, quantity: int) -> int:
    """A number that stands for so many units of a SKU."""
    return crc32(f"{sku} {quantity}".encode())


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
    apart: Counts = field(default_factory=counts)  # of no invoice, or of one that counts elsewhere

    def add(self, item: SortedInvoice | Repeated | Damaged) -> None:
        """Counts an invoice, or a line that is repeated or damaged."""
        if isinstance(item, Damaged):
            self.apart[Kind.DAMAGED.value].add(0)
            return
        if isinstance(item, Repeated):
            self.apart[Kind.REPEATED.value].add(item.line.amount)
            return
        number = item.invoice.number
        of_invoice = self.by_invoice.setdefault(number, {})
        for _, line, meaning in item.meanings:
            named = goods(line.code, line.quantity) if meaning.kind in GOODS else 0
            of_invoice.setdefault(meaning.kind, Count()).add(line.amount, goods=named)
            if meaning.kind is Kind.RETURNED:
                returned = ReturnedLine(line.code, -line.quantity, -line.amount)
                self.returned.setdefault(number, []).append(returned)


@dataclass(slots=True)
class LogAccount:
    """What the log holds of the file's invoices, read back from it."""

    by_invoice: dict[str, dict[Kind, Count]] = field(default_factory=dict)
    credited: dict[str, list[CreditedPiece]] = field(default_factory=dict)

    def add(self, invoice: str, kind: Kind, pence: int, *, goods: int = 0) -> None:
        """Counts one order line, charge or adjustment."""
        self.by_invoice.setdefault(invoice, {}).setdefault(kind, Count()).add(pence, goods=goods)

    def add_order(
        self, invoice: str, lines: Iterable[tuple[Purchase | OrderLine, int]], charges: Iterable[Charge]
    ) -> None:
        """Counts an order: its lines, each with its pence, and its charges."""
        for line, pence in lines:
            kind = Kind.SOLD if line.unit_price.exact > 0 else Kind.FREE
            self.add(invoice, kind, pence, goods=goods(line.sku, line.quantity))
        for charge in charges:
            self.add(invoice, KINDS_OF_CHARGES[charge.kind], charge.amount.amount)

    def add_credit(
        self,
        invoice: str,
        lines: Iterable[Credited | CreditNoteLine],
        charges: Iterable[Charge] = (),
        *,
        on_order: bool,
    ) -> None:
        """Counts a credit note."""
        self.credited.setdefault(invoice, []).extend(
            CreditedPiece(line.sku, line.quantity, line.amount.amount, on_order) for line in lines
        )
        for charge in charges:
            self.add(invoice, CREDITED[KINDS_OF_CHARGES[charge.kind]], -charge.amount.amount)


KINDS_OF_CHARGES = {name: kind for kind, name in CHARGE_KINDS.items()}
MATCHED, IN_PART, ALONE = "matched to orders", "matched in part", "standing alone"


@dataclass(slots=True)
class Account:
    """It adds up when every line of the file is in the log or among the rejects, to the penny."""

    file: Counts
    log: Counts
    rejects: Counts
    differing: dict[str, str]  # invoices whose lines the log has otherwise than the file, and how

    def row(self, label: str) -> tuple[Count, Count, Count]:
        """In the file, in the log, among the rejects."""
        return (
            self.file.get(label, Count()),
            self.log.get(label, Count()),
            self.rejects.get(label, Count()),
        )

    @property
    def adds_up(self) -> bool:
        """Whether lines in = lines accounted for, by kind and in sums."""
        return not self.differing and all(
            in_file.lines == in_log.lines + rejected.lines and in_file.pence == in_log.pence + rejected.pence
            for in_file, in_log, rejected in map(self.row, {*self.file, *self.log, *self.rejects})
        )


def account(file: FileAccount, log: LogAccount, rejects: Counts) -> Account:
    """Holds the three against each other."""
    result = Account(counts(), counts(), counts(), {})
    for number, kinds in file.by_invoice.items():
        in_log = log.by_invoice.get(number, {})
        for kind, count in kinds.items():
            if kind is not Kind.RETURNED:
                result.file[kind.value].add(count.pence, count.lines)
        for kind, count in in_log.items():
            result.log[kind.value].add(count.pence, count.lines)
        returned = _returns(result, file.returned.get(number, []), log.credited.get(number, []))
        differences = [*_differences(kinds, in_log), *returned]
        if differences:
            result.differing[number] = "; ".join(differences)
    for label, count in file.apart.items():
        result.file[label].add(count.pence, count.lines)
    for label, count in rejects.items():
        result.rejects[label].add(count.pence, count.lines)
    return result


def _differences(in_file: Mapping[Kind, Count], in_log: Mapping[Kind, Count]) -> Iterator[str]:
    """How the log has an invoice otherwise than the file, its returned goods apart."""
    for kind in BOOKED:
        there, here = in_file.get(kind, Count()), in_log.get(kind, Count())
        if kind is Kind.RETURNED or there == here:
            continue
        if (there.lines, there.pence) == (here.lines, here.pence):
            yield f"{kind.value} are other goods"
        else:
            yield f"{kind.value} {_in_words(there)} in the file, {_in_words(here)} in the log"


def _in_words(count: Count) -> str:
    return f"{count.lines:,} line{'' if count.lines == 1 else 's'} {pounds(count.pence)}"


BOOKED = (
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
)
GOODS = {Kind.SOLD, Kind.FREE, Kind.ADJUSTMENT}


def _returns(result: Account, lines: list[ReturnedLine], pieces: list[CreditedPiece]) -> list[str]:
    """Counts a cancellation's returned products, by SKU and by how they were matched; names what differs.

    A line may be credited in several pieces. The log has a SKU's lines when units and pence agree.
    """
    by_sku: dict[str, list[CreditedPiece]] = defaultdict(list)
    for piece in pieces:
        by_sku[piece.sku].append(piece)
    differences = []
    for sku in dict.fromkeys([*(line.sku for line in lines), *by_sku]):
        label = f"{Kind.RETURNED.value}, {_matching(by_sku[sku])}"
        of_sku = [line for line in lines if line.sku == sku]
        for line in of_sku:
            result.file[label].add(-line.pence)
        in_log = (sum(piece.quantity for piece in by_sku[sku]), sum(piece.pence for piece in by_sku[sku]))
        in_file = (sum(line.quantity for line in of_sku), sum(line.pence for line in of_sku))
        agrees = in_log == in_file
        result.log[label].add(-in_log[1], len(of_sku) if agrees else 0)
        if not agrees:
            (there, paid), (here, credited) = in_file, in_log
            differences.append(
                f"{sku} returned: {there:,} for {pounds(paid)} in the file, "
                f"{here:,} for {pounds(credited)} in the log"
            )
    return differences


def _matching(pieces: list[CreditedPiece]) -> str:
    on_order = {piece.on_order for piece in pieces}
    if on_order == {True}:
        return MATCHED
    return IN_PART if True in on_order else ALONE


def pounds(pence: int) -> str:
    """Pence as pounds with thousands apart: -1,234.50."""
    sign = "-" if pence < 0 else ""
    return f"{sign}{abs(pence) // 100:,}.{abs(pence) % 100:02d}"
