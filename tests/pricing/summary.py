"""What the calculation and its second opinion are compared by: every amount, in one shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.context import Context, PricedLine
from aggregates.pricing.explanation import Priced
from aggregates.pricing.price import price as priced_by_engine
from aggregates.pricing.rules import Terms
from tests.pricing.reference import price as reference

Target = tuple[int, int, int, int, int]
"""Total or rate, discount, net, tax, paid."""
Group = tuple[str, str, int, int, bool, tuple[tuple[str, int], ...]]
"""Tax category, treatment, base, amount, inside, components."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a cart costs. `discounts`: by promotion, positive. `blocking`: why it cannot be an order."""

    lines: dict[str, Target]
    shipping: tuple[str, Target] | None
    charges: dict[str, int]
    discounts: dict[str, int]
    total: int
    groups: tuple[Group, ...]
    gifts: tuple[str, ...]
    claims: tuple[tuple[str, int, str | None], ...]
    blocking: tuple[str, ...]
    ends_at: datetime | None

    @property
    def tax(self) -> int:
        """All of it."""
        return sum(group[3] for group in self.groups)

    @property
    def components(self) -> dict[str, int]:
        """All of it, by component."""
        return dict(sum((Counter(dict(group[5])) for group in self.groups), Counter()))


def of_priced(priced: Priced) -> Summary:
    """What the calculation says."""
    charges = {"discount": 0, "shipping": 0, "tax": 0}
    discounts: dict[str, int] = {}
    for charge in priced.charges:
        charges[charge.kind] += charge.amount
        if charge.kind == "discount":
            assert charge.rule not in discounts, "one charge for each promotion"
            discounts[charge.rule] = -charge.amount
    cost = priced.shipping
    return Summary(
        lines={
            line.line_id: (line.line_total, line.discount, line.net, line.tax, line.paid)
            for line in priced.lines
        },
        shipping=None
        if cost is None
        else (cost.method_id, (cost.rate, cost.discount, cost.net, cost.tax, cost.paid)),
        charges=charges,
        discounts=discounts,
        total=priced.total,
        groups=tuple(
            sorted(
                (
                    each.tax_category,
                    each.treatment,
                    each.base,
                    each.amount,
                    each.inside,
                    tuple(each.components.items()),
                )
                for each in priced.taxes
            )
        ),
        gifts=tuple(gift.promotion_id for gift in priced.gifts),
        claims=tuple((claim.promotion_id, claim.amount, claim.code) for claim in priced.claims),
        blocking=tuple(sorted(notice.kind for notice in priced.notices if notice.blocks)),
        ends_at=priced.ends_at,
    )


def of_reference(outcome: reference.Outcome) -> Summary:
    """What the second opinion says."""
    cost = outcome.shipping
    return Summary(
        lines={
            line.line_id: (line.line_total, line.discount, line.net, line.tax, line.paid)
            for line in outcome.lines
        },
        shipping=None
        if cost is None
        else (cost.method_id, (cost.rate, cost.discount, cost.net, cost.tax, cost.paid)),
        charges=outcome.charges,
        discounts={rule: amount for rule, amount in outcome.applied.items() if amount},
        total=outcome.total,
        groups=tuple(
            sorted(
                (
                    group.tax_category,
                    group.treatment,
                    group.base,
                    group.amount,
                    group.inside,
                    tuple(group.components.items()),
                )
                for group in outcome.groups
            )
        ),
        gifts=outcome.gifts,
        claims=outcome.claims,
        blocking=tuple(sorted(outcome.missing)),
        ends_at=outcome.ends_at,
    )


Calculation = Callable[[Sequence[PricedLine], Terms, Context], Summary]


def engine(lines: Sequence[PricedLine], terms: Terms, context: Context) -> Summary:
    """The calculation itself."""
    return of_priced(priced_by_engine(lines, compile_terms(terms), context))


def second_opinion(lines: Sequence[PricedLine], terms: Terms, context: Context) -> Summary:
    """The reference."""
    return of_reference(reference.price(lines, terms, context))
