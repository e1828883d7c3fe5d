"""Which promotions apply, and what each takes off which line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from aggregates.pricing.context import Context, PricedLine
from aggregates.pricing.rules import (
    CART_ACTIONS,
    LINE_ACTIONS,
    SHIPPING_ACTIONS,
    Action,
    Amounts,
    BundlePart,
    Condition,
    Promotion,
    Selector,
    Terms,
)
from tests.pricing.reference.numbers import half_even, largest_remainder, percent

Sums = dict[str, int]
"""Minor units by line id."""


def within(category: str, above: str) -> bool:
    """Whether a category is another one, or below it."""
    return category == above or category.startswith(above + " > ")


def selects(selector: Selector, line: PricedLine) -> bool:
    """Whether a rule concerns a line."""
    if line.gift_of is not None:
        return False
    traits = line.traits
    if traits is None:
        return selector == Selector()
    parts = [
        traits.discountable,
        not selector.skus or line.sku in selector.skus,
        not selector.groups or traits.group in selector.groups,
        not selector.categories or any(within(traits.category, above) for above in selector.categories),
        all(traits.attributes.get(code) in values for code, values in selector.attributes.items()),
        not selector.sellers or traits.seller in selector.sellers,
        line.sku not in selector.not_skus,
        not any(within(traits.category, above) for above in selector.not_categories),
        not (selector.not_on_sale and traits.on_sale),
    ]
    return all(parts)


def selected(selector: Selector, lines: Sequence[PricedLine]) -> list[PricedLine]:
    """The lines that a rule concerns, in their order."""
    return [line for line in lines if selects(selector, line)]


# Whether a promotion may apply at all


def all_conditions(conditions: Sequence[Condition]) -> list[Condition]:
    """The conditions, and those inside them."""
    found = []
    for condition in conditions:
        found.append(condition)
        found.extend(all_conditions(condition.any_of))
    return found


def amounts_needed(action: Action) -> list[Amounts]:
    """The amounts without which an action says nothing."""
    match action.kind:
        case "per_unit" | "shipping_amount":
            return [action.amount]
        case "unit_price" | "shipping_price":
            return [action.price]
        case "bundle":
            return [action.price] if action.price else [action.amount] if action.amount else []
        case "amount_off" if action.tiers:
            return [each.amount for each in action.tiers] + [each.from_amount for each in action.tiers]
        case "amount_off":
            return [action.amount]
        case "percent_off":
            return [each.from_amount for each in action.tiers]
        case _:
            return []


def has_currency(promotion: Promotion, currency: str) -> bool:
    """Whether all its amounts are also given in the cart's currency."""
    needed = amounts_needed(promotion.action)
    needed += [each.amount for each in all_conditions(promotion.conditions) if each.kind == "amount_at_least"]
    needed += [each for each in (promotion.cap, promotion.budget) if each]
    return all(currency in each for each in needed)


def may_apply(promotion: Promotion, context: Context) -> bool:
    """Whether window, market, currency, coupon and limits admit it."""
    shopper, left = context.shopper, context.left.get(promotion.promotion_id)
    once = promotion.uses_per_shopper_max is not None
    first = any(each.kind == "first_order" for each in all_conditions(promotion.conditions))
    if shopper is not None and shopper.guest and (once or first) and promotion.guests == "refuse":
        return False
    if shopper is not None and promotion.uses_per_shopper_max is not None:  # noqa: SIM102
        if shopper.uses.get(promotion.promotion_id, 0) >= promotion.uses_per_shopper_max:
            return False
    return (
        (promotion.starts_at is None or promotion.starts_at <= context.at)
        and (promotion.ends_at is None or context.at < promotion.ends_at)
        and (not promotion.markets or context.market in promotion.markets)
        and has_currency(promotion, context.currency)
        and (promotion.automatic or promotion.promotion_id in context.codes.values())
        and not (left is not None and left.uses is not None and left.uses <= 0)
        and promotion.promotion_id not in context.declined_gifts
    )


