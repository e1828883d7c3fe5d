"""What goes back: by share of each line and shipping, and to which tender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tests.pricing.reference.numbers import half_even, largest_remainder


def part(amount: int, count: int, of: int) -> int:
    """E(x, k, q): the k-th part of q, to the nearest; nothing of nothing."""
    return half_even(Fraction(amount * count, of)) if of else 0


@dataclass
class Bought:
    """A line, or shipping as a line of one unit: what was paid, the tax in it, and what has gone back."""

    target: str
    paid: int
    tax: int
    quantity: int
    units_back: int = 0
    money_back: int = 0

    @property
    def left(self) -> int:
        return self.paid - self.money_back

    def worth(self, units: int) -> int:
        """What so many more units are worth."""
        back = part(self.paid, self.units_back + units, self.quantity)
        back -= part(self.paid, self.units_back, self.quantity)
        return max(0, min(back, self.left))

    def give(self, amount: int, units: int = 0) -> int:
        """Gives money back; the tax in it."""
        tax = part(self.tax, self.money_back + amount, self.paid) - part(self.tax, self.money_back, self.paid)
        self.money_back += amount
        self.units_back += units
        return tax


@dataclass
class Tender:
    """A means of payment and what it gave; what it got back."""

    name: str
    gave: int
    back: int = 0


@dataclass
class Back:
    """One refund: money and tax by target, money by tender."""

    amounts: dict[str, int]
    taxes: dict[str, int]
    tenders: dict[str, int] = field(default_factory=dict)

    @property
    def amount(self) -> int:
        return sum(self.amounts.values())

    @property
    def tax(self) -> int:
        return sum(self.taxes.values())


@dataclass
class Sale:
    """A paid order, and what has gone back of it."""

    bought: list[Bought]
    tenders: list[Tender] = field(default_factory=list)

    def of_units(self, units: dict[str, int], amount: int | None = None) -> Back:
        """So many units of lines: what they are worth, or an amount shared by that."""
        lines = [each for each in self.bought if each.target in units]
        worth = [line.worth(units[line.target]) for line in lines]
        assert amount is None or amount <= sum(worth)
        amounts = worth if amount is None else largest_remainder(amount, worth)
        return self._give(lines, amounts, units)

    def of_amount(self, amount: int) -> Back:
        """An amount over everything, by what is left of each."""
        assert amount <= sum(each.left for each in self.bought)
        return self._give(self.bought, largest_remainder(amount, [each.left for each in self.bought]), {})

    def of_all(self) -> Back:
        """All that is left."""
        units = {each.target: each.quantity - each.units_back for each in self.bought}
        return self._give(self.bought, [each.left for each in self.bought], units)

    def _give(self, lines: Sequence[Bought], amounts: Sequence[int], units: dict[str, int]) -> Back:
        taxes = [
            line.give(amount, units.get(line.target, 0)) for line, amount in zip(lines, amounts, strict=True)
        ]
        names = [line.target for line in lines]
        back = Back(dict(zip(names, amounts, strict=True)), dict(zip(names, taxes, strict=True)))
        rest = back.amount
        for tender in reversed(self.tenders):
            given = min(rest, tender.gave - tender.back)
            if given:
                back.tenders[tender.name] = given
            tender.back += given
            rest -= given
        assert rest == 0 or not self.tenders
        return back


def tenders_of(total: int, credit: Sequence[tuple[str, int]]) -> list[Tender]:
    """Step 12: the credit in the order given, the card the rest."""
    tenders, rest = [], total
    for name, available in credit:
        tenders.append(Tender(name, min(rest, available)))
        rest -= tenders[-1].gave
    return [*tenders, Tender("card", rest)]
