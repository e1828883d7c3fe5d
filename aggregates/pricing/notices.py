"""What a shopper is told beside the amounts: what is missing for an order or for free delivery, and which
promotions gave nothing, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aggregates.pricing.context import Context
from aggregates.pricing.discounts import Candidate, Discounts, Missed, makes_shipping_free
from aggregates.pricing.explanation import Notice, WhyNot
from aggregates.pricing.matching import Cart
from aggregates.pricing.scenarios import Choice


def near_promotions(
    missed: Iterable[Missed], context: Context, by_id: Mapping[str, Any]
) -> list[tuple[str, WhyNot]]:
    """The promotions that nearly applied, and why they did not: all whose coupon is in the cart, others
    whose conditions held. `by_id`: those that are in force."""
    named = set(context.codes.values())
    near: list[tuple[str, WhyNot]] = []
    for compiled, why in missed:
        promotion_id = compiled.promotion_id
        if promotion_id in named or why not in ("conditions", "nothing_selected"):
            near.append((promotion_id, why))
    near += [(rule, "window") for rule in context.codes.values() if rule not in by_id]
    return near


def notices(cart: Cart, choice: Choice, near: Mapping[str, WhyNot]) -> list[Notice]:
    """Those of shipping, of coupons and of gifts. `near`: why a promotion did not apply."""
    discounts, quote = choice.scenario.discounts, choice.scenario.quote
    found: list[Notice] = []
    until_free: list[Notice] = []
    if quote is not None:
        for notice in quote.notices:
            (until_free if notice.kind == "free_delivery" else found).append(notice)
    until_free += _until_free(discounts, choice.on_shipping)
    if until_free and discounts.shipping_left:
        found.append(min(until_free, key=lambda notice: notice.amount or 0))
    for promotion_id in dict.fromkeys(cart.context.codes.values()):
        if promotion_id in near:
            found.append(Notice(kind="coupon_not_applied", rule=promotion_id, why=near[promotion_id]))
    given = {cart.lines[place].gift_of for place in discounts.given}
    for compiled in discounts.due:
        promotion_id = compiled.promotion_id
        if promotion_id not in given:
            found.append(Notice(kind="gift_available", rule=promotion_id))
    return found


def _until_free(discounts: Discounts, on_shipping: Iterable[Candidate]) -> list[Notice]:
    """How much more makes shipping free, by each promotion that would."""
    found = []
    if discounts.shipping_left:
        for compiled, limit in on_shipping:
            if limit is None and makes_shipping_free(compiled):
                lacking = discounts.lacks(compiled)
                if lacking is not None:
                    found.append(Notice(kind="free_delivery", rule=compiled.promotion_id, amount=lacking))
    return found