def holds(condition: Condition, lines: Sequence[PricedLine], basis: Sums, context: Context) -> bool:
    """Whether a condition holds; `basis` is what each line costs as far as the condition looks."""
    concerned = selected(condition.selector, lines)
    match condition.kind:
        case "amount_at_least":
            return sum(basis[line.line_id] for line in concerned) >= condition.amount[context.currency]
        case "quantity_at_least":
            return sum(line.quantity for line in concerned) >= condition.quantity
        case "first_order":
            return context.shopper is None or context.shopper.orders == 0
        case "customer_groups":
            return any(group in context.customer_groups for group in condition.customer_groups)
        case "countries":
            return context.destination is not None and context.destination.country in condition.countries
        case "any_of":
            return any(holds(each, lines, basis, context) for each in condition.any_of)


# What an action takes off


def units_worth(left: int, units: int, quantity: int) -> int:
    """What so many units of a line are worth."""
    return half_even(Fraction(left * units, quantity))


def capped(shares: Sums, cap: int | None, weights: Sums) -> Sums:
    """The shares, or where they exceed the cap, that much in proportion to the weights."""
    if cap is None or sum(shares.values()) <= cap:
        return shares
    return dict(zip(weights, largest_remainder(cap, list(weights.values())), strict=True))


def line_discount(action: Action, lines: Sequence[PricedLine], left: Sums, context: Context) -> Sums:
    """What `percent`, `per_unit` and `unit_price` take off each line."""
    concerned = selected(action.selector, lines)
    units_of_all = sum(line.quantity for line in concerned)
    taken = {}
    for line in concerned:
        rest = left[line.line_id]
        match action.kind:
            case "percent":
                ppm = action.percent
                if action.tiers:
                    units = line.quantity if action.tiers_by == "line" else units_of_all
                    reached = [
                        (each.quantity, each.percent) for each in action.tiers if each.quantity <= units
                    ]
                    ppm = max(reached)[1] if reached else 0
                taken[line.line_id] = half_even(rest * percent(ppm))
            case "per_unit":
                taken[line.line_id] = min(rest, action.amount[context.currency] * line.quantity)
            case _:
                taken[line.line_id] = max(0, rest - action.price[context.currency] * line.quantity)
    return taken


@dataclass
class Units:
    """Units of the lines, each worth the same part of what is left of its line, taken from the first on."""

    left: Sums
    lines: Sequence[PricedLine]
    taken: dict[str, int] = field(default_factory=dict)

    def free(self, selector: Selector, *, dearest_first: bool) -> list[PricedLine]:
        """One entry for each unit that matches and is not taken, by price, ties as the lines lie."""
        sign = -1 if dearest_first else 1
        entries = []
        for line in sorted(
            selected(selector, self.lines),
            key=lambda line: sign * Fraction(self.left[line.line_id], line.quantity),
        ):
            entries += [line] * (line.quantity - self.taken.get(line.line_id, 0))
        return entries

    def take(self, units: Sequence[PricedLine]) -> None:
        for line in units:
            self.taken[line.line_id] = self.taken.get(line.line_id, 0) + 1

    def worth(self) -> Sums:
        """What the taken units are worth, by line."""
        return {
            line.line_id: units_worth(self.left[line.line_id], self.taken[line.line_id], line.quantity)
            for line in self.lines
            if line.line_id in self.taken
        }


def buy_get_discount(action: Action, lines: Sequence[PricedLine], left: Sums, cap: int | None) -> Sums:
    """So many of the cheapest units at a discount as there are others bought for them."""

    def rewarded(count: int) -> Units:
        units = Units(left, lines)
        units.take(units.free(action.get, dearest_first=False)[:count])
        return units

    everything = len(Units(left, lines).free(action.get, dearest_first=False))
    best = 0
    for count in range(1, everything + 1):
        if action.times_max is not None and count > action.times_max * action.get_quantity:
            break
        buying = rewarded(count).free(action.buy, dearest_first=True)
        if len(buying) >= ceil(Fraction(count, action.get_quantity)) * action.buy_quantity:
            best = count
    units = rewarded(best)
    worth = units.worth()
    amount = half_even(sum(worth.values()) * percent(action.percent))
    if cap is not None:
        amount = min(amount, cap)
    if action.spread == "all":
        bought = ceil(Fraction(best, action.get_quantity)) * action.buy_quantity
        units.take(units.free(action.buy, dearest_first=True)[:bought])
        worth = units.worth()
    return dict(zip(worth, largest_remainder(amount, list(worth.values())), strict=True))


