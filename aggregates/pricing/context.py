"""What is priced, and for whom: the other half of the calculation's input, beside the terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from aggregates.kernel import LineId, Sku
from aggregates.pricing.rules import STANDARD, TaxComponent, Tiers

Treatment = Literal["taxed", "exempt", "reverse_charge", "outside"]
"""Why tax is due or not; `outside`: no area there."""

VatStatus = Literal["unchecked", "confirmed", "unconfirmed"]
"""What is known of a VAT number of right form. `unchecked`: nobody was asked; `unconfirmed`: VIES does not
know it, or did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What rules may ask of a line. `group`: the product group. `on_sale`: a sale list gave its price."""

    category: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    seller: str = ""
    group: str | None = None
    tax_category: str = STANDARD
    weight_grams: int = 0
    ships: bool = True
    discountable: bool = True
    on_sale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLine:
    """Units of one SKU at the tiers of one price list.

    `was`: the exact unit price that a sale beat. `traits` None: unknown, so that only selectors which ask
    nothing select the line. `gift_of`: the promotion it is a gift of; it is left out of the outcome where
    that does not apply. `tokens`: as `matching.tokens` makes them, for a caller that prices a line often.
    """

    line_id: LineId
    sku: Sku
    quantity: int
    list_id: str
    tiers: Tiers
    was: Decimal | None = None
    traits: Traits | None = None
    gift_of: str | None = None
    tokens: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where it goes, as far as rules ask: `postal_prefix` is the longest that any rule names, of the postal
    code."""

    country: str
    region: str | None = None
    postal_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """What is counted of a shopper: orders, and uses by promotion. `guest`: known by an e-mail address
    alone."""

    orders: int = 0
    uses: dict[str, int] = field(default_factory=dict)
    guest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left of a promotion's limits: uses, and minor units of its budget in the cart's currency;
    None: no limit."""

    uses: int | None = None
    budget: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """By certificate: no tax in the area on these categories (none named: all) up to and including the
    day."""

    area_id: str
    tax_categories: tuple[str, ...] = ()
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxStatus:
    """Why a buyer owes no tax: exemptions, or a VAT number of another EU country that was found fit."""

    reverse_charge: bool = False
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTax:
    """An outside provider's answer on one target (a line's id, or `shipping`)."""

    treatment: Treatment
    components: tuple[TaxComponent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxAnswer:
    """An outside provider's answer, by target. It counts while `digest` is that of what is asked now."""

    digest: str
    provider: str
    reference: str
    answers: dict[str, TargetTax]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingAnswer:
    """A carrier's price in minor units of the cart's currency. It counts while `digest` is that of what is
    asked now."""

    digest: str
    provider: str
    reference: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything but lines and terms that a price depends on. An order records it as used.

    `shopper` None: not known yet; first orders and limits per shopper count as kept. `codes`: the promotion
    of each coupon, in the order they were entered. `left`: by promotion, for those that have a limit.
    """

    market: str
    currency: str
    at: datetime
    customer_groups: tuple[str, ...] = ()
    shopper: Shopper | None = None
    codes: dict[str, str] = field(default_factory=dict)
    left: dict[str, Left] = field(default_factory=dict)
    destination: Destination | None = None
    method_id: str | None = None
    tax_status: TaxStatus | None = None
    tax_answer: TaxAnswer | None = None
    shipping_answer: ShippingAnswer | None = None
    declined_gifts: tuple[str, ...] = ()
