"""A batch of commands on its way to the server and back."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable
from typing import Any

from psycopg import pq

from event_store.postgres.append.append_one import LoneCommand
from event_store.postgres.append.batch import CommandBatch


class Flight:
    """A batch under way, and who waits for it."""

    __slots__ = ("batch", "each", "futures", "result")

    def __init__(
        self, batch: CommandBatch | LoneCommand, futures: list[asyncio.Future[Any]], *, each: bool
    ) -> None:
        self.batch = batch
        self.futures = futures
        self.each = each  # whether every command is judged
        self.result: pq.abc.PGresult | None = None


def fail(futures: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    """Raises it where somebody still waits."""
    for future in futures:
        if not future.done():
            future.set_exception(copy.copy(error))
