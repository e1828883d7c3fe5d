"""The rules of sale: price lists, promotions, markets, tax areas and shipping methods, as data.

They are stored as they stand here, whole, in the events of the stream `terms-main`. Amounts are minor units
by currency (`{"GBP": 500}`); a currency that is missing means that the rule does not apply there.
Percentages are parts per million.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from aggregates.kernel import Sku

Ppm = int
"""A percentage in parts per million: 10 % is 100_000, 9.975 % is 99_750."""
WHOLE: Ppm = 1_000_000
Amounts = dict[str, int]
"""Minor units by currency."""
Tiers = tuple[tuple[int, Decimal], ...]
"""Exact unit prices in major units, each from a quantity on, ascending: `((1, 10.00), (10, 9.00))`."""

BASE = "base"
"""The list of a product's own price, the listing's."""
MAIN_MARKET = "main"
"""The market of a cart that names none."""
STANDARD = "standard"
"""The tax category of what names none."""
GIFT_CARD = "(gift card)"
"""The tax category of credit that is sold, which no product can name: outside of tax, wherever it goes. What
it buys is taxed."""
SHIPPING = "shipping"
"""What names the shipping charge among targets, and its tax category where it has one of its own."""

ListKind = Literal["override", "sale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Whom a list of prices is for. An `override` replaces other prices, a `sale` counts where it is lower.

    No `markets` or `customer_groups` means all of them. From `starts_at` until before `ends_at` the list's
    prices hold.
    """

    list_id: str
    currency: str
    kind: ListKind = "override"
    label: str = ""
    markets: tuple[str, ...] = ()
    customer_groups: tuple[str, ...] = ()
    tax_included: bool = True
    priority: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which lines a rule concerns: all given parts hold, each part is any-of.

    A category selects those below it too (`Kitchen` selects `Kitchen > Mugs`). `attributes` maps a code to
    values. Lines that are not discountable and gifts are never selected.
    """

    skus: tuple[Sku, ...] = ()
    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sellers: tuple[str, ...] = ()
    not_skus: tuple[Sku, ...] = ()
    not_categories: tuple[str, ...] = ()
    not_on_sale: bool = False


EVERY_LINE = Selector()

ConditionKind = Literal[
    "amount_at_least", "quantity_at_least", "first_order", "customer_groups", "countries", "any_of"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing that must hold for a promotion to apply; which fields count follows from `kind`.

    amount_at_least: `selector`, `amount`; quantity_at_least: `selector`, `quantity`; customer_groups:
    `customer_groups`; countries: `countries`; any_of: `any_of`, one of which must hold; first_order:
    nothing.
    """

    kind: ConditionKind
    selector: Selector = EVERY_LINE
    amount: Amounts = field(default_factory=dict)
    quantity: int = 0
    customer_groups: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    any_of: tuple[Condition, ...] = ()


