"""The stock of one SKU: what lies on the shelf, and whose it is.

0 <= reserved <= on hand always; received + restocked + adjusted up = on hand + dispatched + adjusted down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from aggregates.inventory.events import (
    InventoryEvent,
    ReleaseCause,
    ReservationConfirmed,
    ReservationReleased,
    StockAdjusted,
    StockDispatched,
    StockReceived,
    StockReserved,
    StockRestocked,
)
from aggregates.kernel import MAIN, OrderId, Reason, Rejected, Sku, StreamKind


@dataclass(slots=True)
class Reservation:
    """Units set aside for one order; once `confirmed` they expire no more."""

    quantity: int
    location: str
    expires_at: datetime
    confirmed: bool = False


@dataclass(slots=True)
class Stock:
    """Units of one SKU. `reserved` is the sum of the reservations, kept so that a hot SKU stays cheap."""

    on_hand: int = 0
    reserved: int = 0
    reservations: dict[OrderId, Reservation] = field(default_factory=dict)
    received_from: set[str] = field(default_factory=set)
    adjusted_by: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)

    @property
    def available(self) -> int:
        """Units that a new order can have."""
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class Shortage:
    """Units asked for of a SKU, and those there are."""

    sku: Sku
    asked: int
    available: int


@dataclass(frozen=True, slots=True)
class NotEnoughStock(Reason):
    """Not enough stock

    `short` names every SKU that is; the other facts are those of the first.
    """

    sku: Sku
    asked: int
    available: int
    short: tuple[Shortage, ...] = ()

    def __post_init__(self) -> None:
        if not self.short:
            object.__setattr__(self, "short", (Shortage(self.sku, self.asked, self.available),))

    @staticmethod
    def of(short: Sequence[Shortage]) -> NotEnoughStock:
        """The refusal for all of these, at least one."""
        first = short[0]
        return NotEnoughStock(first.sku, first.asked, first.available, tuple(short))


@dataclass(frozen=True, slots=True)
class LocationNotInUse(Reason):
    """Stock is kept at the location `main` alone"""

    sku: Sku
    location: str


@dataclass(frozen=True, slots=True)
class NotReserved(Reason):
    """Nothing is set aside for this order"""

    sku: Sku
    order_id: OrderId


def initial() -> Stock:
    """An empty shelf."""
    return Stock()


def evolve(stock: Stock, event: InventoryEvent) -> Stock:
    """The stock after the event; changes it in place."""
    match event:
        case StockReceived(quantity=quantity, source=source):
            stock.on_hand += quantity
            if source is not None:
                stock.received_from.add(source)
        case StockAdjusted(delta=delta, source=source):
            stock.on_hand += delta
            if source is not None:
                stock.adjusted_by.add(source)
        case StockReserved(order_id=order_id, quantity=quantity, location=location, expires_at=expires_at):
            stock.reserved += quantity
            stock.reservations[order_id] = Reservation(quantity, location, expires_at)
        case ReservationConfirmed(order_id=order_id):
            stock.reservations[order_id].confirmed = True
        case ReservationReleased(order_id=order_id, quantity=quantity):
            _take_from_reservation(stock, order_id, quantity)
        case StockDispatched(order_id=order_id, quantity=quantity, from_reservation=from_reservation):
            stock.on_hand -= quantity
            if from_reservation:
                _take_from_reservation(stock, order_id, from_reservation)
        case StockRestocked(quantity=quantity, return_id=return_id):
            stock.on_hand += quantity
            stock.returns.add(return_id)
        case _:
            assert_never(event)
    return stock


stream = StreamKind("stock", initial, evolve)


def receive(
    stock: Stock, *, sku: Sku, quantity: int, reason: str, source: str | None = None, location: str = MAIN
) -> tuple[InventoryEvent, ...]:
    """Takes delivered units in; a `source` only once."""
    _at_least_one(quantity)
    _in_use(sku, location)
    if source is not None and source in stock.received_from:
        return ()
    return (StockReceived(sku=sku, location=location, quantity=quantity, reason=reason, source=source),)


def adjust(
    stock: Stock, *, sku: Sku, delta: int, reason: str, source: str | None = None, location: str = MAIN
) -> tuple[InventoryEvent, ...]:
    """Corrects the books up or down, never below what is promised to orders; a `source` only once."""
    _in_use(sku, location)
    if delta == 0 or (source is not None and source in stock.adjusted_by):
        return ()
    if -delta > stock.available:
        raise Rejected(NotEnoughStock(sku=sku, asked=-delta, available=stock.available))
    return (StockAdjusted(sku=sku, location=location, delta=delta, reason=reason, source=source),)


def reserve(
    stock: Stock,
    *,
    sku: Sku,
    order_id: OrderId,
    quantity: int,
    expires_at: datetime,
    confirmed: bool = False,
    location: str = MAIN,
) -> tuple[InventoryEvent, ...]:
    """Sets units aside for an order until `expires_at` (UTC), all of them or none.

    `confirmed`: the order waits for no payment, so they do not expire.
    """
    _at_least_one(quantity)
    _in_use(sku, location)
    if order_id in stock.reservations:
        return ()  # A retried checkout must not hold the same units twice.
    if quantity > stock.available:
        raise Rejected(NotEnoughStock(sku=sku, asked=quantity, available=stock.available))
    reserved = StockReserved(
        sku=sku, location=location, order_id=order_id, quantity=quantity, expires_at=expires_at
    )
    if not confirmed:
        return (reserved,)
    return (
        reserved,
        ReservationConfirmed(sku=sku, location=location, order_id=order_id, quantity=quantity),
    )


def confirm(stock: Stock, *, sku: Sku, order_id: OrderId) -> tuple[InventoryEvent, ...]:
    """The order is paid for: its units wait for dispatch, however long that takes."""
    reservation = stock.reservations.get(order_id)
    if reservation is None:
        raise Rejected(NotReserved(sku=sku, order_id=order_id))
    if reservation.confirmed:
        return ()
    return (
        ReservationConfirmed(
            sku=sku, location=reservation.location, order_id=order_id, quantity=reservation.quantity
        ),
    )


def release(
    stock: Stock, *, sku: Sku, order_id: OrderId, cause: ReleaseCause, keeping: int = 0
) -> tuple[InventoryEvent, ...]:
    """Puts on sale again what is still set aside for the order, but for the units it is `keeping`."""
    reservation = stock.reservations.get(order_id)
    if reservation is None or reservation.quantity <= keeping:
        return ()
    return (
        ReservationReleased(
            sku=sku,
            location=reservation.location,
            order_id=order_id,
            quantity=reservation.quantity - keeping,
            cause=cause,
        ),
    )


def dispatch(stock: Stock, *, sku: Sku, order_id: OrderId, quantity: int) -> tuple[InventoryEvent, ...]:
    """Sends units out: first what is set aside for the order, the rest from what is on sale.

    A stock does not know fulfilments: that the same one is not sent twice is the order's rule.
    """
    _at_least_one(quantity)
    reservation = stock.reservations.get(order_id)
    held = 0 if reservation is None else reservation.quantity
    if quantity > held + stock.available:
        raise Rejected(NotEnoughStock(sku=sku, asked=quantity, available=held + stock.available))
    return (
        StockDispatched(
            sku=sku,
            location=MAIN if reservation is None else reservation.location,
            order_id=order_id,
            quantity=quantity,
            from_reservation=min(quantity, held),
        ),
    )


def restock(
    stock: Stock, *, sku: Sku, order_id: OrderId, return_id: str, quantity: int
) -> tuple[InventoryEvent, ...]:
    """Puts returned units back on sale, once per return."""
    _at_least_one(quantity)
    if return_id in stock.returns:
        return ()
    return (
        StockRestocked(sku=sku, location=MAIN, order_id=order_id, return_id=return_id, quantity=quantity),
    )


def _take_from_reservation(stock: Stock, order_id: OrderId, quantity: int) -> None:
    stock.reserved -= quantity
    reservation = stock.reservations[order_id]
    reservation.quantity -= quantity
    if reservation.quantity == 0:
        del stock.reservations[order_id]


def _in_use(sku: Sku, location: str) -> None:
    if location != MAIN:
        raise Rejected(LocationNotInUse(sku=sku, location=location))


def _at_least_one(quantity: int) -> None:
    if quantity < 1:
        raise ValueError(f"{quantity} units: a movement has at least 1")
