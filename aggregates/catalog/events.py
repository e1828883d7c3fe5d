"""What can happen to a product. Stream `product-<sku>`."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.kernel import Sku, UnitPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One buyable form of a product; a product has one by default, under its own SKU."""

    sku: Sku
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductListed:
    """A product went on sale, or went on sale again with these facts."""

    sku: Sku
    title: str
    description: str
    category: str  # a path from the root: "Kitchen > Mugs"
    attributes: dict[str, str]
    price: UnitPrice
    seller: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChanged:
    """The product sells at this price from now on; what is in carts keeps the price it was added at."""

    sku: Sku
    price: UnitPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDelisted:
    """The product is no longer on sale."""

    sku: Sku
    reason: str


CatalogEvent = ProductListed | PriceChanged | ProductDelisted
