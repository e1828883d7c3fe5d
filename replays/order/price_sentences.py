"""How an order's total came about, in words that a bookkeeper reads: what was taken off, and for which line;
shipping; tax by rate; and what the order used of anything limited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aggregates.kernel import Money
from aggregates.orders.events import OrderClaim, OrderPlaced
from aggregates.pricing.explanation import Explanation, ShippingPrice, Step, TaxTotal
from aggregates.pricing.rules import SHIPPING
from replays.order.words import money_in_words

_UNTAXED = {
    "exempt": "the buyer is exempt",
    "reverse_charge": "reverse charge, the buyer owes it",
    "outside": "no rate is known there",
}


def explained(placed: OrderPlaced, explanation: Explanation) -> Iterator[str]:
    """A line for each part of the total beside the order's lines, in the order of the calculation."""
    currency = placed.currency
    names = {line.line_id: line.title for line in placed.lines} | {SHIPPING: SHIPPING}
    for step in explanation.steps:
        if step.step in ("line_promotion", "cart_promotion", "gift"):
            yield _discount(step, names, currency)
    if placed.shipping is not None:
        yield _shipping(placed.shipping, currency)
    for step in explanation.steps:
        if step.step == "shipping_promotion":
            yield _discount(step, names, currency)
    for step in explanation.steps:
        if step.step == "tax_adjustment":
            what = "tax taken off the prices" if step.amount < 0 else "tax put on the prices"
            changed = _money(step.amount, currency)
            yield f"{what}, {step.label}: {changed}{_shares(step, names, currency)}"
    for total in placed.taxes:
        yield _tax(total, currency)
    for claim in placed.claims:
        yield _claim(claim, currency)
    yield f"priced by version {explanation.terms} of the rules"


def _discount(step: Step, names: Mapping[str, str], currency: str) -> str:
    rate = f", {step.rate} of {_money(step.base, currency)}" if step.rate and step.rate.endswith("%") else ""
    taken = _money(step.amount, currency)
    return f"discount {step.label} ({step.rule}){rate}: {taken}{_shares(step, names, currency)}"


def _shares(step: Step, names: Mapping[str, str], currency: str) -> str:
    """What each line, or shipping, bears of it."""
    parts = [f"{names.get(target, target)} {_money(part, currency)}" for target, part in step.shares.items()]
    return f" ({', '.join(parts)})" if parts else ""


def _shipping(shipping: ShippingPrice, currency: str) -> str:
    return f"shipping {shipping.label} ({shipping.method_id}): {_money(shipping.rate, currency)}"


def _tax(total: TaxTotal, currency: str) -> str:
    base = _money(total.base, currency)
    if total.treatment != "taxed":
        return f"no tax on {base}: {_UNTAXED[total.treatment]} ({total.group})"
    tax = _money(total.amount, currency)
    if total.inside:
        words = f"tax {total.label} ({total.group}), {tax} inside {base}"
    else:
        words = f"tax {total.label} ({total.group}), {total.rate} of {base} on top: {tax}"
    parts = [f"{name} {_money(amount, currency)}" for name, amount in total.components.items()]
    return words + (f" ({', '.join(parts)})" if len(parts) > 1 else "")


def _claim(claim: OrderClaim, currency: str) -> str:
    match claim.limit:
        case "coupon":
            return f"one use of the coupon {claim.key} was claimed"
        case "promotion":
            return f"one use of {claim.key} was claimed, over {_money(claim.amount, currency)}"
        case "shopper":
            return f"one use of {claim.promotion_id} was claimed for the shopper"


def _money(amount: int, currency: str) -> str:
    return money_in_words(Money(amount, currency))
