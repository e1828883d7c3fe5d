"""What this process reads from: documents in Redis, and the search index."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from fastapi import Request

from projections.documents.redis_reader import RedisReader
from projections.documents.search_reader import SearchReader
from read_api.bestseller_windows import BestsellerWindows
from read_api.settings import QuerySettings
from read_api.watching import Watcher

_POLL_SECONDS = 0.02  # the projector commits the index every 200 ms or so


@dataclass(slots=True)
class Stores:
    """The readers, handed in once for the whole process."""

    settings: QuerySettings
    documents: RedisReader
    index: SearchReader
    watcher: Watcher
    windows: BestsellerWindows
    _poll: asyncio.Task[int] | None = None

    async def wait_for_index(self, position: int, seconds: float) -> None:
        """Waits until the search index stands at a position, but no longer than so many seconds."""
        deadline = time.monotonic() + seconds
        while await self._polled_position() < position and (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(_POLL_SECONDS, left))

    async def _polled_position(self) -> int:
        """The index's position. All waiting requests share one poll, so that searches find a free thread."""
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self.index.position())
            self._poll.add_done_callback(lambda poll: poll.cancelled() or poll.exception())  # retrieved
        return await asyncio.shield(self._poll)


def search_reader(settings: QuerySettings) -> SearchReader:
    """The search index that the settings name. Each engine is imported where it is used alone."""
    if settings.elasticsearch_url is not None:
        from projections.documents.elasticsearch_reader import ElasticsearchReader

        return ElasticsearchReader(settings.elasticsearch_url)
    from projections.documents.tantivy_threads import ThreadedTantivyReader

    return ThreadedTantivyReader(settings.index_folder, threads=settings.search_threads)


def stores_of(request: Request) -> Stores:
    """The readers of the application that the request came to."""
    stores: Stores = request.app.state.stores
    return stores
