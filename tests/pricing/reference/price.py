"""The twelve steps, from the unit price to the total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aggregates.pricing.context import Context, PricedLine, Traits
from aggregates.pricing.rules import Promotion, Terms
from tests.pricing.reference.lists import tier
from tests.pricing.reference.numbers import half_even, minor_units
from tests.pricing.reference.places import Shipping, shipping
from tests.pricing.reference.promotions import (
    Applied,
    Goods,
    able,
    gift_line,
    take_off_goods,
    take_off_shipping,
)
from tests.pricing.reference.refunds import Bought
from tests.pricing.reference.taxes import SHIPPING, Group, Taxes, tax


@dataclass(frozen=True)
class Line:
    """What a line costs."""

    line_id: str
    line_total: int
    discount: int
    net: int
    tax: int
    paid: int
    quantity: int


@dataclass(frozen=True)
class ShippingCost:
    """What shipping costs."""

    method_id: str
    rate: int
    discount: int
    net: int
    tax: int
    paid: int


@dataclass(frozen=True)
class Outcome:
    """What is paid, and what made it. `applied`: by promotion its whole discount. `missing`: why the cart
    cannot be an order yet."""

    lines: tuple[Line, ...]
    shipping: ShippingCost | None
    charges: dict[str, int]
    total: int
    groups: tuple[Group, ...]
    applied: dict[str, int]
    gifts: tuple[str, ...]
    claims: tuple[tuple[str, int, str | None], ...]
    missing: tuple[str, ...]
    ends_at: datetime | None

    def bought(self) -> list[Bought]:
        """What can go back."""
        found = [Bought(line.line_id, line.paid, line.tax, line.quantity) for line in self.lines]
        if self.shipping is not None:
            found.append(Bought(SHIPPING, self.shipping.paid, self.shipping.tax, 1))
        return found


@dataclass
class World:
    """One set of promotions tried on the cart."""

    lines: list[PricedLine]
    goods: Goods
    shipping: Shipping
    on_shipping: list[Applied]

    @property
    def applied(self) -> list[Applied]:
        return self.goods.applied + self.on_shipping

    @property
    def gives(self) -> bool:
        """Whether a promotion applied in it."""
        return bool(self.applied or self.goods.gifts)

    @property
    def shipping_net(self) -> int:
        return self.shipping.rate - sum(each.shipping for each in self.on_shipping)

    @property
    def cost(self) -> int:
        """Nets and shipping."""
        return sum(self.goods.left[line.line_id] for line in self.lines) + self.shipping_net


def line_total(line: PricedLine, currency: str) -> int:
    """Steps 1 and 2. A line that shrank below its locked tiers costs their first."""
    unit_price = tier(line.tiers, max(line.quantity, line.tiers[0][0]))
    assert unit_price is not None
    return half_even(unit_price * line.quantity * minor_units(currency))


def traits_of(line: PricedLine) -> Traits:
    """A line's traits; what is usual where they are not known."""
    return Traits() if line.traits is None else line.traits


def try_out(
    promotions: Sequence[Promotion], lines: Sequence[PricedLine], terms: Terms, context: Context
) -> World:
    """Steps 3 to 7 with these promotions alone."""
    totals = {line.line_id: line_total(line, context.currency) for line in lines}
    goods = take_off_goods(promotions, lines, totals, context)
    given = [gift_line(promotion, lines) for promotion in goods.gifts]
    kept = [line for line in lines if line.gift_of is None or line in given]
    sent = [line for line in kept if traits_of(line).ships]
    rate = shipping(
        terms,
        context,
        weight_grams=sum(traits_of(line).weight_grams * line.quantity for line in sent),
        amount=sum(goods.left[line.line_id] for line in kept),
        quantity=sum(line.quantity for line in sent),
        ships=bool(sent),
    )
    on_shipping: list[Applied] = []
    if rate.method is not None:
        on_shipping = take_off_shipping(promotions, lines, goods, rate.rate, context)
    return World(kept, goods, rate, on_shipping)


def price(lines: Sequence[PricedLine], terms: Terms, context: Context) -> Outcome:
    """What the cart costs."""
    found = able(terms, context)
    best = try_out([each for each in found if not each.exclusive], lines, terms, context)
    alone = [try_out([each], lines, terms, context) for each in found if each.exclusive]
    for world in [each for each in alone if each.gives][:8]:
        if world.cost < best.cost:
            best = world
    nets = best.goods.left
    method = best.shipping.method
    taxes = tax(
        [(line.line_id, traits_of(line).tax_category, nets[line.line_id]) for line in best.lines],
        None if method is None else (method.tax_category, best.shipping_net),
        terms,
        context,
    )
    return outcome(best, taxes, terms, context)


def outcome(world: World, taxes: Taxes, terms: Terms, context: Context) -> Outcome:
    """Step 11."""
    lines = []
    for line in world.lines:
        net, total = world.goods.left[line.line_id], world.goods.totals[line.line_id]
        lines.append(
            Line(
                line.line_id,
                total,
                total - net,
                net,
                taxes.tax[line.line_id],
                taxes.paid[line.line_id],
                line.quantity,
            )
        )
    cost = None
    if world.shipping.method is not None:
        rate, net = world.shipping.rate, world.shipping_net
        cost = ShippingCost(
            world.shipping.method.method_id, rate, rate - net, net, taxes.tax[SHIPPING], taxes.paid[SHIPPING]
        )
    charges = {
        "discount": -sum(each.amount for each in world.applied),
        "shipping": world.shipping.rate,
        "tax": sum(group.charge for group in taxes.groups),
    }
    missing = [] if world.shipping.missing is None else [world.shipping.missing]
    ends = [each.promotion.ends_at for each in world.applied if each.promotion.ends_at is not None]
    return Outcome(
        lines=tuple(lines),
        shipping=cost,
        charges=charges,
        total=sum(line.line_total for line in lines) + sum(charges.values()),
        groups=tuple(taxes.groups),
        applied={each.promotion.promotion_id: each.amount for each in world.applied},
        gifts=tuple(promotion.promotion_id for promotion in world.goods.gifts),
        claims=tuple(
            (each.promotion.promotion_id, each.amount, code_of(each, context)) for each in world.applied
        ),
        missing=tuple(missing),
        ends_at=min(ends, default=None),
    )


def code_of(applied: Applied, context: Context) -> str | None:
    """The coupon that brought a promotion."""
    if applied.promotion.automatic:
        return None
    return next(
        code for code, promotion in context.codes.items() if promotion == applied.promotion.promotion_id
    )
