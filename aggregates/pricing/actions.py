"""What an action takes off a cart as it is at that moment, before any limit: a function for each kind."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import lcm
from typing import NamedTuple

from aggregates.pricing.explanation import money_text, percent_text
from aggregates.pricing.matching import Basis, Cart, CompiledSelector, Selectors
from aggregates.pricing.rules import WHOLE, Action, ActionKind, Amounts, Ppm
from aggregates.pricing.shares import half_even


class Discount(NamedTuple):
    """An amount off a sum (`base`), to be shared over the lines `where` in proportion to `weights`.

    No weight is above what is left of its line; None: as much as is left of each. The exact amount is
    exact / over minor units; `rate` says for people what was applied.
    """

    amount: int
    base: int
    where: list[int]
    weights: list[int] | None
    rate: str | None
    exact: int
    over: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class CompiledAction:
    """An action with its selectors compiled, and the function that measures it."""

    action: Action
    measure: Measure
    selector: CompiledSelector
    buy: CompiledSelector
    get: CompiledSelector
    parts: tuple[tuple[CompiledSelector, int], ...]

    @property
    def needed(self) -> tuple[CompiledSelector, ...]:
        """Those selectors that must each select a line, or the action gives nothing."""
        match self.action.kind:
            case "buy_get":
                return (self.get, self.buy) if self.action.buy_quantity else (self.get,)
            case "bundle":
                return tuple(selector for selector, _ in self.parts)
            case "percent" | "per_unit" | "unit_price" | "percent_off" | "amount_off":
                return (self.selector,)
            case _:
                return ()

    @property
    def amounts(self) -> tuple[Amounts, ...]:
        """The amounts that it needs in the cart's currency."""
        action = self.action
        by_sum = tuple(tier.from_amount for tier in action.tiers)
        match action.kind:
            case "per_unit" | "shipping_amount":
                return (action.amount,)
            case "unit_price" | "shipping_price":
                return (action.price,)
            case "bundle":
                return () if action.percent and not action.price else (action.price or action.amount,)
            case "percent_off":
                return by_sum
            case "amount_off":
                return (*by_sum, *(tier.amount for tier in action.tiers)) or (action.amount,)
            case _:
                return ()


Measure = Callable[[CompiledAction, Cart, Basis, Basis], Discount | None]
"""Of an action, a cart, what is left of its lines now, and the amounts that its step's conditions look at.
None: the action gives nothing."""


def compile_action(action: Action, selectors: Selectors) -> CompiledAction:
    """The action, ready to be measured on many carts."""
    return CompiledAction(
        action,
        MEASURES.get(action.kind, _nothing),
        selectors.compile(action.selector),
        selectors.compile(action.buy),
        selectors.compile(action.get),
        tuple((selectors.compile(part.selector), part.quantity) for part in action.parts),
    )


def off_shipping(action: Action, left: int, currency: str) -> Discount | None:
    """What a shipping action takes off what is left of the rate."""
    match action.kind:
        case "shipping_percent":
            exact = left * action.percent
            amount = half_even(exact, WHOLE)
            return Discount(amount, left, [], [], percent_text(action.percent), exact, WHOLE)
        case "shipping_amount":
            off = action.amount[currency]
            amount = min(left, off)
            return Discount(amount, left, [], [], money_text(off, currency), amount)
        case _:
            price = action.price[currency]
            amount = max(0, left - price)
            return Discount(amount, left, [], [], f"at {money_text(price, currency)}", amount)


def _nothing(_: CompiledAction, __: Cart, ___: Basis, ____: Basis) -> None:
    return None


def _percent(compiled: CompiledAction, cart: Cart, now: Basis, _: Basis) -> Discount | None:
    action = compiled.action
    mask = cart.select(compiled.selector)
    where = cart.indices(mask)
    left = now.amounts
    if not action.tiers:
        percent = action.percent
        if len(where) == 1:
            base = left[where[0]]
            exact = base * percent
            amount = half_even(exact, WHOLE)
            return Discount(amount, base, where, [amount], percent_text(percent), exact, WHOLE)
    elif action.tiers_by == "selection":
        percent = _by_units(action, cart.units(mask))
    else:
        return _percent_by_line(action, cart, where, left)
    base = now.sum(mask)
    weights = [half_even(left[i] * percent, WHOLE) for i in where]
    return Discount(sum(weights), base, where, weights, percent_text(percent), base * percent, WHOLE)


