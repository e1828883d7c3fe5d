"""What was decided at a desk, in a log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aggregates.orders.events import NumberEvent
from aggregates.terms.terms import MAIN_TERMS
from event_store.memory.log import MemoryLog
from tests.payments.deciding import Desk
from tests.shop.log import Shop


def stored(*desks: Desk) -> Shop:
    """A shop that wrote everything that was decided, command by command."""
    return written((name, decision.events) for desk in desks for name, decision in desk.decisions)


def written(commands: Iterable[tuple[str, Iterable[tuple[str, Any]]]]) -> Shop:
    """A shop that wrote these commands: of each its name, and its events by stream."""
    shop = Shop(MemoryLog())
    for name, decided in commands:
        events = list(decided)
        elsewhere = {
            stream: event
            for stream, event in events
            if isinstance(event, NumberEvent) or stream == MAIN_TERMS
        }
        shop.record(
            [event for stream, event in events if stream not in elsewhere], name=name, elsewhere=elsewhere
        )
    shop.flush()
    return shop