def a_set(parts: Sequence[BundlePart], units: Units) -> bool:
    """Takes the units of one more bundle; whether there were enough."""
    for part in parts:
        found = units.free(part.selector, dearest_first=True)
        if len(found) < part.quantity:
            return False
        units.take(found[: part.quantity])
    return True


def bundle_discount(
    action: Action, lines: Sequence[PricedLine], left: Sums, cap: int | None, currency: str
) -> Sums:
    """As many sets of units as there are, each for a price, a part or an amount less."""
    units, sets = Units(left, lines), 0
    while action.times_max is None or sets < action.times_max:
        more = Units(left, lines, dict(units.taken))
        if not a_set(action.parts, more):
            break
        units, sets = more, sets + 1
    worth = units.worth()
    total = sum(worth.values())
    if action.price:
        amount = max(0, total - sets * action.price[currency])
    elif action.amount:
        amount = min(total, sets * action.amount[currency])
    else:
        amount = half_even(total * percent(action.percent))
    if cap is not None:
        amount = min(amount, cap)
    return dict(zip(worth, largest_remainder(amount, list(worth.values())), strict=True))


def cart_discount(
    action: Action, lines: Sequence[PricedLine], left: Sums, basis: Sums, cap: int | None, currency: str
) -> Sums:
    """A part of the sum of the selected lines, rounded once, or an amount up to it; then shared."""
    weights = {line.line_id: left[line.line_id] for line in selected(action.selector, lines)}
    total, looked_at = sum(weights.values()), sum(basis[line_id] for line_id in weights)
    ppm, off = action.percent, action.amount
    if action.tiers:
        reached = [
            (each.from_amount[currency], each.percent, each.amount)
            for each in action.tiers
            if each.from_amount[currency] <= looked_at
        ]
        _, ppm, off = max(reached, key=lambda each: each[0]) if reached else (0, 0, {currency: 0})
    is_percent = action.kind == "percent_off"
    amount = half_even(total * percent(ppm)) if is_percent else min(total, off[currency])
    if cap is not None:
        amount = min(amount, cap)
    return dict(zip(weights, largest_remainder(amount, list(weights.values())), strict=True))


def shipping_discount(action: Action, rate_left: int, cap: int | None, currency: str) -> int:
    """What comes off the shipping rate."""
    match action.kind:
        case "shipping_percent":
            amount = half_even(rate_left * percent(action.percent))
        case "shipping_amount":
            amount = min(rate_left, action.amount[currency])
        case _:
            amount = max(0, rate_left - action.price[currency])
    return amount if cap is None else min(amount, cap)


# The steps


@dataclass
class Applied:
    """What one promotion gave: to lines, or to shipping."""

    promotion: Promotion
    by_line: Sums = field(default_factory=dict)
    shipping: int = 0

    @property
    def amount(self) -> int:
        return sum(self.by_line.values()) + self.shipping


def in_order(promotions: Sequence[Promotion]) -> list[Promotion]:
    """The higher priority first, then by id."""
    return sorted(promotions, key=lambda each: (-each.priority, each.promotion_id))


def gift_line(promotion: Promotion, lines: Sequence[PricedLine]) -> PricedLine | None:
    """The line that is this promotion's gift: the first that fits."""
    for line in lines:
        if (
            line.gift_of == promotion.promotion_id
            and line.sku in promotion.action.skus
            and line.quantity == promotion.action.quantity
        ):
            return line
    return None


