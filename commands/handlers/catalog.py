"""Commands on products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aggregates.catalog import product
from aggregates.catalog.events import ProductListed, ProductRevised
from aggregates.kernel import Sku
from aggregates.pricing.rules import BASE, PriceList, Tiers
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProduct:
    """Put a product on sale."""

    name: ClassVar = "list_product"
    product: ProductListed


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseProduct:
    """Give a product other facts."""

    name: ClassVar = "revise_product"
    product: ProductRevised


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePrice:
    """Sell a product at other prices of its base list from now on."""

    name: ClassVar = "change_price"
    sku: Sku
    currency: str
    tiers: Tiers


@dataclass(frozen=True, slots=True, kw_only=True)
class DelistProduct:
    """Take a product off sale."""

    name: ClassVar = "delist_product"
    sku: Sku
    reason: str


def handle_list_product(cache: StateCache, command: ListProduct) -> Decision:
    """Lists the product."""
    sku = command.product.sku
    stream = product.stream(sku)
    decision = Decision(id=sku, stream=stream)
    decision.add(stream, product.list_product(cache.state(stream), listed=command.product))
    decision.created = bool(decision.events)
    return decision


def handle_revise_product(cache: StateCache, command: ReviseProduct) -> Decision:
    """Changes the product's facts; its prices stay."""
    sku = command.product.sku
    stream = product.stream(sku)
    decision = Decision(id=sku, stream=stream)
    decision.add(stream, product.revise(cache.state(stream), revised=command.product))
    return decision


def handle_change_price(cache: StateCache, command: ChangePrice) -> Decision:
    """Changes the price; in a further currency, opens that."""
    stream = product.stream(command.sku)
    decision = Decision(id=command.sku, stream=stream)
    own = PriceList(list_id=BASE, currency=command.currency)
    decision.add(
        stream,
        product.change_price(cache.state(stream), sku=command.sku, price_list=own, tiers=command.tiers),
    )
    return decision


def handle_delist_product(cache: StateCache, command: DelistProduct) -> Decision:
    """Delists the product."""
    stream = product.stream(command.sku)
    decision = Decision(id=command.sku, stream=stream)
    decision.add(stream, product.delist(cache.state(stream), sku=command.sku, reason=command.reason))
    return decision


HANDLERS: Handlers = {
    ListProduct: handle_list_product,
    ReviseProduct: handle_revise_product,
    ChangePrice: handle_change_price,
    DelistProduct: handle_delist_product,
}
