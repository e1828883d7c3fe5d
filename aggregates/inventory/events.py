"""What can happen to the stock of one SKU. Stream `stock-<sku>`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aggregates.kernel import OrderId, Sku

ReleaseCause = Literal["declined", "canceled", "expired", "lapsed", "refunded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReceived:
    """Units arrived. A `source` is received once: the same source again is no second delivery."""

    sku: Sku
    location: str
    quantity: int  # units, at least 1
    reason: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAdjusted:
    """A count or a clerk corrected the books by `delta` units, up or down. A `source` counts once."""

    sku: Sku
    location: str
    delta: int  # units, not 0
    reason: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReserved:
    """Units were set aside for an order; no other order can take them."""

    sku: Sku
    location: str
    order_id: OrderId
    quantity: int  # units, at least 1
    expires_at: datetime  # UTC; payment undecided by then, the units go back on sale


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationConfirmed:
    """The order is paid for: its units wait for dispatch and expire no more."""

    sku: Sku
    location: str
    order_id: OrderId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationReleased:
    """Units of the order are on sale again."""

    sku: Sku
    location: str
    order_id: OrderId
    quantity: int
    cause: ReleaseCause


@dataclass(frozen=True, slots=True, kw_only=True)
class StockDispatched:
    """Units left for the customer; `from_reservation` of them had been set aside (0 for imports)."""

    sku: Sku
    location: str
    order_id: OrderId
    quantity: int
    from_reservation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRestocked:
    """Units came back from a customer, fit for sale."""

    sku: Sku
    location: str
    order_id: OrderId
    return_id: str
    quantity: int


InventoryEvent = (
    StockReceived
    | StockAdjusted
    | StockReserved
    | ReservationConfirmed
    | ReservationReleased
    | StockDispatched
    | StockRestocked
)
