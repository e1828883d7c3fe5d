"""The laws of pricing, each a check of one cart: AssertionError where it is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from random import Random
from typing import TypeVar

import msgspec

from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.context import Context, PricedLine
from aggregates.pricing.explanation import Priced, StepKind
from aggregates.pricing.price import price
from aggregates.pricing.refunds import (
    Refundable,
    RefundShare,
    Tender,
    by_tender,
    refund_amount,
    refund_rest,
    refund_units,
)
from aggregates.pricing.rules import SHIPPING, Terms
from tests.pricing.generate import Cart, cart

T = TypeVar("T")
DISCOUNTS: tuple[StepKind, ...] = ("line_promotion", "cart_promotion", "gift", "shipping_promotion")


@dataclass(frozen=True)
class PricedCart:
    """A generated cart and what it costs."""

    number: int
    cart: Cart
    priced: Priced

    def __repr__(self) -> str:  # what a failing test shows
        return f"cart({self.number})"


def priced_carts(numbers: Sequence[int]) -> Iterator[PricedCart]:
    """The carts of these numbers, priced."""
    for number in numbers:
        made = cart(number)
        yield PricedCart(number, made, price(made.lines, compile_terms(made.terms), made.context))


def by_target(priced: Priced, *kinds: StepKind) -> Counter[str]:
    """What the steps of these kinds did to each target."""
    sums: Counter[str] = Counter()
    for step in priced.explanation.steps:
        if step.step in kinds:
            sums.update(step.shares)
    return sums


def shares_sum_to_their_step(one: PricedCart) -> None:
    """Law 1, and every amount of the outcome is what the steps made of it."""
    priced = one.priced
    for step in priced.explanation.steps:
        assert sum(step.shares.values()) == step.amount
        assert 0 not in step.shares.values()
    discounts, taxes = by_target(priced, *DISCOUNTS), by_target(priced, "tax")
    changes = by_target(priced, "tax_adjustment")
    for step in priced.explanation.steps:
        if step.step == "tax" and not step.inside:
            changes.update(step.shares)
    targets: list[tuple[str, int, int, int, int]] = [
        (line.line_id, line.discount, line.net, line.tax, line.paid) for line in priced.lines
    ]
    if priced.shipping is not None:
        cost = priced.shipping
        assert by_target(priced, "shipping")[SHIPPING] == cost.rate
        assert sum(cost.tax_groups.values()) == cost.tax
        targets.append((SHIPPING, cost.discount, cost.net, cost.tax, cost.paid))
    for target, discount, net, tax, paid in targets:
        assert discounts[target] == -discount
        assert taxes[target] == tax
        assert net + changes[target] == paid
    assert {*discounts, *taxes, *changes} <= {target for target, *_ in targets}


def nothing_costs_less_than_nothing(one: PricedCart) -> None:
    """Law 2."""
    for line in one.priced.lines:
        assert 0 <= line.net <= line.line_total
        assert line.net == line.line_total - line.discount
        assert 0 <= line.tax <= line.paid
    if (cost := one.priced.shipping) is not None:
        assert 0 <= cost.net <= cost.rate
        assert cost.net == cost.rate - cost.discount
        assert 0 <= cost.tax <= cost.paid


def the_total_is_the_sum(one: PricedCart) -> None:
    """Law 3. Its tenders are summed where they give back."""
    priced = one.priced
    charges = sum(charge.amount for charge in priced.charges)
    assert priced.total == sum(line.line_total for line in priced.lines) + charges
    shipping = 0 if priced.shipping is None else priced.shipping.paid
    assert priced.total == sum(line.paid for line in priced.lines) + shipping
    discounts = {charge.rule: -charge.amount for charge in priced.charges if charge.kind == "discount"}
    assert discounts == {claim.promotion_id: claim.amount for claim in priced.claims if claim.amount}


def tax_is_the_sum(one: PricedCart) -> None:
    """Law 4."""
    priced = one.priced
    of_groups = sum(group.amount for group in priced.taxes)
    shipping = 0 if priced.shipping is None else priced.shipping.tax
    assert of_groups == sum(line.tax for line in priced.lines) + shipping
    assert of_groups == sum(by_target(priced, "tax").values())
    for group in priced.taxes:
        assert sum(group.components.values()) == group.amount
        of_lines = sum(line.tax for line in priced.lines if line.tax_group == group.group)
        of_shipping = 0 if priced.shipping is None else priced.shipping.tax_groups.get(group.group, 0)
        assert of_lines + of_shipping == group.amount


def sold(priced: Priced) -> list[Refundable]:
    """What an order of it could give back."""
    found = [Refundable(line.line_id, line.paid, line.tax, line.quantity) for line in priced.lines]
    if priced.shipping is not None:
        found.append(Refundable(SHIPPING, priced.shipping.paid, priced.shipping.tax))
    return found


def tenders(priced: Priced, chance: Random) -> list[Tender]:
    """Up to two gift cards, and a card for the rest."""
    found, rest = [], priced.total
    for number in range(chance.randrange(3)):
        amount = chance.randint(0, rest)
        found.append(Tender(f"gift-{number}", amount))
        rest -= amount
    return [*found, Tender("card", rest)]


Refund = tuple[dict[str, int] | None, int | None]
"""Units by target, or an amount, or the amount for the units."""


def some_refund(left: Sequence[Refundable], chance: Random) -> Refund | None:
    """A refund that there is still enough for; None where this one would give nothing."""
    rest = sum(each.left for each in left)
    if chance.random() < 0.4:
        return (None, chance.choice((1, rest // 2, chance.randint(0, rest)))) if rest else None
    open_units = [each for each in left if each.units_left]
    if not open_units:
        return None
    picked = chance.sample(open_units, chance.randint(1, min(3, len(open_units))))
    units = {
        each.target: chance.choice((1, each.units_left, chance.randint(1, each.units_left)))
        for each in picked
    }
    worth = sum(each.worth(units[each.target]) for each in picked)
    return units, chance.randint(0, worth) if chance.random() < 0.3 else None


def refunded(left: Sequence[Refundable], refund: Refund) -> tuple[RefundShare, ...]:
    """What goes back."""
    units, amount = refund
    if amount is not None:
        return refund_amount(left, amount, units)
    assert units is not None
    return refund_units(left, units)


def after(left: Sequence[Refundable], shares: Sequence[RefundShare]) -> list[Refundable]:
    """What is left then."""
    by_name = {share.target: share for share in shares}
    return [each.after(by_name[each.target]) if each.target in by_name else each for each in left]


def money_back_is_what_was_paid(one: PricedCart) -> None:
    """Law 5: refunds by chance until all of it is back."""
    chance = Random(one.number)
    left, methods = sold(one.priced), tenders(one.priced, chance)
    assert sum(each.amount for each in methods) == one.priced.total
    tax_back: Counter[str] = Counter()
    for is_last in [False] * chance.randint(1, 6) + [True]:
        refund = None if is_last else some_refund(left, chance)
        if refund is None and not is_last:
            continue
        shares = refund_rest(left) if refund is None else refunded(left, refund)
        amount = sum(share.amount for share in shares)
        tax_back.update({share.target: share.tax for share in shares})
        left = after(left, shares)
        back = by_tender(amount, methods)
        assert sum(back.values()) == amount
        methods = [replace(each, refunded=each.refunded + back.get(each.tender, 0)) for each in methods]
        for each in left:
            assert 0 <= each.refunded <= each.paid
            assert 0 <= tax_back[each.target] <= each.tax
            assert each.tax_refunded == tax_back[each.target]
            assert 0 <= each.units_refunded <= each.quantity
        for method in methods:
            assert 0 <= method.refunded <= method.amount
    for each in left:
        assert (each.refunded, tax_back[each.target]) == (each.paid, each.tax)
        assert each.units_left == 0
    assert all(method.left == 0 for method in methods)


class Recorded(msgspec.Struct):
    """What an order's record has of its price."""

    lines: tuple[PricedLine, ...]
    terms: Terms
    context: Context


