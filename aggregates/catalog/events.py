"""What can happen to a product (`product-<sku>`), and to the prices of a list that has ended
(`price_list-<list id>`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aggregates.kernel import Sku, UnitPrice
from aggregates.pricing.rules import BASE, STANDARD, PriceList, Tiers


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductListed:
    """A product went on sale, or went on sale again with these facts.

    `price` is the first tier of its base list in that currency. `ships`: it is sent, so that a way of
    sending is needed. `discountable`: promotions may concern it. `gift_card`: what is sold is credit of its
    price.
    """

    sku: Sku
    title: str
    description: str
    category: str  # a path from the root: "Kitchen > Mugs"
    attributes: dict[str, str]
    price: UnitPrice
    seller: str
    tax_category: str = STANDARD
    weight_grams: int | None = None
    ships: bool = True
    discountable: bool = True
    gift_card: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRevised:
    """The product has these facts from now on; its prices stay."""

    sku: Sku
    title: str
    description: str
    category: str
    attributes: dict[str, str]
    seller: str
    tax_category: str = STANDARD
    weight_grams: int | None = None
    ships: bool = True
    discountable: bool = True
    gift_card: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChanged:
    """The product sells at these tiers of this list from now on; what is in carts keeps its price while it
    is locked.

    `list` is the list's head as it stood. `schedule_id`: the schedule that was due.
    """

    sku: Sku
    list: PriceList
    currency: str
    tiers: Tiers
    schedule_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWithdrawn:
    """The product has no price on this list any more. `schedule_id`: the schedule that ended."""

    sku: Sku
    list_id: str
    currency: str
    schedule_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceScheduled:
    """From `starts_at` on, and until `ends_at` where there is one, the product is to sell at these tiers of
    this list."""

    schedule_id: str
    sku: Sku
    list: PriceList
    currency: str
    tiers: Tiers
    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceScheduleCanceled:
    """The schedule will change no price any more."""

    schedule_id: str
    sku: Sku


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDelisted:
    """The product is no longer on sale."""

    sku: Sku
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPricesWithdrawn:
    """The prices of an ended list that were set up to this position of the log hold no more: each is
    withdrawn by an event of its product, at the latest in the same command. `done`: those are all."""

    list_id: str
    upto: int  # a position
    done: bool = False


PriceEvent = PriceChanged | PriceWithdrawn | PriceScheduled | PriceScheduleCanceled
CatalogEvent = ProductListed | ProductRevised | PriceEvent | ProductDelisted


def product_listed_from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Number 1 had variants, always the product itself, and no facts that taxes and shipping ask for."""
    return {name: value for name, value in data.items() if name != "variants"}


def price_changed_from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Number 1 was one price, of the product's own list."""
    price = data["price"]
    return {
        "sku": data["sku"],
        "list": {"list_id": BASE, "currency": price["currency"]},
        "currency": price["currency"],
        "tiers": [[1, price["exact"]]],
    }
