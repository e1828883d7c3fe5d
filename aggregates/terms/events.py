"""What can happen to the rules of sale. All of it is one stream, `terms-main`."""

from __future__ import annotations

from dataclasses import dataclass, field

from aggregates.pricing.rules import (
    Home,
    Market,
    PriceList,
    Promotion,
    ShippingMethod,
    TaxArea,
    TaxRate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSet:
    """Where the merchant sells from, and whether base prices include tax."""

    country: str
    region: str | None = None
    postal_code: str | None = None
    vat_numbers: dict[str, str] = field(default_factory=dict)  # the merchant's own, by country
    tax_included: bool = True

    @property
    def home(self) -> Home:
        """The rule that it sets."""
        return Home(
            country=self.country,
            region=self.region,
            postal_code=self.postal_code,
            vat_numbers=self.vat_numbers,
            tax_included=self.tax_included,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDefined:
    """A market holds from now on, in place of one of its id."""

    market: Market


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRetired:
    """Nothing is sold in the market any more."""

    market_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceListDefined:
    """There is a price list; defined again, it has another label or window."""

    price_list: PriceList


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceListEnded:
    """No product gets a price on the list any more; those that have one lose it by events of their own. Its
    id is not given again."""

    list_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionDefined:
    """A promotion holds from now on, in place of one of its id."""

    promotion: Promotion


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionStarted:
    """The window of the promotion has opened; one without a start is open since it was defined.
    Pages show it; what is priced follows the window itself."""

    promotion_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionEnded:
    """The promotion applies no more: its window has closed, or an operator ended it."""

    promotion_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxAreaDefined:
    """A tax area holds from now on, in place of one of its id."""

    area: TaxArea


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRatesSet:
    """The area has these rates and no others."""

    area_id: str
    rates: tuple[TaxRate, ...]  # at most 1,000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxAreaRetired:
    """The rates of the area hold no more."""

    area_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingMethodDefined:
    """A shipping method is offered from now on, in place of one of its id."""

    method: ShippingMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingMethodRetired:
    """The shipping method is offered no more."""

    method_id: str


TermsEvent = (
    HomeSet
    | MarketDefined
    | MarketRetired
    | PriceListDefined
    | PriceListEnded
    | PromotionDefined
    | PromotionStarted
    | PromotionEnded
    | TaxAreaDefined
    | TaxRatesSet
    | TaxAreaRetired
    | ShippingMethodDefined
    | ShippingMethodRetired
)