ActionKind = Literal[
    "percent",
    "per_unit",
    "unit_price",
    "buy_get",
    "bundle",
    "percent_off",
    "amount_off",
    "gift",
    "shipping_percent",
    "shipping_amount",
    "shipping_price",
]
LINE_ACTIONS: frozenset[ActionKind] = frozenset({"percent", "per_unit", "unit_price", "buy_get", "bundle"})
CART_ACTIONS: frozenset[ActionKind] = frozenset({"percent_off", "amount_off", "gift"})
SHIPPING_ACTIONS: frozenset[ActionKind] = frozenset({"shipping_percent", "shipping_amount", "shipping_price"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTier:
    """What an action gives from so much on: units (`quantity`) for `percent`, a sum (`from_amount`) for the
    cart's."""

    quantity: int = 0
    from_amount: Amounts = field(default_factory=dict)
    percent: Ppm = 0
    amount: Amounts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePart:
    """So many units of what is selected, in each bundle."""

    selector: Selector
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a promotion gives; which fields count follows from `kind`.

    percent: `selector`, and `percent` or `tiers` by the units of the line or of the selection (`tiers_by`)
    per_unit: `selector`, `amount` off each unit
    unit_price: `selector`, `price` of each unit
    buy_get: `buy`, `buy_quantity`, `get`, `get_quantity`, `percent` off what is got, `times_max`, `spread`
    bundle: `parts`, and one of `price` of a bundle, `percent` off it, `amount` off it; `times_max`
    percent_off: `selector`, and `percent` or `tiers` by the sum of the selection
    amount_off: `selector`, and `amount` or `tiers` by the sum of the selection
    gift: `skus` to choose from (the first by default), `quantity`
    shipping_percent: `percent`; shipping_amount: `amount`; shipping_price: `price`
    """

    kind: ActionKind
    selector: Selector = EVERY_LINE
    percent: Ppm = 0
    amount: Amounts = field(default_factory=dict)
    price: Amounts = field(default_factory=dict)
    tiers: tuple[ActionTier, ...] = ()
    tiers_by: Literal["line", "selection"] = "line"
    buy: Selector = EVERY_LINE
    buy_quantity: int = 0
    get: Selector = EVERY_LINE
    get_quantity: int = 0
    spread: Literal["all", "rewarded"] = "all"
    parts: tuple[BundlePart, ...] = ()
    times_max: int | None = None
    skus: tuple[Sku, ...] = ()
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A discount, a gift or cheaper shipping, while its window is open and all its conditions hold.

    Not `automatic`: one of its coupons must be in the cart. From `starts_at` until before `ends_at`. No
    `markets` means all. Order: the higher `priority` first, then by `promotion_id`. Of a `group` at most
    one applies: the `best`, or the `first`. `exclusive`: it applies alone. `uses_max`,
    `uses_per_shopper_max` and `budget` are limits over all orders, `cap` bounds the discount in one.
    `guests`: whether limits per shopper may be judged by a guest's e-mail address. `announce`: shown to
    everybody while it runs.
    """

    promotion_id: str
    label: str
    action: Action
    automatic: bool = True
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    markets: tuple[str, ...] = ()
    priority: int = 100
    group: str | None = None
    group_mode: Literal["best", "first"] = "best"
    exclusive: bool = False
    conditions: tuple[Condition, ...] = ()
    uses_max: int | None = None
    uses_per_shopper_max: int | None = None
    budget: Amounts = field(default_factory=dict)
    cap: Amounts = field(default_factory=dict)
    guests: Literal["refuse", "by_email"] = "refuse"
    announce: bool = False


TaxPricing = Literal["exclusive", "inclusive", "inclusive_by_country"]
ShippingTax = Literal["proportional", "highest", "category", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Whom one set of prices and taxes is for. Currencies and locales: the first is the default.

    `reference_area`: the tax area whose tax the prices of `inclusive_by_country` contain. `progressive`:
    the prior price of a series of reductions is that of the first one.
    """

    market_id: str
    countries: tuple[str, ...]
    currencies: tuple[str, ...]
    label: str = ""
    locales: tuple[str, ...] = ("en",)
    tax_pricing: TaxPricing = "inclusive"
    shipping_tax: ShippingTax = "proportional"
    reference_area: str | None = None
    progressive: bool = False

    @property
    def tax_included(self) -> bool:
        """Whether its prices contain tax."""
        return self.tax_pricing != "exclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where the merchant sells from. `vat_numbers`: its own, by country. `tax_included`: of base prices."""

    country: str
    region: str | None = None
    postal_code: str | None = None
    vat_numbers: dict[str, str] = field(default_factory=dict)
    tax_included: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxComponent:
    """One tax of a rate: its percentage of the net, or with `compound` of the net and the components before
    it."""

    name: str
    percent: Ppm
    compound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRate:
    """What is due on a tax category, from the day `starts_on` until before `ends_on` (UTC)."""

    tax_category: str
    components: tuple[TaxComponent, ...]
    label: str = ""
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxArea:
    """Where rates hold: a country, regions of it, postal codes that begin so; of both, where both hold. The
    narrowest area of a place counts: the longest prefix, then regions, then the country.

    A category without a rate has that of `standard`.

    `components_rounded` `each`: every component is rounded by itself; `together`: the combined rate once.
    `sourcing` `origin`: within the merchant's own region its own area counts. `provider`: who is asked for
    the tax of this area; `provider_fallback`: whether the rates here hold where nobody answers.
    """

    area_id: str
    country: str
    label: str = ""
    regions: tuple[str, ...] = ()
    postal_prefixes: tuple[str, ...] = ()
    rates: tuple[TaxRate, ...] = ()
    components_rounded: Literal["each", "together"] = "together"
    sourcing: Literal["destination", "origin"] = "destination"
    provider: str | None = None
    provider_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """Places: a country, or in it regions and postal codes that begin so; of both, where both hold; but none
    of the excepted ones."""

    country: str
    regions: tuple[str, ...] = ()
    postal_prefixes: tuple[str, ...] = ()
    except_regions: tuple[str, ...] = ()
    except_postal_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingTier:
    """The price from so much on: grams or units (`at_least`), or a sum (`from_amount`).

    With `step` and `step_price`, so much more for every started step of grams or units above it.
    """

    price: Amounts
    at_least: int = 0
    from_amount: Amounts = field(default_factory=dict)
    step: int | None = None
    step_price: Amounts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickupPoint:
    """Where a shopper fetches an order."""

    point_id: str
    label: str
    country: str
    region: str | None = None
    postal_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingMethod:
    """How an order gets to its shopper, and for how much. No `markets` means all, no `zones` everywhere.

    `free_from`: the sum of the goods, after their discounts, from which it costs nothing. `days`: fewest
    and most. A `provider` is a carrier that is asked for the price.
    """

    method_id: str
    label: str
    kind: Literal["ship", "pickup"] = "ship"
    markets: tuple[str, ...] = ()
    zones: tuple[Zone, ...] = ()
    by: Literal["weight_grams", "amount", "quantity"] = "weight_grams"
    tiers: tuple[ShippingTier, ...] = ()
    free_from: Amounts = field(default_factory=dict)
    tax_category: str = STANDARD
    days: tuple[int, int] | None = None
    points: tuple[PickupPoint, ...] = ()
    provider: str | None = None


@dataclass(slots=True)
class Terms:
    """All rules of sale in force, each by its id; `version` is that of the stream they were folded from."""

    version: int = 0
    home: Home | None = None
    markets: dict[str, Market] = field(default_factory=dict)
    price_lists: dict[str, PriceList] = field(default_factory=dict)
    promotions: dict[str, Promotion] = field(default_factory=dict)
    tax_areas: dict[str, TaxArea] = field(default_factory=dict)
    shipping_methods: dict[str, ShippingMethod] = field(default_factory=dict)
