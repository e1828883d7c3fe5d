"""Which promotions apply to a cart, in which order, and what each takes off: lines, then the cart, then
shipping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aggregates.kernel import Sku
from aggregates.pricing.actions import CompiledAction, Discount, compile_action, off_shipping
from aggregates.pricing.context import Context
from aggregates.pricing.explanation import GiftDue, WhyNot
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


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPromotion:
    """A promotion made ready for many carts. `rank`: its place in the order of all.

    `currencies` None: any. `counts_shopper`: something in it is counted by shopper.
    """

    rank: int
    promotion: Promotion
    step: DiscountStep
    action: CompiledAction
    conditions: tuple[CompiledCondition, ...]
    currencies: frozenset[str] | None
    counts_shopper: bool


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
    by_id = {one.promotion.promotion_id: one for one in compiled}
    return CompiledPromotions(by_id, tuple(always), index, found_by, selectors.mentioned)


def _compile(rank: int, promotion: Promotion, selectors: Selectors) -> CompiledPromotion:
    kind = promotion.action.kind
    action = compile_action(promotion.action, selectors)
    conditions = tuple(map(selectors.compile_condition, promotion.conditions))
    given = [one for one in (promotion.cap, promotion.budget) if one]
    return CompiledPromotion(
        rank,
        promotion,
        "line" if kind in LINE_ACTIONS else "cart" if kind in CART_ACTIONS else "shipping",
        action,
        conditions,
        _common([*action.amounts, *_amounts_asked(promotion.conditions), *given]),
        promotion.uses_per_shopper_max is not None or _asks_first_order(promotion.conditions),
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


@dataclass(slots=True)
class Candidate:
    """A promotion that is in force for the cart. `limit`: why it must not apply though its conditions
    hold."""

    promotion: CompiledPromotion
    limit: WhyNot | None


@dataclass(slots=True)
class Applied:
    """A promotion that took something off. `parts`: of the lines `discount.where`, in order."""

    promotion: CompiledPromotion
    discount: Discount
    parts: list[int]


Missed = tuple[CompiledPromotion, WhyNot]


def candidates(
    promotions: CompiledPromotions, cart: Cart
) -> tuple[list[Candidate], list[tuple[CompiledPromotion, WhyNot]]]:
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
    found.sort(key=lambda one: one.rank)
    open_: list[Candidate] = []
    closed: list[Missed] = []
    for one in found:
        if why := _not_in_force(one, context):
            if one in coded:
                closed.append((one, why))
        else:
            open_.append(Candidate(one, _limit(one, context)))
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
    if context.left:
        left = context.left.get(promotion.promotion_id)
        if left is not None and left.uses is not None and left.uses <= 0:
            return "used_up"
    if promotion.action.kind == "gift" and promotion.promotion_id in context.declined_gifts:
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
        for place, candidate in enumerate(promotions):
            compiled = candidate.promotion
            group = compiled.promotion.group
            if compiled in compared:
                continue
            if group is not None and group in self._groups:
                if self._holds(compiled):
                    self.missed.append((compiled, candidate.limit or self._groups[group]))
                else:
                    self.missed.append((compiled, "conditions"))
                continue
            discount = self._measure(candidate)
            if not isinstance(discount, Discount):
                self.missed.append((compiled, discount))
                continue
            if group is not None and compiled.promotion.group_mode == "first":
                self._groups[group] = "first_in_group"
            elif group is not None:
                self._groups[group] = "better_in_group"
                rest = [one for one in promotions[place + 1 :] if one.promotion.promotion.group == group]
                compiled, discount = self._best(compiled, discount, rest)
                compared.update(one.promotion for one in rest)
            self._apply(compiled, discount)

    def _best(
        self, first: CompiledPromotion, discount: Discount, rest: Sequence[Candidate]
    ) -> tuple[CompiledPromotion, Discount]:
        """Who takes most off as things are, `first` or one of the rest; of equals the first in order."""
        best, most = (first, discount), _worth_comparing(first, discount)
        for candidate in rest:
            compiled = candidate.promotion
            found = self._measure(candidate)
            if not isinstance(found, Discount):
                self.missed.append((compiled, found))
            elif (worth := _worth_comparing(compiled, found)) > most:
                self.missed.append((best[0], "better_in_group"))
                best, most = (compiled, found), worth
            else:
                self.missed.append((compiled, "better_in_group"))
        return best

    def _holds(self, compiled: CompiledPromotion) -> bool:
        return all(holds(condition, self._cart, self._basis) for condition in compiled.conditions)

    def _measure(self, candidate: Candidate) -> Discount | WhyNot:
        """What it would take off as things are, or why nothing."""
        compiled = candidate.promotion
        if compiled.conditions and not self._holds(compiled):
            return "conditions"
        if candidate.limit:
            return candidate.limit
        promotion, currency = compiled.promotion, self._cart.context.currency
        if promotion.action.kind == "gift":
            discount = self._gift(compiled)
            # A gift costs nothing, or it is none: it is not reduced to the cap.
            fits = not promotion.cap or discount.amount <= promotion.cap[currency]
            return self._within_budget(promotion, discount) if fits else "over_budget"
        if compiled.step == "shipping":
            found = off_shipping(promotion.action, self.shipping_left, currency)
        else:
            found = compiled.action.measure(compiled.action, self._cart, self.now, self._basis)
        if found is not None and promotion.cap and found.amount > promotion.cap[currency]:
            found = found._replace(amount=promotion.cap[currency])
        if found is None or not found.amount:
            return "nothing_selected"
        return self._within_budget(promotion, found)

    def _within_budget(self, promotion: Promotion, discount: Discount) -> Discount | WhyNot:
        """The discount where all of it is left of the budget."""
        left = self._cart.context.left.get(promotion.promotion_id)
        if left is not None and left.budget is not None and discount.amount > left.budget:
            return "over_budget"
        return discount

    def _gift(self, compiled: CompiledPromotion) -> Discount:
        """The whole of the gift's line; of nothing where it is not in the cart yet."""
        action = compiled.promotion.action
        for i in self._gifts.get(compiled.promotion.promotion_id, ()):
            line = self._cart.lines[i]
            if line.sku in action.skus and line.quantity == action.quantity:
                total = self._totals.amounts[i]
                return Discount(total, total, [i], [total], None, total)
        return Discount(0, 0, [], [], None, 0)

    def _apply(self, compiled: CompiledPromotion, discount: Discount) -> None:
        if compiled.step == "shipping":
            self.shipping_left -= discount.amount
            self.applied.append(Applied(compiled, discount, []))
            return
        weights, left = discount.weights, self.left
        parts = weights if sum(weights) == discount.amount else share(discount.amount, weights)
        if compiled.promotion.action.kind == "gift":
            self.due.append(compiled)
            if not discount.where:
                return
            self.given += discount.where
        for i, part in zip(discount.where, parts, strict=True):
            left[i] -= part
        self.now.changed()
        self.applied.append(Applied(compiled, discount, parts))


def _worth_comparing(compiled: CompiledPromotion, discount: Discount) -> int:
    """A gift counts as nothing, whether or not its line is in the cart already."""
    return 0 if compiled.promotion.action.kind == "gift" else discount.amount


def gift_due(compiled: CompiledPromotion) -> GiftDue:
    """What the promotion gives."""
    action = compiled.promotion.action
    skus: tuple[Sku, ...] = action.skus
    return GiftDue(promotion_id=compiled.promotion.promotion_id, skus=skus, quantity=action.quantity)


def makes_shipping_free(compiled: CompiledPromotion) -> bool:
    """Whether nothing of the rate remains where it applies."""
    action = compiled.promotion.action
    if compiled.step != "shipping" or compiled.promotion.cap:
        return False
    if action.kind == "shipping_percent":
        return action.percent >= WHOLE
    return action.kind == "shipping_price" and not any(action.price.values())
