"""Stock is conserved, at every point and for every SKU.

received + restocked + adjusted up = on hand + dispatched + written off, and 0 ≤ reserved ≤ on hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from aggregates.inventory.events import (
    InventoryEvent,
    ReservationConfirmed,
    ReservationReleased,
    StockAdjusted,
    StockDispatched,
    StockReceived,
    StockReserved,
    StockRestocked,
)
from aggregates.inventory.stock import Stock, evolve, initial
from aggregates.kernel import OrderId, Sku
from event_store.records import RecordedEvent
from replays.verification.findings import Report, at


@dataclass(slots=True)
class Shelf:
    """A SKU's movements, summed apart from the shop's own fold, and what that fold makes of them."""

    came: int = 0  # received, restocked, adjusted up
    went: int = 0  # dispatched, written off
    stock: Stock = field(default_factory=initial)
    sound: bool = True


class InventoryCheck:
    """Counts every SKU's units, and reports a SKU when it breaks a rule, not at each event after that."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._shelves: dict[Sku, Shelf] = {}

    def see(self, recorded: RecordedEvent, event: InventoryEvent) -> None:
        """Counts the movement."""
        shelf = self._shelves.get(event.sku)
        if shelf is None:
            shelf = self._shelves[event.sku] = Shelf()
        _count(shelf, event)
        counted = shelf.came - shelf.went
        if impossible := _impossible(shelf.stock, event):
            self._report(at(recorded, "stock", impossible))
            shelf.stock.on_hand = counted
        else:
            evolve(shelf.stock, event)
        if shelf.stock.on_hand != counted:
            wrong = f"{shelf.stock.on_hand} on hand, but {shelf.came} came and {shelf.went} went"
            self._report(at(recorded, "stock", wrong))
            shelf.stock.on_hand = counted
        sound = 0 <= shelf.stock.reserved <= counted
        if shelf.sound and not sound:
            wrong = f"{shelf.stock.reserved} reserved of {counted} on hand"
            self._report(at(recorded, "stock", wrong))
        shelf.sound = sound

    def reserved_for_orders(self) -> Iterator[tuple[Sku, OrderId, int]]:
        """What is set aside after the last event that was seen: SKU, order and units."""
        for sku, shelf in self._shelves.items():
            for order_id, reservation in shelf.stock.reservations.items():
                yield sku, order_id, reservation.quantity


def _count(shelf: Shelf, event: InventoryEvent) -> None:
    match event:
        case StockDispatched(quantity=quantity):  # First, as most movements are.
            shelf.went += quantity
        case StockReceived(quantity=quantity) | StockRestocked(quantity=quantity):
            shelf.came += quantity
        case StockAdjusted(delta=delta) if delta > 0:
            shelf.came += delta
        case StockAdjusted(delta=delta):
            shelf.went -= delta


def _impossible(stock: Stock, event: InventoryEvent) -> str | None:
    """Why this cannot happen to such a stock; None where it can."""
    wrong = None
    match event:
        case StockDispatched(quantity=quantity, from_reservation=taken) if quantity > 0:
            held = _held(stock, event.order_id)
            if not 0 <= taken <= min(quantity, held):
                wrong = f"{quantity} dispatched, {taken} of them from the {held} set aside"
        case StockAdjusted(delta=delta):
            wrong = "an adjustment by nothing" if delta == 0 else None
        case _ if event.quantity < 1:
            wrong = f"a movement of {event.quantity} units"
        case StockReserved(order_id=order_id) if order_id in stock.reservations:
            wrong = f"order {order_id} has units set aside already"
        case ReservationConfirmed(quantity=quantity) if quantity != (held := _held(stock, event.order_id)):
            wrong = f"{quantity} confirmed, {held} set aside"
        case ReservationReleased(quantity=quantity) if quantity > (held := _held(stock, event.order_id)):
            wrong = f"{quantity} released, {held} set aside"
    return wrong


def _held(stock: Stock, order_id: OrderId) -> int:
    reservation = stock.reservations.get(order_id)
    return 0 if reservation is None else reservation.quantity
