"""Payments of ours against the lines of a report: what agrees, and every way in which it does not. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Literal

from aggregates.kernel import Money, OrderId
from aggregates.payments.payment import UNNAMED
from commands.reconciliation.report import Line

LAG = timedelta(hours=3)
"""What happened this shortly before a report's end may not have reached it."""

Kind = Literal["charge", "refund", "refund_failure", "dispute"]
Verdict = Literal[
    "matched", "differing", "missing_at_stripe", "missing_here", "healed", "another_report", "foreign"
]
SETTLED: frozenset[Verdict] = frozenset({"matched", "healed", "another_report", "foreign"})
"""What leaves nothing to be done."""

KINDS: Mapping[str, Kind] = {
    "charge": "charge",
    "partial_capture_reversal": "charge",  # the part of a hold that was not captured
    "charge_failure": "charge",
    "refund": "refund",
    "refund_failure": "refund_failure",
    "dispute": "dispute",
    "dispute_reversal": "dispute",
}
"""Of the categories that move a payment's money: the kind of our facts that they are held against."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Money of a payment that moved, as we have it; above zero where it came to us."""

    kind: Kind
    item: str  # the payment's reference, the refund's, the dispute's balance transaction
    amount: int  # minor units
    at: datetime  # UTC, when we learnt of it
    certain: bool = True  # whether a report must have it; not of a refund that is still on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class OurPayment:
    """A payment at the gateway as our log has it; a charge's facts, oldest first, are its captures.

    The item of a refund that was stored without the gateway's name for it begins with `UNNAMED`.
    """

    reference: str
    order_id: OrderId
    currency: str
    authorized: int  # minor units
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The time that a report covers, UTC; without an end it holds nothing."""

    since: datetime
    until: datetime

    def covers(self, moment: datetime) -> bool:
        """Whether what happened then must be in the report."""
        return self.since <= moment < self.until - LAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one item: the captures of a payment, a refund, its failure, a dispute's movement."""

    verdict: Verdict
    kind: Kind
    payment: str
    item: str
    order_id: OrderId | None = None
    ours: Money | None = None
    reported: Money | None = None
    differs: Literal["amount", "currency"] | None = None
    line: int | None = None  # of the report's first line about it


@dataclass(slots=True)
class Total:
    """Lines of one category and currency; amounts in minor units."""

    lines: int = 0
    gross: int = 0
    fee: int = 0

    @property
    def net(self) -> int:
        """What the balance changed by."""
        return self.gross - self.fee


@dataclass(frozen=True, slots=True)
class _Movement:
    """What is kept of a line until its payment is compared."""

    number: int
    kind: Kind
    item: str
    gross: Money
    facing: Money | None
    order: str
    ours: bool

    @property
    def takes(self) -> bool:
        """Whether money went from us; a yen that went may be nothing in the currency of settlement."""
        return self.gross.amount < 0 or self.kind == "refund"


