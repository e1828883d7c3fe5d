"""The search index behind guards: one search for all who ask the same, a bounded queue, a circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from deploy.edge.circuit_breaker import CircuitBreaker
from projections.documents.errors import ReadStoreUnavailable
from projections.documents.search import Page, Place, ProductQuery, Suggestions
from projections.documents.search_reader import SearchReader

Found = TypeVar("Found")

SEARCHES_MAX = 256
"""Different searches that run or wait: one more would wait so long that its client has gone."""


class GuardedSearch(SearchReader):
    """See SearchReader."""

    def __init__(self, reader: SearchReader, breaker: CircuitBreaker) -> None:
        self._reader = reader
        self._breaker = breaker
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}

    async def search(self, query: ProductQuery, *, limit: int, place: Place | None = None) -> Page:
        """See SearchReader."""
        return await self._once(
            ("search", query, limit, place), lambda: self._reader.search(query, limit=limit, place=place)
        )

    async def suggest(self, typed: str, *, limit: int) -> Suggestions:
        """See SearchReader."""
        return await self._once(("suggest", typed, limit), lambda: self._reader.suggest(typed, limit=limit))

    async def position(self) -> int:
        """See SearchReader."""
        return await self._once("position", self._reader.position)

    async def close(self) -> None:
        """See SearchReader."""
        await self._reader.close()

    async def _once(self, key: Hashable, call: Callable[[], Awaitable[Found]]) -> Found:
        """What the call gives that is under way for this key, or a new one."""
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= SEARCHES_MAX:
                raise ReadStoreUnavailable("too many searches wait")
            if not self._breaker.lets_through():
                raise ReadStoreUnavailable("the search index did not answer a moment ago")
            task = self._under_way[key] = asyncio.create_task(self._guarded(call))
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    async def _guarded(self, call: Callable[[], Awaitable[Found]]) -> Found:
        try:
            found = await call()
        except ReadStoreUnavailable:
            self._breaker.failed()
            raise
        self._breaker.succeeded()
        return found

    def _ended(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # retrieved, also where all who waited have gone
