"""Which promotions apply to a cart, in which order, and what each takes off: lines, then the cart, then
shipping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal

from aggregates.kernel import Sku
from aggregates.pricing.actions import CompiledAction, Discount, compile_action, off_shipping
from aggregates.pricing.context import Context
from aggregates.pricing.explanation import GiftDue, StepKind, WhyNot
from aggregates.pricing.matching import Basis, Cart, CompiledCondition, CompiledSelector, Selectors, holds
from aggregates.pricing.rules import (
    CART_ACTIONS,
    LINE_ACTIONS,
    WHOLE,
    Amounts,
    Condition,
    Promotion,
    Terms,
)
from aggregates.pricing.shares import share

EXCLUSIVES_MAX = 8
"""How many exclusive promotions are tried on one cart."""

DiscountStep = Literal["line", "cart", "shipping"]
_STEP_KINDS: dict[DiscountStep, StepKind] = {
    "line": "line_promotion",
    "cart": "cart_promotion",
    "shipping": "shipping_promotion",
}


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPromotion:
    """A promotion made ready for many carts. `rank`: its place in the order of all.

    `gives`: it is a gift. `currencies` None: any. `counts_shopper`: something in it is counted by shopper.
    `restricted`: it is not for every moment, market and currency.
    """

    rank: int
    promotion: Promotion
    promotion_id: str
    step: DiscountStep
    kind: StepKind
    gives: bool
    group: str | None
    action: CompiledAction
    conditions: tuple[CompiledCondition, ...]
    currencies: frozenset[str] | None
    counts_shopper: bool
    restricted: bool


@dataclass(frozen=True, slots=True)
class CompiledPromotions:
    """All promotions in force, and how a cart finds those that may concern it.

    `index`: by token, selectors that a line with the token may be selected by. `found_by`: the automatic
    promotions that need such a selector to select a line; `always`: those that no token finds.
    `mentioned`: every token that a promotion looks at.
    """

    by_id: dict[str, CompiledPromotion] = field(default_factory=dict)
    always: tuple[CompiledPromotion, ...] = ()
    index: dict[str, list[CompiledSelector]] = field(default_factory=dict)
    found_by: dict[CompiledSelector, list[CompiledPromotion]] = field(default_factory=dict)
    mentioned: frozenset[str] = frozenset()


def compile_promotions(terms: Terms) -> CompiledPromotions:
    """The terms' promotions in their order: by priority, the high first, then by id."""
    selectors = Selectors()
    ordered = sorted(terms.promotions.values(), key=lambda one: (-one.priority, one.promotion_id))
    compiled = [_compile(rank, promotion, selectors) for rank, promotion in enumerate(ordered)]
    always: list[CompiledPromotion] = []
    index: dict[str, list[CompiledSelector]] = {}
    found_by: dict[CompiledSelector, list[CompiledPromotion]] = {}
    for one in compiled:
        if not one.promotion.automatic:
            continue  # Its coupon finds it.
        key = _narrowest(one)
        if key is None:
            always.append(one)
            continue
        if key not in found_by:
            found_by[key] = []
            for token in dict.fromkeys(key.parts[0]):
                index.setdefault(token, []).append(key)
        found_by[key].append(one)
    by_id = {one.promotion_id: one for one in compiled}
    return CompiledPromotions(by_id, tuple(always), index, found_by, selectors.mentioned)


def _compile(rank: int, promotion: Promotion, selectors: Selectors) -> CompiledPromotion:
    kind = promotion.action.kind
    step: DiscountStep = "line" if kind in LINE_ACTIONS else "cart" if kind in CART_ACTIONS else "shipping"
    action = compile_action(promotion.action, selectors)
    conditions = tuple(map(selectors.compile_condition, promotion.conditions))
    given = [one for one in (promotion.cap, promotion.budget) if one]
    currencies = _common([*action.amounts, *_amounts_asked(promotion.conditions), *given])
    has_window = promotion.starts_at is not None or promotion.ends_at is not None
    return CompiledPromotion(
        rank,
        promotion,
        promotion.promotion_id,
        step,
        "gift" if kind == "gift" else _STEP_KINDS[step],
        kind == "gift",
        promotion.group,
        action,
        conditions,
        currencies,
        promotion.uses_per_shopper_max is not None or _asks_first_order(promotion.conditions),
        has_window or bool(promotion.markets) or currencies is not None,
    )


