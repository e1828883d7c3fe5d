"""Connecting from an event loop, without waiting in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from event_store.postgres.append.writer import WriterConnection


async def opened(connect: Callable[[], WriterConnection]) -> WriterConnection:
    """Connects in a thread. Who is canceled meanwhile leaves no connection behind."""
    made: list[WriterConnection] = []
    given_up = threading.Event()

    def close_all() -> None:
        while made:
            made.pop().close()

    def make() -> None:
        made.append(connect())
        if given_up.is_set():
            close_all()

    try:
        await asyncio.to_thread(make)
    except asyncio.CancelledError:
        given_up.set()
        close_all()
        raise
    return made.pop()
