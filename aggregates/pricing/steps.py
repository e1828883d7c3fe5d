"""The steps of an explanation up to the tax: unit prices, totals that were rounded, promotions, shipping."""

from __future__ import annotations

from collections.abc import Iterable

from aggregates.pricing.discounts import Discounts
from aggregates.pricing.explanation import Step, decimal_text
from aggregates.pricing.line_totals import LineTotals
from aggregates.pricing.matching import Cart
from aggregates.pricing.rules import BASE, SHIPPING
from aggregates.pricing.values import quick

_step = quick(Step)


def line_steps(
    cart: Cart, places: Iterable[int], totals: LineTotals, list_labels: dict[str, str]
) -> list[Step]:
    """Of the lines at these places: unit prices that are not simply the product's own, and totals that were
    rounded."""
    steps = []
    for place in places:
        line = cart.lines[place]
        tier = totals.tiers[place]
        if line.list_id == BASE and not tier and place not in totals.rounded:
            continue
        unit, total = totals.units[place], totals.totals[place]
        shares = {line.line_id: total} if total else {}
        if line.list_id != BASE or tier:
            label = list_labels.get(line.list_id) or line.list_id
            applied = f"{unit:f}" if not tier else f"{unit:f} from {line.tiers[tier][0]}"
            steps.append(
                _step(
                    step="unit_price",
                    rule=line.list_id,
                    label=label,
                    base=line.quantity,
                    amount=total,
                    shares=shares,
                    rate=applied,
                )
            )
        if place in totals.rounded:
            exact = f"{totals.rounded[place].normalize():f}"
            steps.append(
                _step(
                    step="line_total",
                    rule=line.list_id,
                    label=f"{line.quantity} at {unit:f}",
                    base=line.quantity,
                    amount=total,
                    shares=shares,
                    exact=exact,
                )
            )
    return steps


def discount_steps(cart: Cart, discounts: Discounts, rate: Step | None) -> list[Step]:
    """Promotions and the shipping rate, in the order of the calculation. `rate`: the shipping rate's own."""
    goods: list[Step] = []
    shipping: list[Step] = []
    if rate is not None:
        shipping.append(rate)
    lines = cart.lines
    for applied in discounts.applied:
        compiled, discount = applied.promotion, applied.discount
        if not discount.amount:
            continue
        if compiled.step == "shipping":
            shares = {SHIPPING: -discount.amount}
            steps = shipping
        elif len(applied.parts) == 1:
            shares = {lines[discount.where[0]].line_id: -discount.amount}
            steps = goods
        else:
            parts = zip(discount.where, applied.parts, strict=True)
            shares = {lines[place].line_id: -part for place, part in parts if part}
            steps = goods
        rounded = discount.exact != discount.amount * discount.over
        steps.append(
            _step(
                step=compiled.kind,
                rule=compiled.promotion_id,
                label=compiled.promotion.label,
                base=discount.base,
                amount=-discount.amount,
                shares=shares,
                rate=discount.rate,
                exact=decimal_text(discount.exact, discount.over) if rounded else None,
            )
        )
    return goods + shipping
