"""Shipping: which methods reach a destination, and what they cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from aggregates.pricing.context import Context
from aggregates.pricing.explanation import Notice, NoticeKind, Step, money_text
from aggregates.pricing.parcel import Parcel
from aggregates.pricing.rules import SHIPPING, STANDARD, PickupPoint, ShippingMethod
from aggregates.pricing.shipping_methods import CompiledMethod, CompiledMethods
from aggregates.pricing.values import quick


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


_step, _shipping_quote = quick(Step), quick(ShippingQuote)


@dataclass(frozen=True, slots=True)
class OfferedMethod:
    """A method that reaches a destination. `price` None: its carrier has not said yet.

    `free_from`: the sum of goods that makes it cost nothing, in the currency asked for. `points`: where it
    is fetched, in the destination's country.
    """

    method: ShippingMethod
    price: int | None
    free_from: int | None
    points: tuple[PickupPoint, ...]


def digest(context: Context, method_id: str, *, weight_grams: int, amount: int, quantity: int) -> str:
    """What a carrier is asked, in 32 digits: its price counts while this is the same."""
    where = context.destination
    asked = [
        context.market,
        context.currency,
        method_id,
        None if where is None else [where.country, where.region, where.postal_prefix],
        weight_grams,
        amount,
        quantity,
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]


def quote(
    compiled: CompiledMethods,
    context: Context,
    *,
    weight_grams: int,
    amount: int,
    quantity: int,
    ships: bool,
    parcel: Parcel | None = None,
) -> ShippingQuote | None:
    """What the context's method costs for the cart; None where nothing is to be shipped or said.

    `ships`: whether a line needs shipping; `weight_grams` and `quantity` are those of such lines, `amount`
    the sum of all lines after their discounts and the cart's. `parcel`: what a carrier is asked about; by
    default the same.
    """
    where = context.destination
    if where is not None and not compiled.serves(context.market, where.country):
        return _lacking("not_deliverable", where.country, "market")
    methods = compiled.of(context.market)
    if not ships or not methods:
        return None
    chosen = None if context.method_id is None else methods.get(context.method_id)
    if chosen is not None and chosen.reaches(where):
        return _price(chosen, context, weight_grams, amount, quantity, parcel)
    if where is not None and not any(one.reaches(where) for one in methods.values()):
        return _lacking("not_deliverable", where.country, "destination")
    if context.method_id is None:
        return _lacking("shipping_method_required", "", None)
    why = "destination"
    if chosen is None:
        why = "market" if context.method_id in compiled.ids else "retired"
    return _lacking("shipping_method_unfit", context.method_id, why)


def methods_for(
    compiled: CompiledMethods,
    context: Context,
    *,
    weight_grams: int = 0,
    amount: int = 0,
    quantity: int = 0,
) -> Iterator[OfferedMethod]:
    """The methods that reach the context's destination with their prices for such a cart, by id; those that
    have no price for it are left out. Without a destination: all of the market's."""
    where = context.destination
    if where is not None and not compiled.serves(context.market, where.country):
        return
    for one in compiled.of(context.market).values():
        if where is not None and not one.reaches(where):
            continue
        priced = _price(one, context, weight_grams, amount, quantity)
        unknown = one.method.provider is not None and priced.method_id is None
        if priced.method_id is None and not unknown:
            continue
        yield OfferedMethod(
            method=one.method,
            price=None if unknown else priced.rate,
            free_from=one.method.free_from.get(context.currency),
            points=tuple(
                point for point in one.method.points if where is None or point.country == where.country
            ),
        )


def _price(
    one: CompiledMethod,
    context: Context,
    weight_grams: int,
    amount: int,
    quantity: int,
    parcel: Parcel | None = None,
) -> ShippingQuote:
    """The method's rate: of its carrier, or of the highest tier that the cart reaches, or nothing."""
    method, currency = one.method, context.currency
    free_from = method.free_from.get(currency)
    measure = weight_grams if method.by == "weight_grams" else amount if method.by == "amount" else quantity
    if method.provider is None and method.tiers:
        tier = next((tier for tier in one.tiers.get(currency, ()) if tier.at_least <= measure), None)
        if tier is None:
            return _lacking("shipping_method_unfit", method.method_id, "price")
    else:
        tier = None
    if free_from is not None and amount >= free_from:
        return _quoted(method, 0, measure, f"free from {money_text(free_from, currency)}")
    if method.provider is not None:
        answer = context.shipping_answer
        parcel = parcel or Parcel(weight_grams, amount, quantity)
        asked = digest(context, method.method_id, **parcel._asdict())
        if answer is None or answer.digest != asked:
            return _lacking("quote_required", method.provider, "shipping")
        rate, text = answer.amount, f"{answer.provider} {answer.reference}"
    elif tier is None:
        return _quoted(method, 0, measure, None)
    else:
        rate, text = tier.price, tier.text
        if tier.step and (steps := -((tier.at_least - measure) // tier.step)):
            rate += steps * tier.step_price
            text += f" + {steps} × {money_text(tier.step_price, currency)}"
    if free_from is not None and rate:
        missing = Notice(kind="free_delivery", rule=method.method_id, amount=free_from - amount)
        return _quoted(method, rate, measure, text, (missing,))
    return _quoted(method, rate, measure, text)


def _quoted(
    method: ShippingMethod, rate: int, base: int, text: str | None, notices: tuple[Notice, ...] = ()
) -> ShippingQuote:
    step = None
    if text is not None:
        step = _step(
            step="shipping",
            rule=method.method_id,
            label=method.label,
            base=base,
            rate=text,
            amount=rate,
            shares={SHIPPING: rate} if rate else {},
        )
    return _shipping_quote(
        method_id=method.method_id,
        label=method.label,
        tax_category=method.tax_category,
        rate=rate,
        step=step,
        notices=notices,
    )


def _lacking(kind: NoticeKind, rule: str, why: str | None) -> ShippingQuote:
    return ShippingQuote(notices=(Notice(kind=kind, rule=rule, why=why),))
