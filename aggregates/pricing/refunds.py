"""What goes back: units and amounts by share, their tax, and to which means of payment.

Shares stay where the order put them: nothing is shared anew over what is kept. Every function takes what was
paid and what is refunded of it already, refunds under way included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aggregates.pricing.shares import half_even, share


@dataclass(frozen=True, slots=True)
class Refundable:
    """A line, or shipping as a line of one unit: what was paid for it, its tax included, and what went back.

    `paid` is for all `quantity` units; of them `units_refunded` went back, and `refunded` minor units in all,
    for units or without.
    """

    target: str
    paid: int
    tax: int
    quantity: int = 1
    units_refunded: int = 0
    refunded: int = 0

    @property
    def left(self) -> int:
        """What can still go back; nothing where more than was paid went back already."""
        return max(0, self.paid - self.refunded)

    @property
    def units_left(self) -> int:
        """Units that can still go back."""
        return self.quantity - self.units_refunded

    @property
    def tax_refunded(self) -> int:
        """The tax in what went back."""
        return _part(self.tax, min(self.refunded, self.paid), self.paid)

    def worth(self, units: int) -> int:
        """What the next `units` are worth: their part of what was paid, and never more than is left.

        ValueError where fewer are left.
        """
        if not 0 <= units <= self.units_left:
            raise ValueError(f"{self.target}: {units} of {self.units_left} units")
        before = half_even(self.paid * self.units_refunded, self.quantity)
        after = half_even(self.paid * (self.units_refunded + units), self.quantity)
        return max(0, min(after - before, self.left))

    def tax_in(self, amount: int) -> int:
        """The tax in the next `amount`. ValueError where less is left."""
        if not 0 <= amount <= self.left:
            raise ValueError(f"{self.target}: {amount} of {self.left}")
        return _part(self.tax, min(self.refunded + amount, self.paid), self.paid) - self.tax_refunded

    def after(self, refunded: RefundShare) -> Refundable:
        """What it is once that went back."""
        return Refundable(
            self.target,
            self.paid,
            self.tax,
            self.quantity,
            self.units_refunded + refunded.units,
            self.refunded + refunded.amount,
        )


@dataclass(frozen=True, slots=True)
class RefundShare:
    """What goes back for one target: units, the amount with its tax, and that tax."""

    target: str
    units: int
    amount: int
    tax: int


def refund_units(sold: Sequence[Refundable], units: Mapping[str, int]) -> tuple[RefundShare, ...]:
    """What goes back for units by target, in the order of `sold`.

    ValueError for more units than are left, or a target that is not there.
    """
    return tuple(
        _share_of(one, units[one.target], one.worth(units[one.target])) for one in _named(sold, units)
    )


def refund_amount(
    sold: Sequence[Refundable], amount: int, units: Mapping[str, int] | None = None
) -> tuple[RefundShare, ...]:
    """An amount over what it is for, by largest remainder.

    With `units`: over those targets by the worth of their units, and never more than that. Without: over all
    of `sold` by what is left of each, and no units go back. Targets that get nothing are left out.
    ValueError for more.
    """
    if units:
        named = _named(sold, units)
        weights = [one.worth(units[one.target]) for one in named]
    else:
        units, named = {}, list(sold)
        weights = [one.left for one in named]
    if not 0 <= amount <= sum(weights):
        raise ValueError(f"{amount} of {sum(weights)}")
    found = (
        _share_of(one, units.get(one.target, 0), part)
        for one, part in zip(named, _shared(amount, weights), strict=True)
    )
    return tuple(one for one in found if one.units or one.amount)


def refund_rest(sold: Sequence[Refundable]) -> tuple[RefundShare, ...]:
    """All that is left of everything: units, amounts and tax."""
    found = (_share_of(one, one.units_left, one.left) for one in sold)
    return tuple(one for one in found if one.units or one.amount)


def share_tax(tax: int, left: Mapping[str, int]) -> dict[str, int]:
    """A refunded tax over the tax groups that a target has a part of, by what is left of its tax in each;
    groups that get nothing are left out. ValueError for more than is left."""
    if not 0 <= tax <= sum(left.values()):
        raise ValueError(f"{tax} of {sum(left.values())}")
    return {group: part for group, part in zip(left, _shared(tax, [*left.values()]), strict=True) if part}


@dataclass(frozen=True, slots=True)
class Tender:
    """A means of payment of an order: what it gave, and what went back to it."""

    tender: str
    amount: int
    refunded: int = 0

    @property
    def left(self) -> int:
        """What can still go back to it."""
        return self.amount - self.refunded


class OverTenderError(ValueError):
    """More is to go back to a tender than it gave: `requested`, of which `remaining` is left."""

    def __init__(self, tender: str, requested: int, remaining: int) -> None:
        super().__init__(f"{tender}: {requested} of {remaining}")
        self.tender = tender
        self.requested = requested
        self.remaining = remaining


def by_tender(amount: int, tenders: Sequence[Tender], to: Mapping[str, int] | None = None) -> dict[str, int]:
    """How much of an amount goes back to which tender: the last taken first, each up to what it gave.

    `tenders` in the order in which they were taken. What `to` names goes to those tenders, only the rest to
    the last taken. A tender that gets nothing is left out. OverTenderError where `to` names more than is
    left of one; ValueError where it names more than the amount, or that is more than is left of all.
    """
    named = to or {}
    rest = amount - sum(named.values())
    left = {one.tender: one.left for one in tenders}
    if rest < 0 or min(named.values(), default=0) < 0 or amount > sum(left.values()):
        raise ValueError(f"{amount} of {sum(left.values())}, {sum(named.values())} of it named")
    for tender, part in named.items():
        if part > left.get(tender, 0):
            raise OverTenderError(tender, part, left.get(tender, 0))
    parts = {}
    for tender in reversed(left):
        part = named.get(tender, 0)
        more = min(rest, left[tender] - part)
        rest -= more
        if part + more:
            parts[tender] = part + more
    return parts


def _part(amount: int, of: int, whole: int) -> int:
    """`of` parts in `whole`; nothing where there is nothing to part."""
    return half_even(amount * of, whole) if whole else 0


def _shared(amount: int, weights: Sequence[int]) -> list[int]:
    return share(amount, weights) if amount else [0] * len(weights)


def _share_of(one: Refundable, units: int, amount: int) -> RefundShare:
    return RefundShare(one.target, units, amount, one.tax_in(amount))


def _named(sold: Sequence[Refundable], units: Mapping[str, int]) -> list[Refundable]:
    named = [one for one in sold if one.target in units]
    if len(named) < len(units):
        raise ValueError(f"unknown: {', '.join(units.keys() - {one.target for one in named})}")
    return named
