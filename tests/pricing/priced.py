"""Carts priced for the tests of promotions: what each line and each promotion comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.context import Context, PricedLine
from aggregates.pricing.explanation import Priced, Step
from aggregates.pricing.price import price
from aggregates.pricing.rules import Promotion, ShippingMethod, Terms
from tests.pricing.cases import NOON, line, terms


def priced(
    lines: Sequence[PricedLine],
    *promotions: Promotion,
    codes: Sequence[str] | Mapping[str, str] = (),
    method: ShippingMethod | None = None,
    rules: Terms | None = None,
    **context: Any,
) -> Priced:
    """The cart under these promotions; `codes` names promotions whose coupon is in it, or maps codes to
    promotions."""
    coupons = codes if isinstance(codes, Mapping) else {f"CODE-{one.upper()}": one for one in codes}
    facts: dict[str, Any] = {
        "market": "main",
        "currency": "GBP",
        "at": NOON,
        "codes": coupons,
        "method_id": None if method is None else method.method_id,
    }
    return price(
        lines,
        compile_terms(rules or terms(*promotions, method=method)),
        Context(**(facts | context)),
    )


def nets(outcome: Priced) -> dict[str, int]:
    """What is left of each line."""
    return {one.line_id: one.net for one in outcome.lines}


def discounts(outcome: Priced) -> dict[str, int]:
    """What each promotion took off, in the order they applied."""
    return {one.rule: -one.amount for one in outcome.charges if one.kind == "discount"}


def why_not(outcome: Priced) -> dict[str, str]:
    """The promotions that were near, and why they gave nothing."""
    return {one.rule: one.why for one in outcome.explanation.not_applied}


def steps(outcome: Priced, kind: str) -> list[Step]:
    """The steps of one kind."""
    return [step for step in outcome.explanation.steps if step.step == kind]


def gift_line(line_id: str, unit_price: str, promotion_id: str, quantity: int = 1) -> PricedLine:
    """Units of a product that bears the line's name, as a promotion's gift."""
    return replace(line(line_id, unit_price, quantity), gift_of=promotion_id)
