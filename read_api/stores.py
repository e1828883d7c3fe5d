"""What this process reads from: documents in Redis, and the search index."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request

from projections.documents.redis_reader import RedisReader
from projections.documents.search import After, Offset, Page, ProductQuery
from projections.documents.tantivy_reader import TantivyReader
from read_api.settings import QuerySettings
from read_api.watching import Watcher

Found = TypeVar("Found")

_POLL_SECONDS = 0.02  # the projector commits the index every 200 ms or so


@dataclass(slots=True)
class Stores:
    """The readers, handed in once for the whole process."""

    settings: QuerySettings
    documents: RedisReader
    index: TantivyReader
    search_threads: Executor
    watcher: Watcher
    _poll: asyncio.Task[int] | None = None

    async def search(self, query: ProductQuery, *, limit: int, place: After | Offset | None) -> Page:
        """A page of products found."""
        return await self._in_thread(lambda: self.index.search(query, limit=limit, place=place))

    async def index_position(self) -> int:
        """Where the search index stands."""
        return await self._in_thread(self.index.position)

    async def wait_for_index(self, position: int, seconds: float) -> None:
        """Waits until the search index stands at a position, but no longer than so many seconds."""
        deadline = time.monotonic() + seconds
        while await self._polled_position() < position and (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(_POLL_SECONDS, left))

    async def _polled_position(self) -> int:
        """The index's position. All waiting requests share one poll, so that searches find a free thread."""
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self.index_position())
            self._poll.add_done_callback(lambda poll: poll.cancelled() or poll.exception())  # retrieved
        return await asyncio.shield(self._poll)

    async def _in_thread(self, call: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self.search_threads, call)


def stores_of(request: Request) -> Stores:
    """The readers of the application that the request came to."""
    stores: Stores = request.app.state.stores
    return stores