def encoded(priced: Priced) -> bytes:
    """Every amount, and the explanation."""
    amounts = {each.name: getattr(priced, each.name) for each in fields(priced) if each.name != "explain"}
    return msgspec.json.encode([amounts, priced.explanation])


def pricing_again_gives_the_same_bytes(one: PricedCart) -> None:
    """Law 7, from what was stored."""
    made = one.cart
    stored = msgspec.json.encode(Recorded(made.lines, made.terms, made.context))
    read = msgspec.json.decode(stored, type=Recorded)
    again = price(read.lines, compile_terms(read.terms), read.context)
    assert encoded(again) == encoded(one.priced)


def the_order_of_definitions_changes_nothing(one: PricedCart) -> None:
    """Law 8."""
    made, chance = one.cart, Random(one.number)

    def shuffled(rules: dict[str, T]) -> dict[str, T]:
        names = list(rules)
        chance.shuffle(names)
        return {name: rules[name] for name in names}

    terms = replace(
        made.terms,
        promotions=shuffled(made.terms.promotions),
        tax_areas=shuffled(made.terms.tax_areas),
        shipping_methods=shuffled(made.terms.shipping_methods),
    )
    compiled = compile_terms(terms)
    for _ in range(2):
        again = price(made.lines, compiled, made.context)
        assert (again, again.explanation) == (one.priced, one.priced.explanation)


LAWS: tuple[Callable[[PricedCart], None], ...] = (
    shares_sum_to_their_step,
    nothing_costs_less_than_nothing,
    the_total_is_the_sum,
    tax_is_the_sum,
    money_back_is_what_was_paid,
    pricing_again_gives_the_same_bytes,
    the_order_of_definitions_changes_nothing,
)
