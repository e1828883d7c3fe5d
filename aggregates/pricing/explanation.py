"""What the calculation says: the amounts, and every step that made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Literal

from aggregates.currencies import minor_digits
from aggregates.kernel import LineId, Sku
from aggregates.pricing.context import Treatment

DAYBOOK_1 = "daybook-1"
"""The calculation's name, its rounding included: half even for lines, percentages and refunds, half up for
tax."""

StepKind = Literal[
    "unit_price",
    "line_total",
    "line_promotion",
    "cart_promotion",
    "gift",
    "shipping",
    "shipping_promotion",
    "tax",
    "tax_adjustment",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that made an amount. `shares` by target (a line's id, or `shipping`) sum to `amount`; none
    is 0.

    `rule`: whose id it is depends on the step: a price list, a promotion, a shipping method, a tax group.
    `base`: what the rate is on, in minor units; of a shipping rate by weight or quantity, grams or units.
    `rate` and `exact` are for people: what was applied, and the amount before rounding, in minor units.
    `inside`: a tax that the price contains.
    """

    step: StepKind
    rule: str
    label: str
    base: int
    amount: int
    shares: dict[str, int]
    rate: str | None = None
    exact: str | None = None
    inside: bool = False


WhyNot = Literal[
    "better_in_group",
    "first_in_group",
    "exclusive",
    "conditions",
    "nothing_selected",
    "used_up",
    "over_budget",
    "shopper_limit",
    "guests",
    "declined",
    "currency",
    "market",
    "window",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplied:
    """A promotion that was near: its coupon is in the cart, or its conditions held, and yet it gave
    nothing."""

    rule: str
    why: WhyNot


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How a total came about; stored with the order for ever. `terms`: the version of the rules."""

    calculation: str
    terms: int
    at: datetime
    steps: tuple[Step, ...]
    not_applied: tuple[NotApplied, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePrice:
    """What a line costs. line_total - discount = net; `tax` is on top of it or inside; `paid` includes
    tax."""

    line_id: LineId
    sku: Sku
    quantity: int
    unit_price: Decimal
    line_total: int
    discount: int
    net: int
    tax: int
    paid: int
    tax_group: str | None = None
    gift_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingPrice:
    """What shipping costs: rate - discount = net, as a line's; and how long it takes."""

    method_id: str
    label: str
    rate: int
    discount: int
    net: int
    tax: int
    paid: int
    tax_groups: dict[str, int] = field(default_factory=dict)  # tax by group, as its shares


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePrice:
    """An amount beside the lines: a promotion's discount on lines or shipping (negative), shipping, tax on
    top.

    `rule`: the promotion, the shipping method, the tax group.
    """

    kind: Literal["discount", "shipping", "tax"]
    rule: str
    label: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxTotal:
    """The tax of one group over the order: once rounded. `base`: what it is on, tax included where it is
    inside."""

    group: str
    label: str
    tax_category: str
    treatment: Treatment
    base: int
    rate: str
    amount: int
    inside: bool
    components: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftDue:
    """A gift promotion holds: so many units of one of the SKUs."""

    promotion_id: str
    skus: tuple[Sku, ...]
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A promotion that applied: what placing the order uses of its limits. `code`: the coupon that brought
    it."""

    promotion_id: str
    amount: int
    code: str | None = None


NoticeKind = Literal[
    "free_delivery",
    "coupon_not_applied",
    "gift_available",
    "shipping_method_required",
    "shipping_method_unfit",
    "not_deliverable",
    "quote_required",
    "vat_number_unconfirmed",
]
BLOCKING: frozenset[NoticeKind] = frozenset(
    {"shipping_method_required", "shipping_method_unfit", "not_deliverable", "quote_required"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell the shopper: `amount` more for free delivery, a coupon that does not apply and why, a
    VAT number that was not confirmed, so that the cart is taxed.

    Those of `BLOCKING` say what a cart needs before it can be an order. `rule`: the promotion, the coupon's
    promotion, the shipping method, the country or the provider that it is about,
    how the VAT number begins. `why` of a method that does
    not fit: it is for another `market`, does not reach the `destination`, has no `price` for the cart, or was
    `retired`.
    """

    kind: NoticeKind
    rule: str = ""
    amount: int | None = None
    why: str | None = None

    @property
    def blocks(self) -> bool:
        """Whether the cart cannot be checked out as it is."""
        return self.kind in BLOCKING


@dataclass(frozen=True, kw_only=True)
class Priced:
    """The outcome: total = sum of line totals + sum of charges = sum of what is paid for lines and shipping.

    `claims`: every promotion that applied. `ends_at`: when the first of the applied promotions ends.
    `explain` makes the explanation, which most carts are never asked for.
    """

    currency: str
    lines: tuple[LinePrice, ...]
    charges: tuple[ChargePrice, ...]
    total: int
    explain: Callable[[], Explanation] = field(compare=False, repr=False)
    taxes: tuple[TaxTotal, ...] = ()
    shipping: ShippingPrice | None = None
    gifts: tuple[GiftDue, ...] = ()
    claims: tuple[Claim, ...] = ()
    notices: tuple[Notice, ...] = ()
    ends_at: datetime | None = None

    @cached_property
    def explanation(self) -> Explanation:
        """How the total came about: made once, when it is first needed."""
        return self.explain()


@lru_cache(maxsize=1024)
def percent_text(ppm: int) -> str:
    """A percentage for people: 99_750 is "9.975 %"."""
    return f"{decimal_text(ppm, 10_000)} %"


def decimal_text(numerator: int, denominator: int) -> str:
    """A quotient for people: up to four decimals, cut and not rounded, so that it shows on which side of a
    half it lies. `denominator` is above zero."""
    units, rest = divmod(abs(numerator) * 10_000 // denominator, 10_000)
    sign = "-" if numerator < 0 and (units or rest) else ""
    return f"{sign}{units}.{rest:04}".rstrip("0") if rest else f"{sign}{units}"


@lru_cache(maxsize=1024)
def money_text(amount: int, currency: str) -> str:
    """An amount in major units, as digits: 895 pence are "8.95"."""
    return f"{Decimal(amount).scaleb(-minor_digits(currency)):f}"