def _percent_by_line(action: Action, cart: Cart, where: list[int], left: list[int]) -> Discount | None:
    percents = [_by_units(action, cart.lines[i].quantity) for i in where]
    exact = [left[i] * percent for i, percent in zip(where, percents, strict=True)]
    weights = [half_even(one, WHOLE) for one in exact]
    rate = ", ".join(percent_text(percent) for percent in sorted(set(percents)) if percent)
    base = sum([left[i] for i in where])
    return Discount(sum(weights), base, where, weights, rate, sum(exact), WHOLE)


def _by_units(action: Action, units: int) -> Ppm:
    """The percentage of the highest tier that so many units reach."""
    reached = [tier for tier in action.tiers if tier.quantity <= units]
    return max(reached, key=lambda tier: tier.quantity).percent if reached else 0


def _per_unit(compiled: CompiledAction, cart: Cart, now: Basis, _: Basis) -> Discount | None:
    currency = cart.context.currency
    off = compiled.action.amount[currency]
    mask = cart.select(compiled.selector)
    where = cart.indices(mask)
    weights = [min(now.amounts[i], off * cart.lines[i].quantity) for i in where]
    amount = sum(weights)
    return Discount(amount, now.sum(mask), where, weights, f"{money_text(off, currency)} each", amount)


def _unit_price(compiled: CompiledAction, cart: Cart, now: Basis, _: Basis) -> Discount | None:
    currency = cart.context.currency
    price = compiled.action.price[currency]
    mask = cart.select(compiled.selector)
    where = cart.indices(mask)
    weights = [max(0, now.amounts[i] - price * cart.lines[i].quantity) for i in where]
    amount = sum(weights)
    return Discount(amount, now.sum(mask), where, weights, f"at {money_text(price, currency)} each", amount)


