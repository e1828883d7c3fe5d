"""Shipping: which methods reach a destination, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.pricing.context import Context
from aggregates.pricing.explanation import Notice, Step
from aggregates.pricing.rules import STANDARD, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingQuote:
    """The rate of the chosen method before its own promotions, or why there is none.

    `method_id` None: there is no rate, and a blocking notice says what is lacking; `rate` is 0 then.
    """

    method_id: str | None = None
    label: str = ""
    tax_category: str = STANDARD
    rate: int = 0
    step: Step | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledMethods:
    """The shipping methods and markets of the terms, made ready for many carts."""


def compile_methods(terms: Terms) -> CompiledMethods:
    """The terms' shipping methods, made ready for many carts."""
    return CompiledMethods()


def quote(
    compiled: CompiledMethods, context: Context, *, weight_grams: int, amount: int, quantity: int, ships: bool
) -> ShippingQuote | None:
    """What the context's method costs for the cart; None where nothing is to be shipped or said.

    `ships`: whether a line needs shipping; `weight_grams` and `quantity` are those of such lines, `amount`
    the sum of all lines after their discounts and the cart's.
    """
    return None
