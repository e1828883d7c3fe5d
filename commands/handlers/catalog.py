"""Commands on products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aggregates.catalog import product
from aggregates.catalog.events import Variant
from aggregates.kernel import Sku, UnitPrice
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProduct:
    """Put a product on sale."""

    name: ClassVar = "list_product"
    sku: Sku
    title: str
    description: str
    category: str
    attributes: dict[str, str]
    price: UnitPrice
    seller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePrice:
    """Sell a product at another price from now on."""

    name: ClassVar = "change_price"
    sku: Sku
    price: UnitPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class DelistProduct:
    """Take a product off sale."""

    name: ClassVar = "delist_product"
    sku: Sku
    reason: str


def handle_list_product(cache: StateCache, command: ListProduct) -> Decision:
    """Lists the product with one variant, itself."""
    stream = product.stream(command.sku)
    state = cache.state(stream)
    decision = Decision(id=command.sku, stream=stream)
    decision.add(
        stream,
        product.list_product(
            state,
            sku=command.sku,
            title=command.title,
            description=command.description,
            category=command.category,
            attributes=command.attributes,
            price=command.price,
            seller=command.seller,
            variants=(Variant(sku=command.sku, title=command.title),),
        ),
    )
    decision.created = bool(decision.events)
    return decision


def handle_change_price(cache: StateCache, command: ChangePrice) -> Decision:
    """Changes the price, in the currency the product is listed in."""
    stream = product.stream(command.sku)
    decision = Decision(id=command.sku, stream=stream)
    decision.add(stream, product.change_price(cache.state(stream), sku=command.sku, price=command.price))
    return decision


def handle_delist_product(cache: StateCache, command: DelistProduct) -> Decision:
    """Delists the product."""
    stream = product.stream(command.sku)
    decision = Decision(id=command.sku, stream=stream)
    decision.add(stream, product.delist(cache.state(stream), sku=command.sku, reason=command.reason))
    return decision


HANDLERS: Handlers = {
    ListProduct: handle_list_product,
    ChangePrice: handle_change_price,
    DelistProduct: handle_delist_product,
}
