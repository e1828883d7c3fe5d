"""Reading states beside the loop: for what decides nothing and appends nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from commands.loop.state_cache import Missing, StateCache
from event_store.records import EventReader

Found = TypeVar("Found")


def read_states(log: EventReader, cache: StateCache, read: Callable[[], Found]) -> Found:
    """What `read` gives, once all that it asks the cache for was loaded. Raises StoreUnavailable."""
    while True:
        try:
            return read()
        except Missing as missing:
            for stream, history in log.read_streams(missing.streams).items():
                cache.load(stream, history)