def _buy_get(compiled: CompiledAction, cart: Cart, now: Basis, _: Basis) -> Discount | None:
    action, lines = compiled.action, cart.lines
    gets, buys = cart.select(compiled.get), cart.select(compiled.buy)
    rewarded = _rewarded(action, cart, now, gets, buys)
    if not rewarded:
        return None
    price_of = _unit_prices(cart, now, gets | buys)
    taken = _take(rewarded, sorted(cart.indices(gets), key=price_of.__getitem__), cart)
    worth = sum([half_even(now.amounts[i] * units, lines[i].quantity) for i, units in taken.items()])
    if action.spread == "all":
        needed = -(-rewarded // action.get_quantity) * action.buy_quantity
        # Reversed sorting keeps the order of equals: ties go to the earlier.
        for i in sorted(cart.indices(buys), key=price_of.__getitem__, reverse=True):
            if not needed:
                break
            units = min(needed, lines[i].quantity - taken.get(i, 0))
            taken[i] = taken.get(i, 0) + units
            needed -= units
    where, weights = _worth(taken, cart, now)
    exact = worth * action.percent
    rate = f"{rewarded} at {percent_text(action.percent)}"
    return Discount(half_even(exact, WHOLE), worth, where, weights, rate, exact, WHOLE)


def _rewarded(action: Action, cart: Cart, now: Basis, gets: int, buys: int) -> int:
    """How many units are got: the most that the units outside them earn."""
    buy, get = action.buy_quantity, action.get_quantity
    buying_units = cart.units(buys)
    most = cart.units(gets) if get else 0
    if action.times_max is not None:
        most = min(most, action.times_max * get)
    if not most:
        return 0
    both = gets & buys
    if not both:
        return min(most, buying_units // buy * get) if buy else most
    if both == gets:
        sets, rest = divmod(buying_units, buy + get)
        return min(most, sets * get + max(0, rest - buy))
    price_of = _unit_prices(cart, now, gets)
    cheapest = sorted(cart.indices(gets), key=price_of.__getitem__)

    def too_many(rewarded: int) -> bool:
        """Whether so few units are left outside that they cannot have earned so many."""
        taken = _take(rewarded, cheapest, cart)
        inside = sum([units for i, units in taken.items() if both >> i & 1])
        return buying_units - inside < -(-rewarded // get) * buy

    return bisect_left(range(1, most + 1), True, key=too_many)


def _take(units: int, order: Iterable[int], cart: Cart) -> dict[int, int]:
    """So many units, line by line in this order: how many of each."""
    taken: dict[int, int] = {}
    for i in order:
        if not units:
            break
        taken[i] = min(units, cart.lines[i].quantity)
        units -= taken[i]
    return taken


def _bundle(compiled: CompiledAction, cart: Cart, now: Basis, _: Basis) -> Discount | None:
    action, currency = compiled.action, cart.context.currency
    sets, taken = _sets(compiled, cart, now)
    if not sets:
        return None
    where, weights = _worth(taken, cart, now)
    worth = sum(weights)
    if action.price:
        price = action.price[currency]
        amount = max(0, worth - sets * price)
        return Discount(amount, worth, where, weights, f"{sets} at {money_text(price, currency)}", amount)
    if action.percent:
        exact = worth * action.percent
        rate = f"{sets} at {percent_text(action.percent)} off"
        return Discount(half_even(exact, WHOLE), worth, where, weights, rate, exact, WHOLE)
    off = action.amount[currency]
    amount = min(worth, sets * off)
    return Discount(amount, worth, where, weights, f"{sets} at {money_text(off, currency)} off", amount)


def _sets(compiled: CompiledAction, cart: Cart, now: Basis) -> tuple[int, dict[int, int]]:
    """How many bundles there are, and how many units of each line are in them: set by set, the parts in
    order, the dearest units first."""
    masks = [cart.select(selector) for selector, _ in compiled.parts]
    every = 0
    for mask in masks:
        every |= mask
    price_of = _unit_prices(cart, now, every)
    dearest = [sorted(cart.indices(mask), key=price_of.__getitem__, reverse=True) for mask in masks]
    free = {i: cart.lines[i].quantity for i in cart.indices(every)}
    most = compiled.action.times_max
    sets = 0
    taken: dict[int, int] = {}
    while most is None or sets < most:
        one = _one_set(compiled, dearest, free)
        if not one:
            break
        # The next sets are like this one until a line of it runs out.
        times = min(free[i] // units for i, units in one.items())
        if most is not None:
            times = min(times, most - sets)
        sets += times
        for i, units in one.items():
            free[i] -= units * times
            taken[i] = taken.get(i, 0) + units * times
    return sets, taken


def _one_set(compiled: CompiledAction, dearest: list[list[int]], free: dict[int, int]) -> dict[int, int]:
    """How many units of each line make the next set; nothing where a part is lacking."""
    one: dict[int, int] = {}
    for (_, needed), order in zip(compiled.parts, dearest, strict=True):
        for i in order:
            units = min(needed, free[i] - one.get(i, 0))
            if units:
                one[i] = one.get(i, 0) + units
                needed -= units  # noqa: PLW2901
            if not needed:
                break
        if needed:
            return {}
    return one


def _unit_prices(cart: Cart, now: Basis, mask: int) -> dict[int, int]:
    """What one unit of each line is worth, all in the same fraction of a minor unit, to be compared."""
    indices = cart.indices(mask)
    scale = lcm(*{cart.lines[i].quantity for i in indices})
    return {i: now.amounts[i] * (scale // cart.lines[i].quantity) for i in indices}


def _worth(taken: dict[int, int], cart: Cart, now: Basis) -> tuple[list[int], list[int]]:
    """The lines in order, and what so many units of each are worth."""
    where = sorted(i for i, units in taken.items() if units)
    return where, [half_even(now.amounts[i] * taken[i], cart.lines[i].quantity) for i in where]


def _percent_off(compiled: CompiledAction, cart: Cart, now: Basis, basis: Basis) -> Discount | None:
    action = compiled.action
    mask = cart.select(compiled.selector)
    percent = action.percent
    if action.tiers:
        reached = [
            (tier.from_amount[cart.context.currency], tier.percent)
            for tier in action.tiers
            if tier.from_amount[cart.context.currency] <= basis.sum(mask)
        ]
        percent = max(reached)[1] if reached else 0
    base = now.sum(mask)
    exact = base * percent
    rate = percent_text(percent)
    return Discount(half_even(exact, WHOLE), base, cart.indices(mask), None, rate, exact, WHOLE)


def _amount_off(compiled: CompiledAction, cart: Cart, now: Basis, basis: Basis) -> Discount | None:
    action, currency = compiled.action, cart.context.currency
    mask = cart.select(compiled.selector)
    if action.tiers:
        reached = [
            (tier.from_amount[currency], tier.amount[currency])
            for tier in action.tiers
            if tier.from_amount[currency] <= basis.sum(mask)
        ]
        off = max(reached)[1] if reached else 0
    else:
        off = action.amount[currency]
    base = now.sum(mask)
    amount = min(off, base)
    return Discount(amount, base, cart.indices(mask), None, f"{money_text(off, currency)} off", amount)


MEASURES: dict[ActionKind, Measure] = {
    "percent": _percent,
    "per_unit": _per_unit,
    "unit_price": _unit_price,
    "buy_get": _buy_get,
    "bundle": _bundle,
    "percent_off": _percent_off,
    "amount_off": _amount_off,
}