def run_step(
    promotions: Sequence[Promotion],
    measure: Callable[[Promotion], Applied],
    take: Callable[[Applied], None],
    closed: set[str],
    context: Context,
) -> list[Applied]:
    """One step's promotions in their order, of each group one; `measure` says what one gives now, `take`
    takes it off. `closed`: the groups of which one has applied, in this step or before."""

    def given_by(promotion: Promotion) -> Applied | None:
        """What it gives now; None where that is nothing, or more than its budget has, or a gift its cap."""
        found, left = measure(promotion), context.left.get(promotion.promotion_id)
        limits = [promotion.cap.get(context.currency), None if left is None else left.budget]
        if any(limit is not None and found.amount > limit for limit in limits):
            return None
        return found if found.amount > 0 or promotion.action.kind == "gift" else None

    def worth(found: Applied) -> int:
        """As members of a group are compared; a gift is worth the same whether its line is there or not."""
        return 0 if found.promotion.action.kind == "gift" else found.amount

    applied = []
    for promotion in in_order(promotions):
        found = None if promotion.group in closed else given_by(promotion)
        if found is None:
            continue
        if promotion.group is not None:
            closed.add(promotion.group)
            if promotion.group_mode == "best":
                members = [each for each in in_order(promotions) if each.group == promotion.group]
                offers = [offer for offer in map(given_by, members) if offer is not None]
                found = max(offers, key=worth)
        take(found)
        applied.append(found)
    return applied


@dataclass
class Goods:
    """What the lines come to after the promotions on lines and the cart. `left` is each line's net."""

    totals: Sums
    left: Sums
    applied: list[Applied] = field(default_factory=list)
    gifts: list[Promotion] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)


def take_off_goods(
    promotions: Sequence[Promotion], lines: Sequence[PricedLine], totals: Sums, context: Context
) -> Goods:
    """Steps 3 to 5. `totals`: every line's total, gifts' too."""
    goods = Goods(totals, dict(totals))
    currency = context.currency

    def take(found: Applied) -> None:
        for line_id, amount in found.by_line.items():
            goods.left[line_id] -= amount

    def eligible(actions: frozenset[str], basis: Sums) -> list[Promotion]:
        return [
            each
            for each in promotions
            if each.action.kind in actions
            and all(holds(condition, lines, basis, context) for condition in each.conditions)
        ]

    def on_lines(promotion: Promotion) -> Applied:
        action, cap = promotion.action, promotion.cap.get(currency)
        if action.kind == "buy_get":
            return Applied(promotion, buy_get_discount(action, lines, goods.left, cap))
        if action.kind == "bundle":
            return Applied(promotion, bundle_discount(action, lines, goods.left, cap, currency))
        taken = line_discount(action, lines, goods.left, context)
        return Applied(promotion, capped(taken, cap, taken))

    goods.applied += run_step(eligible(LINE_ACTIONS, totals), on_lines, take, goods.closed, context)
    after_lines = dict(goods.left)

    def on_cart(promotion: Promotion) -> Applied:
        if promotion.action.kind == "gift":
            line = gift_line(promotion, lines)
            return Applied(promotion, {} if line is None else {line.line_id: totals[line.line_id]})
        cap = promotion.cap.get(currency)
        return Applied(
            promotion, cart_discount(promotion.action, lines, goods.left, after_lines, cap, currency)
        )

    of_cart = run_step(eligible(CART_ACTIONS, after_lines), on_cart, take, goods.closed, context)
    goods.gifts = [each.promotion for each in of_cart if each.promotion.action.kind == "gift"]
    goods.applied += [each for each in of_cart if each.by_line]
    return goods


def take_off_shipping(
    promotions: Sequence[Promotion],
    lines: Sequence[PricedLine],
    goods: Goods,
    rate: int,
    context: Context,
) -> list[Applied]:
    """Step 7. Conditions look at the lines' nets."""
    left = rate
    eligible = [
        each
        for each in promotions
        if each.action.kind in SHIPPING_ACTIONS
        and all(holds(condition, lines, goods.left, context) for condition in each.conditions)
    ]

    def on_shipping(promotion: Promotion) -> Applied:
        cap = promotion.cap.get(context.currency)
        return Applied(promotion, shipping=shipping_discount(promotion.action, left, cap, context.currency))

    def take(found: Applied) -> None:
        nonlocal left
        left -= found.shipping

    return run_step(eligible, on_shipping, take, goods.closed, context)


def able(terms: Terms, context: Context) -> list[Promotion]:
    """The promotions that nothing but their conditions and amounts could keep from applying, in order."""
    return [each for each in in_order(list(terms.promotions.values())) if may_apply(each, context)]
