"""Steps 8 to 11 of the calculation: what was chosen is taxed and reported; the explanation, on demand."""

from __future__ import annotations

from collections.abc import Sequence

from aggregates.pricing.compiled_terms import CompiledTerms
from aggregates.pricing.context import Context
from aggregates.pricing.discounts import Discounts, gift_due
from aggregates.pricing.explanation import (
    DAYBOOK_1,
    ChargePrice,
    Claim,
    Explanation,
    LinePrice,
    NotApplied,
    Priced,
    ShippingPrice,
)
from aggregates.pricing.line_totals import LineTotals
from aggregates.pricing.matching import Cart
from aggregates.pricing.notices import near_promotions, notices
from aggregates.pricing.rules import GIFT_CARD, SHIPPING, STANDARD
from aggregates.pricing.scenarios import Choice, Scenario
from aggregates.pricing.shipping import ShippingQuote
from aggregates.pricing.steps import discount_steps, line_steps
from aggregates.pricing.taxes import CompiledTaxes, TaxOutcome, TaxTarget, tax
from aggregates.pricing.values import quick

_line_price, _charge, _claim = quick(LinePrice), quick(ChargePrice), quick(Claim)
_not_applied, _tax_target, _shipping_price = quick(NotApplied), quick(TaxTarget), quick(ShippingPrice)


def outcome(cart: Cart, line_totals: LineTotals, terms: CompiledTerms, choice: Choice) -> Priced:
    """What the chosen scenario comes to, and why."""
    context, scenario = cart.context, choice.scenario
    discounts, quote = scenario.discounts, scenario.quote
    given = set(discounts.given)
    places = [place for place, line in enumerate(cart.lines) if line.gift_of is None or place in given]
    taxed = _tax(cart, places, scenario, terms.taxes)
    lines = _lines(cart, places, line_totals, discounts.left, taxed)
    charges = (*_charges(discounts, quote), *taxed.charges)
    near = near_promotions(choice.missed, context, terms.promotions.by_id)

    def explain() -> Explanation:
        return Explanation(
            calculation=DAYBOOK_1,
            terms=terms.version,
            at=context.at,
            steps=(
                *line_steps(cart, places, line_totals, terms.list_labels),
                *discount_steps(cart, discounts, None if quote is None else quote.step),
                *taxed.steps,
            ),
            not_applied=tuple([_not_applied(rule=rule, why=why) for rule, why in near]),
        )

    ends = [
        applied.promotion.promotion.ends_at
        for applied in discounts.applied
        if applied.promotion.promotion.ends_at is not None
    ]
    return Priced(
        currency=context.currency,
        lines=lines,
        charges=charges,
        total=sum([line.line_total for line in lines]) + sum([charge.amount for charge in charges]),
        explain=explain,
        taxes=taxed.totals,
        shipping=_shipping(quote, discounts.shipping_left, taxed),
        gifts=tuple([gift_due(one) for one in discounts.due]),
        claims=_claims(discounts, context),
        notices=(*notices(cart, choice, dict(near)), *taxed.notices),
        ends_at=min(ends, default=None),
    )


def _tax(cart: Cart, places: Sequence[int], scenario: Scenario, taxes: CompiledTaxes) -> TaxOutcome:
    discounts, quote = scenario.discounts, scenario.quote
    targets = []
    untaxed: dict[str, int] = {}
    for place in places:
        line = cart.lines[place]
        category = STANDARD if line.traits is None else line.traits.tax_category
        if category == GIFT_CARD:
            untaxed[line.line_id] = discounts.left[place]
        else:
            targets.append(_tax_target(line.line_id, category, discounts.left[place]))
    shipping = None
    if quote is not None and quote.method_id is not None:
        shipping = _tax_target(SHIPPING, quote.tax_category, discounts.shipping_left)
    taxed = tax(targets, shipping, taxes, cart.context)
    taxed.tax.update(dict.fromkeys(untaxed, 0))
    taxed.paid.update(untaxed)
    return taxed


def _lines(
    cart: Cart, places: Sequence[int], line_totals: LineTotals, left: Sequence[int], taxed: TaxOutcome
) -> tuple[LinePrice, ...]:
    units, totals = line_totals.units, line_totals.totals
    priced = []
    for place in places:
        line = cart.lines[place]
        line_id, total, net = line.line_id, totals[place], left[place]
        priced.append(
            _line_price(
                line_id=line_id,
                sku=line.sku,
                quantity=line.quantity,
                unit_price=units[place],
                line_total=total,
                discount=total - net,
                net=net,
                tax=taxed.tax[line_id],
                paid=taxed.paid[line_id],
                tax_group=next(iter(taxed.groups.get(line_id, ())), None),
                gift_of=line.gift_of,
            )
        )
    return tuple(priced)


def _shipping(quote: ShippingQuote | None, net: int, taxed: TaxOutcome) -> ShippingPrice | None:
    if quote is None or quote.method_id is None:
        return None
    return _shipping_price(
        method_id=quote.method_id,
        label=quote.label,
        rate=quote.rate,
        discount=quote.rate - net,
        net=net,
        tax=taxed.tax[SHIPPING],
        paid=taxed.paid[SHIPPING],
        tax_groups=dict(taxed.groups.get(SHIPPING, {})),
    )


def _charges(discounts: Discounts, quote: ShippingQuote | None) -> list[ChargePrice]:
    """What promotions take off, and shipping before what they take off that."""
    off_goods: list[ChargePrice] = []
    off_shipping: list[ChargePrice] = []
    for applied in discounts.applied:
        compiled, amount = applied.promotion, applied.discount.amount
        if amount:
            charge = _charge(
                kind="discount",
                rule=compiled.promotion_id,
                label=compiled.promotion.label,
                amount=-amount,
            )
            (off_shipping if compiled.step == "shipping" else off_goods).append(charge)
    if quote is not None and quote.method_id is not None and quote.rate:
        rate = _charge(kind="shipping", rule=quote.method_id, label=quote.label, amount=quote.rate)
        return [*off_goods, rate, *off_shipping]
    return [*off_goods, *off_shipping]


def _claims(discounts: Discounts, context: Context) -> tuple[Claim, ...]:
    # The first of several coupons of one promotion brought it.
    code_of = {promotion_id: code for code, promotion_id in reversed(context.codes.items())}
    claims = []
    for applied in discounts.applied:
        promotion = applied.promotion.promotion
        code = None if promotion.automatic else code_of[promotion.promotion_id]
        claims.append(_claim(promotion_id=promotion.promotion_id, amount=applied.discount.amount, code=code))
    return tuple(claims)