def _amounts_asked(conditions: Iterable[Condition]) -> Iterable[Amounts]:
    for condition in conditions:
        if condition.kind == "amount_at_least":
            yield condition.amount
        yield from _amounts_asked(condition.any_of)


def _asks_first_order(conditions: Iterable[Condition]) -> bool:
    return any(one.kind == "first_order" or _asks_first_order(one.any_of) for one in conditions)


def _common(maps: Sequence[Amounts]) -> frozenset[str] | None:
    """The currencies that all of them have; None where there are no maps."""
    return frozenset.intersection(*map(frozenset, maps)) if maps else None


def _narrowest(promotion: CompiledPromotion) -> CompiledSelector | None:
    """The selector without which it gives nothing, and which the fewest carts have; None: none such."""
    needed = [
        *promotion.action.needed,
        *(
            condition.selector
            for condition in promotion.conditions
            if (condition.kind == "amount_at_least" and all(condition.amount.values()))
            or (condition.kind == "quantity_at_least" and condition.quantity > 0)
        ),
    ]
    with_parts = [selector for selector in needed if selector.parts]
    return min(with_parts, key=_width, default=None)


_WIDTHS = ("sku:", "group:", "attribute:", "category:", "seller:")


def _width(selector: CompiledSelector) -> int:
    """How many lines it may be thought to select, against others."""
    token = selector.parts[0][0]
    return next(width for width, prefix in enumerate(_WIDTHS) if token.startswith(prefix))


Candidate = tuple[CompiledPromotion, WhyNot | None]
"""A promotion that is in force for the cart, and why it must not apply even if its conditions hold."""
Missed = tuple[CompiledPromotion, WhyNot]
"""A promotion that gave nothing, and why."""


@dataclass(slots=True)
class Applied:
    """A promotion that took something off. `parts`: of the lines `discount.where`, in order."""

    promotion: CompiledPromotion
    discount: Discount
    parts: list[int]


def candidates(promotions: CompiledPromotions, cart: Cart) -> tuple[list[Candidate], list[Missed]]:
    """The promotions that a token or a coupon of the cart finds and that are in force for it, in their order;
    and those whose coupon is in the cart in vain."""
    found = list(promotions.always)
    if promotions.index:
        for selector in cart.find(promotions.index):
            found += promotions.found_by[selector]
    context = cart.context
    coded: set[CompiledPromotion] = set()
    if context.codes:
        named = (promotions.by_id.get(promotion_id) for promotion_id in context.codes.values())
        coded = {one for one in named if one is not None}
        found = list(coded.union(found))
    found.sort(key=attrgetter("rank"))
    open_: list[Candidate] = []
    closed: list[Missed] = []
    for one in found:
        if one.restricted and (why := _not_in_force(one, context)):
            if one in coded:
                closed.append((one, why))
        else:
            limited = one.counts_shopper or one.gives or context.left
            open_.append((one, _limit(one, context) if limited else None))
    return open_, closed


def _not_in_force(compiled: CompiledPromotion, context: Context) -> WhyNot | None:
    promotion = compiled.promotion
    if promotion.starts_at is not None and context.at < promotion.starts_at:
        return "window"
    if promotion.ends_at is not None and context.at >= promotion.ends_at:
        return "window"
    if promotion.markets and context.market not in promotion.markets:
        return "market"
    if compiled.currencies is not None and context.currency not in compiled.currencies:
        return "currency"
    return None


