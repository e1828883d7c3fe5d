"""One product: listed, priced, delisted, and listed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from aggregates.catalog.events import CatalogEvent, PriceChanged, ProductDelisted, ProductListed, Variant
from aggregates.kernel import (
    Offer,
    ProductNotOnSale,
    Reason,
    Rejected,
    Sku,
    StreamKind,
    UnitPrice,
    UnknownProduct,
    WrongCurrency,
)


@dataclass(slots=True)
class Product:
    """`facts` is the last listing at today's price; None where the SKU was never listed."""

    facts: ProductListed | None = None
    on_sale: bool = False

    @property
    def offer(self) -> Offer | None:
        """What other contexts may know of it; None where it was never listed."""
        if self.facts is None:
            return None
        return Offer(
            sku=self.facts.sku,
            title=self.facts.title,
            seller=self.facts.seller,
            unit_price=self.facts.price,
            on_sale=self.on_sale,
        )


@dataclass(frozen=True, slots=True)
class ProductAlreadyListed(Reason):
    """The product is on sale with other facts"""

    sku: Sku


def initial() -> Product:
    """A SKU nobody has listed."""
    return Product()


def evolve(product: Product, event: CatalogEvent) -> Product:
    """The product after the event; changes it in place."""
    match event:
        case ProductListed():
            product.facts = event
            product.on_sale = True
        case PriceChanged(price=price):
            if product.facts is not None:
                product.facts = replace(product.facts, price=price)
        case ProductDelisted():
            product.on_sale = False
        case _:
            assert_never(event)
    return product


stream = StreamKind("product", initial, evolve)


def list_product(
    product: Product,
    *,
    sku: Sku,
    title: str,
    description: str,
    category: str,
    attributes: Mapping[str, str],
    price: UnitPrice,
    seller: str,
    variants: tuple[Variant, ...] = (),
) -> tuple[CatalogEvent, ...]:
    """Puts the product on sale, for the first time or again; one variant under its own SKU by default."""
    listed = ProductListed(
        sku=sku,
        title=title,
        description=description,
        category=category,
        attributes=dict(attributes),
        price=price,
        seller=seller,
        variants=variants or (Variant(sku=sku, title=title),),
    )
    if not product.on_sale:
        return (listed,)
    if product.facts == listed:
        return ()
    raise Rejected(ProductAlreadyListed(sku))


def change_price(product: Product, *, sku: Sku, price: UnitPrice) -> tuple[CatalogEvent, ...]:
    """Sells at `price` from now on, in the currency of the listing."""
    if product.facts is None:
        raise Rejected(UnknownProduct(sku))
    if not product.on_sale:
        raise Rejected(ProductNotOnSale(sku))
    if price.currency != product.facts.price.currency:
        raise Rejected(WrongCurrency(asked=price.currency, expected=product.facts.price.currency))
    if price == product.facts.price:
        return ()
    return (PriceChanged(sku=sku, price=price),)


def delist(product: Product, *, sku: Sku, reason: str) -> tuple[CatalogEvent, ...]:
    """Takes the product off sale; carts that hold it cannot be checked out with it."""
    if product.facts is None:
        raise Rejected(UnknownProduct(sku))
    if not product.on_sale:
        return ()
    return (ProductDelisted(sku=sku, reason=reason),)
