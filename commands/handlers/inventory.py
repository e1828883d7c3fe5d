"""Commands on stock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from aggregates.catalog import product
from aggregates.catalog.product import Product
from aggregates.inventory import stock
from aggregates.kernel import MAIN, Rejected, Sku, UnknownProduct
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveStock:
    """Book units that arrived; the same source is booked once."""

    name: ClassVar = "receive_stock"
    sku: Sku
    quantity: int
    reason: str
    location: str = MAIN
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustStock:
    """Correct the books by some units, up or down."""

    name: ClassVar = "adjust_stock"
    sku: Sku
    delta: int
    reason: str
    location: str = MAIN


def handle_receive_stock(cache: StateCache, command: ReceiveStock) -> Decision:
    """Receives units of a product that was listed once."""
    stream = stock.stream(command.sku)
    states = cache.states((stream, product.stream(command.sku)))
    _known(states[product.stream(command.sku)], command.sku)
    decision = Decision(id=command.sku, stream=stream)
    decision.add(
        stream,
        stock.receive(
            states[stream],
            sku=command.sku,
            location=command.location,
            quantity=command.quantity,
            reason=command.reason,
            source=command.source,
        ),
    )
    decision.created = bool(decision.events)
    return decision


def handle_adjust_stock(cache: StateCache, command: AdjustStock) -> Decision:
    """Adjusts the stock of a product that was listed once."""
    stream = stock.stream(command.sku)
    states = cache.states((stream, product.stream(command.sku)))
    _known(states[product.stream(command.sku)], command.sku)
    decision = Decision(id=command.sku, stream=stream)
    decision.add(
        stream,
        stock.adjust(
            states[stream],
            sku=command.sku,
            location=command.location,
            delta=command.delta,
            reason=command.reason,
        ),
    )
    decision.created = bool(decision.events)
    return decision


def _known(product: Product, sku: Sku) -> None:
    """A typing slip must not open a shelf for a product that never was."""
    if product.offer is None:
        raise Rejected(UnknownProduct(sku))


HANDLERS: Handlers = {ReceiveStock: handle_receive_stock, AdjustStock: handle_adjust_stock}
