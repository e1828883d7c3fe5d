"""What was decided at a desk, in a log."""

from __future__ import annotations

from aggregates.orders.events import NumberEvent
from event_store.memory.log import MemoryLog
from tests.payments.deciding import Desk
from tests.shop.log import Shop


def stored(*desks: Desk) -> Shop:
    """A shop that wrote everything that was decided, command by command."""
    shop = Shop(MemoryLog())
    for name, decision in (each for desk in desks for each in desk.decisions):
        shop.record(
            [event for _, event in decision.events if not isinstance(event, NumberEvent)],
            name=name,
            elsewhere={stream: event for stream, event in decision.events if isinstance(event, NumberEvent)},
        )
    shop.flush()
    return shop
