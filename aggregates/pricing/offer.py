"""What the catalog offers of a SKU, as pricing and other contexts get it."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.kernel import Sku
from aggregates.pricing.context import Traits
from aggregates.pricing.rules import PriceList, Tiers


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPrice:
    """The prices of one product on one list: tiers in the list's currency."""

    price_list: PriceList
    tiers: Tiers


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The catalog's present facts of a SKU. `prices`: all of its prices, whoever they are for."""

    sku: Sku
    title: str
    seller: str
    traits: Traits
    prices: tuple[ListPrice, ...]
    on_sale: bool
    gift_card: bool = False