def _limit(compiled: CompiledPromotion, context: Context) -> WhyNot | None:
    promotion, shopper = compiled.promotion, context.shopper
    if compiled.counts_shopper and shopper is not None:
        if shopper.guest and promotion.guests == "refuse":
            return "guests"
        most = promotion.uses_per_shopper_max
        if most is not None and shopper.uses.get(promotion.promotion_id, 0) >= most:
            return "shopper_limit"
    left = context.left.get(promotion.promotion_id)
    if left is not None and left.uses is not None and left.uses <= 0:
        return "used_up"
    if compiled.gives and promotion.promotion_id in context.declined_gifts:
        return "declined"
    return None


class Discounts:
    """Promotions at work on a cart, step by step: `on_lines`, `on_cart`, `on_shipping`.

    `left`: what is left of each line; a gift's line counts only while its promotion applies (`given`, with
    the lines' places). `missed`: who was a candidate and gave nothing.
    """

    def __init__(self, cart: Cart, totals: Basis, gifts: dict[str, list[int]]) -> None:
        self._cart = cart
        self._totals = totals
        self._gifts = gifts
        self._groups: dict[str, WhyNot] = {}
        self._basis = totals
        self.now = Basis(cart, list(totals.amounts))
        self.left = self.now.amounts
        self.shipping_left = 0
        self.applied: list[Applied] = []
        self.missed: list[Missed] = []
        self.given: list[int] = []
        self.due: list[CompiledPromotion] = []

    def on_lines(self, promotions: Sequence[Candidate]) -> None:
        """Line promotions; their conditions look at the line totals."""
        self._take_turns(promotions)

    def on_cart(self, promotions: Sequence[Candidate]) -> None:
        """Cart promotions and gifts; their conditions look at what line promotions left."""
        if promotions:
            self._look_at_what_is_left()
            self._take_turns(promotions)

    def on_shipping(self, promotions: Sequence[Candidate], rate: int) -> None:
        """Shipping promotions; their conditions look at what cart promotions left."""
        self.shipping_left = rate
        if promotions:
            self._look_at_what_is_left()
            self._take_turns(promotions)

    def lacks(self, compiled: CompiledPromotion) -> int | None:
        """How much more in the cart makes a shipping promotion apply; None where that alone does not."""
        most = 0
        for condition in compiled.conditions:
            if holds(condition, self._cart, self._basis):
                continue
            if condition.kind != "amount_at_least":
                return None
            asked = condition.amount[self._cart.context.currency]
            most = max(most, asked - self._basis.sum(self._cart.select(condition.selector)))
        return most or None

    def _look_at_what_is_left(self) -> None:
        if self.applied:
            self._basis = Basis(self._cart, list(self.left))

    def _take_turns(self, promotions: Sequence[Candidate]) -> None:
        """Each in its order; a group's turn is that of its first member that gives something."""
        compared: set[CompiledPromotion] = set()
        for place, (compiled, limit) in enumerate(promotions):
            group = compiled.group
            if group is None:
                self._take_turn(compiled, limit)
            elif compiled in compared:
                continue
            elif group in self._groups:
                why = limit or self._groups[group]
                self.missed.append((compiled, why if self._holds(compiled) else "conditions"))
            elif compiled.promotion.group_mode == "first":
                if self._take_turn(compiled, limit):
                    self._groups[group] = "first_in_group"
            else:
                members = [one for one in promotions[place:] if one[0].group == group]
                compared.update(self._best_takes_turn(group, members))

    def _take_turn(self, compiled: CompiledPromotion, limit: WhyNot | None) -> bool:
        """Whether it gave something."""
        discount = self.measure(compiled, limit)
        if isinstance(discount, Discount):
            self._apply(compiled, discount)
            return True
        self.missed.append((compiled, discount))
        return False

    def _best_takes_turn(self, group: str, members: Sequence[Candidate]) -> list[CompiledPromotion]:
        """Who of the members takes most off as things are, of equals the first, where the first of them gives
        something at all; and who was looked at."""
        best: tuple[CompiledPromotion, Discount] | None = None
        most = 0
        for compiled, limit in members:
            discount = self.measure(compiled, limit)
            if not isinstance(discount, Discount):
                self.missed.append((compiled, discount))
                if best is None:
                    return [compiled]
                continue
            # A gift counts as nothing, whether or not its line is in the cart already.
            worth = 0 if compiled.gives else discount.amount
            if best is not None:
                self.missed.append((best[0] if worth > most else compiled, "better_in_group"))
            if best is None or worth > most:
                best, most = (compiled, discount), worth
        if best is not None:
            self._groups[group] = "better_in_group"
            self._apply(*best)
        return [compiled for compiled, _ in members]

    def _holds(self, compiled: CompiledPromotion) -> bool:
        return all(holds(condition, self._cart, self._basis) for condition in compiled.conditions)

    def measure(self, compiled: CompiledPromotion, limit: WhyNot | None) -> Discount | WhyNot:
        """What it would take off as things are, or why nothing."""
        for condition in compiled.conditions:
            if not holds(condition, self._cart, self._basis):
                return "conditions"
        if limit:
            return limit
        if compiled.gives:
            return self._gift(compiled)
        promotion, context = compiled.promotion, self._cart.context
        if compiled.step == "shipping":
            found = off_shipping(promotion.action, self.shipping_left, context.currency)
        else:
            found = compiled.action.measure(compiled.action, self._cart, self.now, self._basis)
        if found is not None and promotion.cap and found.amount > promotion.cap[context.currency]:
            found = found._replace(amount=promotion.cap[context.currency])
        if found is None or not found.amount:
            return "nothing_selected"
        if context.left and not self._is_within_budget(promotion, found.amount):
            return "over_budget"
        return found

    def _is_within_budget(self, promotion: Promotion, amount: int) -> bool:
        """Whether all of the amount is left of the promotion's budget."""
        left = self._cart.context.left.get(promotion.promotion_id)
        return left is None or left.budget is None or amount <= left.budget

    def _gift(self, compiled: CompiledPromotion) -> Discount | WhyNot:
        """The whole of the gift's line; of nothing where it is not in the cart yet."""
        promotion, action = compiled.promotion, compiled.promotion.action
        for i in self._gifts.get(compiled.promotion_id, ()):
            line = self._cart.lines[i]
            if line.sku in action.skus and line.quantity == action.quantity:
                total = self._totals.amounts[i]
                # A gift costs nothing, or it is none: it is not reduced to what the cap allows.
                fits = not promotion.cap or total <= promotion.cap[self._cart.context.currency]
                if fits and self._is_within_budget(promotion, total):
                    return Discount(total, total, [i], [total], None, total)
                return "over_budget"
        return Discount(0, 0, [], [], None, 0)

    def _apply(self, compiled: CompiledPromotion, discount: Discount) -> None:
        if compiled.step == "shipping":
            self.shipping_left -= discount.amount
            self.applied.append(Applied(compiled, discount, []))
            return
        where, weights, left = discount.where, discount.weights, self.left
        if len(where) == 1:
            parts = [discount.amount]
        else:
            if weights is None:
                weights = [left[place] for place in where]
            parts = weights if sum(weights) == discount.amount else share(discount.amount, weights)
        if compiled.gives:
            self.due.append(compiled)
            if not where:
                return
            self.given += where
        for i, part in zip(where, parts, strict=True):
            left[i] -= part
        self.now.changed()
        self.applied.append(Applied(compiled, discount, parts))


def gift_due(compiled: CompiledPromotion) -> GiftDue:
    """What the promotion gives."""
    action = compiled.promotion.action
    skus: tuple[Sku, ...] = action.skus
    return GiftDue(promotion_id=compiled.promotion_id, skus=skus, quantity=action.quantity)


def makes_shipping_free(compiled: CompiledPromotion) -> bool:
    """Whether nothing of the rate remains where it applies."""
    action = compiled.promotion.action
    if compiled.step != "shipping" or compiled.promotion.cap:
        return False
    if action.kind == "shipping_percent":
        return action.percent >= WHOLE
    return action.kind == "shipping_price" and not any(action.price.values())
