"""Promotions: which can apply at all, and when they start and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from aggregates.kernel import Rejected
from aggregates.pricing.discounts import EXCLUSIVES_MAX
from aggregates.pricing.rules import (
    CART_ACTIONS,
    LINE_ACTIONS,
    Action,
    ActionKind,
    ActionTier,
    Condition,
    ConditionKind,
    Promotion,
    Selector,
    Terms,
)
from aggregates.terms.checks import (
    Unfit,
    check_amounts,
    check_ascending,
    check_count,
    check_each_once,
    check_markets,
    check_percent,
    check_same_currencies,
    check_window,
    countries_of,
    currencies_of,
    is_retired,
)
from aggregates.terms.events import PromotionDefined, PromotionEnded, PromotionStarted, TermsEvent
from aggregates.terms.reasons import PromotionUnfit
from aggregates.terms.terms import TermsState


@dataclass(frozen=True, slots=True)
class Units:
    """How many units of a SKU a line may hold, and all lines of a cart together."""

    line: int
    cart: int


def define_promotion(
    state: TermsState, *, promotion: Promotion, units: Units, at: datetime
) -> tuple[TermsEvent, ...]:
    """The promotion holds from now on. Rejected where it could never apply, or contradicts another."""
    if state.rules.promotions.get(promotion.promotion_id) == promotion:
        return ()
    check_count("promotion", state.rules.promotions, promotion.promotion_id)
    try:
        _check(promotion, state.rules, units, at)
    except Unfit as unfit:
        raise Rejected(PromotionUnfit(unfit.field, unfit.why)) from unfit
    return (PromotionDefined(promotion=promotion),)


def start_promotion(state: TermsState, *, promotion_id: str, now: datetime) -> tuple[TermsEvent, ...]:
    """Its window has opened: said once, and of one that ended meanwhile not at all."""
    if is_retired("promotion", state.rules.promotions, state.retired.promotions, promotion_id):
        return ()
    starts_at = state.rules.promotions[promotion_id].starts_at
    if promotion_id in state.started or (starts_at is not None and starts_at > now):
        return ()
    return (PromotionStarted(promotion_id=promotion_id),)


def close_promotion(state: TermsState, *, promotion_id: str, now: datetime) -> tuple[TermsEvent, ...]:
    """Its window has closed: it ends."""
    if is_retired("promotion", state.rules.promotions, state.retired.promotions, promotion_id):
        return ()
    ends_at = state.rules.promotions[promotion_id].ends_at
    if ends_at is None or ends_at > now:
        return ()
    return (PromotionEnded(promotion_id=promotion_id, reason="window over"),)


def end_promotion(state: TermsState, *, promotion_id: str, reason: str) -> tuple[TermsEvent, ...]:
    """It applies to no cart any more, whatever its window."""
    if is_retired("promotion", state.rules.promotions, state.retired.promotions, promotion_id):
        return ()
    return (PromotionEnded(promotion_id=promotion_id, reason=reason),)


def _check(promotion: Promotion, rules: Terms, units: Units, at: datetime) -> None:
    check_window(promotion.starts_at, promotion.ends_at, at=at)
    check_markets(promotion.markets, rules)
    _check_limits(promotion)
    _check_action(promotion.action, units)
    for n, condition in enumerate(promotion.conditions):
        _check_condition(f"conditions.{n}", condition, units)
    _check_currencies(promotion, rules)
    _check_countries(promotion, rules)
    _check_others(promotion, rules)


def _check_limits(promotion: Promotion) -> None:
    for name in ("uses_max", "uses_per_shopper_max"):
        limit: int | None = getattr(promotion, name)
        if limit is not None and limit < 1:
            raise Unfit(name, "is below 1")
    for name, amounts in (("budget", promotion.budget), ("cap", promotion.cap)):
        if amounts:
            check_amounts(name, amounts)


# What a kind of action or condition is made of. Of each group exactly one part is needed.

_ACTIONS: Mapping[ActionKind, tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {
    "percent": ((("percent", "tiers"),), ("selector", "tiers_by")),
    "per_unit": ((("amount",),), ("selector",)),
    "unit_price": ((("price",),), ("selector",)),
    "buy_get": (
        (("buy_quantity",), ("get_quantity",), ("percent",)),
        ("buy", "get", "times_max", "spread"),
    ),
    "bundle": ((("parts",), ("price", "percent", "amount")), ("times_max",)),
    "percent_off": ((("percent", "tiers"),), ("selector",)),
    "amount_off": ((("amount", "tiers"),), ("selector",)),
    "gift": ((("skus",),), ("quantity",)),
    "shipping_percent": ((("percent",),), ()),
    "shipping_amount": ((("amount",),), ()),
    "shipping_price": ((("price",),), ()),
}
_CONDITIONS: Mapping[ConditionKind, tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {
    "amount_at_least": ((("amount",),), ("selector",)),
    "quantity_at_least": ((("quantity",),), ("selector",)),
    "first_order": ((), ()),
    "customer_groups": ((("customer_groups",),), ()),
    "countries": ((("countries",),), ()),
    "any_of": ((("any_of",),), ()),
}
_TIERS: Mapping[ActionKind, tuple[str, str]] = {
    "percent": ("quantity", "percent"),
    "percent_off": ("from_amount", "percent"),
    "amount_off": ("from_amount", "amount"),
}


def _check_parts(
    field: str, part: Action | Condition, needed: Iterable[tuple[str, ...]], may: Iterable[str]
) -> None:
    """Unfit where a part is missing, is there beside another, or belongs to another kind."""
    empty = type(part)(kind=part.kind)  # type: ignore[arg-type]
    given = {one.name for one in fields(part) if getattr(part, one.name) != getattr(empty, one.name)}
    for either in needed:
        found = [name for name in either if name in given]
        if not found:
            raise Unfit(f"{field}.{either[0]}", f"is needed, above 0 or not empty: {' or '.join(either)}")
        if len(found) > 1:
            raise Unfit(f"{field}.{found[1]}", f"is there beside {found[0]}: give {' or '.join(either)}")
    belongs = {name for either in needed for name in either} | set(may)
    for foreign in (one.name for one in fields(part) if one.name in given - belongs):
        raise Unfit(f"{field}.{foreign}", f"is no part of {part.kind}")


def _check_action(action: Action, units: Units) -> None:
    _check_parts("action", action, *_ACTIONS[action.kind])
    for name in ("selector", "buy", "get"):
        _check_selector(f"action.{name}", getattr(action, name))
    if action.percent:
        check_percent("action.percent", action.percent)
    if action.amount:
        check_amounts("action.amount", action.amount)
    if action.price:
        check_amounts("action.price", action.price, least=0)
    if action.kind == "buy_get":
        _check_units("action.buy_quantity", action.buy_quantity, units.cart)
        _check_units("action.get_quantity", action.get_quantity, units.cart)
        _check_units("action.get_quantity", action.buy_quantity + action.get_quantity, units.cart)
    if action.times_max is not None and action.times_max < 1:
        raise Unfit("action.times_max", "is below 1")
    for n, part in enumerate(action.parts):
        _check_selector(f"action.parts.{n}.selector", part.selector)
        _check_units(f"action.parts.{n}.quantity", part.quantity, units.cart)
    check_each_once("action.skus", action.skus)
    _check_units("action.quantity", action.quantity, units.line)
    if action.tiers_by == "selection" and not action.tiers:
        raise Unfit("action.tiers_by", "is for tiers")
    most = units.line if action.tiers_by == "line" else units.cart
    _check_tiers(action, most)


def _check_tiers(action: Action, units_max: int) -> None:
    before: ActionTier | None = None
    for n, tier in enumerate(action.tiers):
        field = f"action.tiers.{n}"
        start, gives = _TIERS[action.kind]
        for foreign in {"quantity", "from_amount", "percent", "amount"} - {start, gives}:
            if getattr(tier, foreign):
                raise Unfit(f"{field}.{foreign}", f"is no part of a tier of {action.kind}")
        if start == "quantity":
            _check_units(f"{field}.quantity", tier.quantity, units_max)
            check_ascending(f"{field}.quantity", before.quantity if before else None, tier.quantity)
        else:
            check_amounts(f"{field}.from_amount", tier.from_amount, least=0)
            check_same_currencies(f"{field}.from_amount", tier.from_amount, action.tiers[0].from_amount)
            for currency, amount in tier.from_amount.items():
                starts_before = before.from_amount[currency] if before else None
                check_ascending(f"{field}.from_amount.{currency}", starts_before, amount)
        if gives == "percent":
            check_percent(f"{field}.percent", tier.percent)
        else:
            check_amounts(f"{field}.amount", tier.amount)
            check_same_currencies(f"{field}.amount", tier.amount, tier.from_amount)
        before = tier


def _check_units(field: str, quantity: int, most: int) -> None:
    if quantity < 1:
        raise Unfit(field, "is below 1")
    if quantity > most:
        raise Unfit(field, f"is more units than there may be: {most}")


def _check_condition(field: str, condition: Condition, units: Units) -> None:
    _check_parts(field, condition, *_CONDITIONS[condition.kind])
    _check_selector(f"{field}.selector", condition.selector)
    if condition.amount:
        check_amounts(f"{field}.amount", condition.amount)
    if condition.quantity:
        _check_units(f"{field}.quantity", condition.quantity, units.cart)
    check_each_once(f"{field}.customer_groups", condition.customer_groups)
    check_each_once(f"{field}.countries", condition.countries)
    for n, one in enumerate(condition.any_of):
        if one.kind == "any_of":
            raise Unfit(f"{field}.any_of.{n}.kind", "is any_of within any_of: list its conditions here")
        _check_condition(f"{field}.any_of.{n}", one, units)


def _check_selector(field: str, selector: Selector) -> None:
    for code, values in selector.attributes.items():
        if not values:
            raise Unfit(f"{field}.attributes.{code}", "names no value")
    if selector.skus and set(selector.skus) <= set(selector.not_skus):
        raise Unfit(f"{field}.not_skus", "leaves nothing of its skus")
    if selector.categories and all(
        any(_is_in(category, left_out) for left_out in selector.not_categories)
        for category in selector.categories
    ):
        raise Unfit(f"{field}.not_categories", "leaves nothing of its categories")


def _is_in(category: str, above: str) -> bool:
    return category == above or category.startswith(f"{above} > ")


def _check_currencies(promotion: Promotion, rules: Terms) -> None:
    """Unfit where there is no currency in which all of it applies."""
    left = currencies_of(promotion.markets, rules)
    for field, amounts in _amounts(promotion):
        found = frozenset(amounts)
        left = found if left is None else left & found
        if not left:
            raise Unfit(field, "is in no currency in which the rest applies")


def _amounts(promotion: Promotion) -> Iterator[tuple[str, Iterable[str]]]:
    """The currencies of every part of it that has amounts."""
    action = promotion.action
    for name, amounts in (("amount", action.amount), ("price", action.price)):
        if amounts:
            yield f"action.{name}", amounts
    if action.tiers and action.tiers[0].from_amount:
        yield "action.tiers.0.from_amount", action.tiers[0].from_amount
    for n, condition in enumerate(promotion.conditions):
        if condition.amount:
            yield f"conditions.{n}.amount", condition.amount
        if condition.any_of and all(one.amount for one in condition.any_of):
            yield f"conditions.{n}.any_of", {code for one in condition.any_of for code in one.amount}
    for name, amounts in (("budget", promotion.budget), ("cap", promotion.cap)):
        if amounts:
            yield name, amounts


def _check_countries(promotion: Promotion, rules: Terms) -> None:
    """Unfit where no destination is in all of its countries and one of its markets."""
    left = countries_of(promotion.markets, rules)
    for n, condition in enumerate(promotion.conditions):
        if condition.kind == "countries":
            found = frozenset(condition.countries)
            left = found if left is None else left & found
            if not left:
                raise Unfit(f"conditions.{n}.countries", "are none in which the rest applies")


def _check_others(promotion: Promotion, rules: Terms) -> None:
    others = [one for one in rules.promotions.values() if one.promotion_id != promotion.promotion_id]
    if promotion.group is None and promotion.group_mode == "first":
        raise Unfit("group_mode", "is for a group")
    for other in others:
        if promotion.group is None or other.group != promotion.group:
            continue
        if other.group_mode != promotion.group_mode:
            raise Unfit("group_mode", f"is {other.group_mode} for {other.promotion_id} of the same group")
        if promotion.group_mode == "best" and _step(other.action) != _step(promotion.action):
            raise Unfit(
                "action.kind",
                f"is of the step {_step(promotion.action)}, and {other.promotion_id} of the same group of the"
                f" step {_step(other.action)}: the best of both cannot be told",
            )
    if promotion.exclusive:
        exclusives = [one for one in others if one.exclusive]
        if _open_at_once(promotion, exclusives) > EXCLUSIVES_MAX:
            raise Unfit("exclusive", f"is what {EXCLUSIVES_MAX} others are at the same time")


def _step(action: Action) -> Literal["line", "cart", "shipping"]:
    if action.kind in LINE_ACTIONS:
        return "line"
    return "cart" if action.kind in CART_ACTIONS else "shipping"


def _open_at_once(promotion: Promotion, others: list[Promotion]) -> int:
    """Of it and the others, how many are open at the moment when the most are, while it is."""
    beside = [other for other in others if _overlap(promotion, other)]
    opened = [promotion.starts_at, *(other.starts_at for other in beside)]
    return max(
        1 + sum(_is_open(other, moment) for other in beside)
        for moment in opened
        if _is_open(promotion, moment)
    )


def _overlap(one: Promotion, other: Promotion) -> bool:
    return _is_open(one, other.starts_at) or _is_open(other, one.starts_at)


def _is_open(promotion: Promotion, moment: datetime | None) -> bool:
    """At the moment; None: before every window that has a start."""
    if promotion.starts_at is not None and (moment is None or moment < promotion.starts_at):
        return False
    return promotion.ends_at is None or moment is None or moment < promotion.ends_at