@dataclass(slots=True)
class Report:
    """A report's lines, taken in one by one: totals of all, and by payment what moved its money."""

    lines: int = 0
    first: datetime | None = None
    last: datetime | None = None
    totals: dict[tuple[str, str], Total] = field(default_factory=dict)  # by category and currency
    payments: dict[str, list[_Movement]] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Takes in a line."""
        self.lines += 1
        self.first = line.created if self.first is None else min(self.first, line.created)
        self.last = line.created if self.last is None else max(self.last, line.created)
        total = self.totals.setdefault((line.category, line.currency), Total())
        total.lines += 1
        total.gross += line.gross
        total.fee += line.fee
        if (kind := KINDS.get(line.category)) is None:
            return
        payment = line.payment or line.charge or line.source or line.transaction
        item = {"charge": payment, "dispute": line.transaction}.get(kind, line.source)
        movement = _Movement(
            line.number,
            kind,
            item,
            Money(line.gross, line.currency),
            line.facing,
            line.order,
            line.bears_our_metadata,
        )
        self.payments.setdefault(payment, []).append(movement)

    @property
    def orders(self) -> set[OrderId]:
        """The orders that its lines name."""
        return {one.order for movements in self.payments.values() for one in movements if one.order}


def compare_all(report: Report, payments: Iterable[OurPayment], window: Window) -> Iterator[Finding]:
    """Every payment against the report, and what of the report is left over. Each payment once."""
    compared = set()
    for payment in payments:
        compared.add(payment.reference)
        yield from compare(payment, report.payments.get(payment.reference, ()), window)
    for reference, movements in report.payments.items():
        if reference not in compared:
            yield from _unknown(reference, movements)


def compare(payment: OurPayment, movements: Sequence[_Movement], window: Window) -> Iterator[Finding]:
    """One payment against all that a report has of it."""
    facts: dict[tuple[Kind, str], list[Fact]] = {}
    items = _by_item(movements)
    for fact in _named(payment.facts, items):
        facts.setdefault((fact.kind, fact.item), []).append(fact)
    for key in [*facts, *(key for key in items if key not in facts)]:
        finding = _Compared(payment, *key, facts.get(key, []), items.get(key, []), window).finding(items)
        if finding is not None:
            yield finding


def _named(facts: Sequence[Fact], items: Mapping[tuple[Kind, str], Sequence[_Movement]]) -> Iterator[Fact]:
    """The facts; a refund that has no name gets that of a refund of its amount which no other fact has."""
    names = {fact.item for fact in facts}
    free = [(item, some[0]) for (kind, item), some in items.items() if kind == "refund" and item not in names]
    for fact in facts:
        same = [one for one in free if abs((one[1].facing or one[1].gross).amount) == abs(fact.amount)]
        if fact.item.startswith(UNNAMED) and same:
            free.remove(same[0])
            yield replace(fact, item=same[0][0])
        else:
            yield fact


@dataclass(frozen=True, slots=True)
class _Compared:
    """One item of a payment: our facts beside the report's movements."""

    payment: OurPayment
    kind: Kind
    item: str
    facts: Sequence[Fact]
    movements: Sequence[_Movement]
    window: Window

    def finding(self, reported: Mapping[tuple[Kind, str], object]) -> Finding | None:
        """None where a report need not have it; `reported` is all that the report has of the payment."""
        ours = sum(fact.amount for fact in self.facts)
        if not self.movements:
            due = [fact for fact in self.facts if fact.certain and self.window.covers(fact.at)]
            if self.kind == "refund_failure" and ("refund", self.item) not in reported:
                return None  # A refund that failed before it took anything leaves no line.
            return self._found("missing_at_stripe", sum(fact.amount for fact in due)) if due else None
        amounts = self._amounts()
        if not self.facts:
            return self._found("missing_here", None, next(iter(amounts), None))
        for amount in amounts:
            if amount.currency != self.payment.currency:
                return self._found("differing", ours, amount, "currency")
        for amount in amounts:
            if amount.amount not in self._allowed():
                return self._found("differing", ours, amount, "amount")
        return self._found("matched", ours, next(iter(amounts), None))

    def _amounts(self) -> list[Money]:
        """What the report says in the customer's currency: nothing, or twice where it says it twice.

        Disputes, and the parts of a hold that were not captured, are in the currency of settlement only.
        Where that is another one they are known by name, and their amounts cannot be compared.
        """
        currency, amounts = self.payment.currency, []
        if all(one.gross.currency == currency for one in self.movements):
            amounts.append(Money.sum((one.gross for one in self.movements), currency))
        facing = [one.facing for one in self.movements if one.facing is not None]
        if foreign := [one for one in facing if one.currency != currency]:
            return foreign[:1]
        # On a charge captured in part, or in parts, it may be what the customer saw first: all of it.
        of_all = amounts and all(one.amount == self.payment.authorized for one in facing)
        if len(facing) == len(self.movements) and not of_all:
            signed = (
                abs(one.facing.amount) * (-1 if one.takes else 1)
                for one in self.movements
                if one.facing is not None
            )
            amounts.append(Money(sum(signed), currency))
        return amounts

    def _allowed(self) -> set[int]:
        """What the report may come to: all of it; of several captures those within its time, at least."""
        amounts = [fact.amount for fact in self.facts]
        due = [at for at, fact in enumerate(self.facts) if self.window.covers(fact.at)]
        first, last = (due[0], due[-1] + 1) if due else (len(amounts), 0)
        sums = [0, *accumulate(amounts)]
        return {
            sums[end] - sums[start]
            for start in range(len(amounts))
            for end in range(start + 1, len(sums))
            if start <= first and end >= last
        }

    def _found(
        self,
        verdict: Verdict,
        ours: int | None,
        reported: Money | None = None,
        differs: Literal["amount", "currency"] | None = None,
    ) -> Finding:
        return Finding(
            verdict=verdict,
            kind=self.kind,
            payment=self.payment.reference,
            item=self.item,
            order_id=self.payment.order_id,
            ours=None if ours is None else Money(ours, self.payment.currency),
            reported=reported,
            differs=differs,
            line=self.movements[0].number if self.movements else None,
        )


def _unknown(reference: str, movements: Sequence[_Movement]) -> Iterator[Finding]:
    """What a report has of a payment that we do not: lost here, or none of ours."""
    order = next((one.order for one in movements if one.order), None)
    ours = any(one.ours for one in movements)
    for (kind, item), some in _by_item(movements).items():
        seen = [one.facing or one.gross for one in some]
        same = all(one.currency == seen[0].currency for one in seen)
        yield Finding(
            verdict="missing_here" if ours else "foreign",
            kind=kind,
            payment=reference,
            item=item,
            order_id=order,
            reported=Money.sum(seen, seen[0].currency) if same else None,
            line=some[0].number,
        )


def _by_item(movements: Sequence[_Movement]) -> dict[tuple[Kind, str], list[_Movement]]:
    items: dict[tuple[Kind, str], list[_Movement]] = {}
    for one in movements:
        items.setdefault((one.kind, one.item), []).append(one)
    return items


def counted(findings: Iterable[Finding]) -> Counter[tuple[Verdict, Kind]]:
    """How many items came to which verdict."""
    return Counter((finding.verdict, finding.kind) for finding in findings)
