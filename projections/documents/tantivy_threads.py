"""Reads the embedded search index from asyncio code: each call blocks in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from projections.documents.search import Page, Place, ProductQuery, Suggestions
from projections.documents.tantivy_reader import TantivyReader

Found = TypeVar("Found")


class ThreadedTantivyReader:
    """See SearchReader: a TantivyReader and its threads."""

    def __init__(self, index_folder: Path, *, threads: int) -> None:
        """`threads`: searches that run at once."""
        self._reader = TantivyReader(index_folder)
        self._threads = ThreadPoolExecutor(threads, "search")

    async def search(self, query: ProductQuery, *, limit: int, place: Place | None = None) -> Page:
        """See SearchReader."""
        return await self._in_thread(lambda: self._reader.search(query, limit=limit, place=place))

    async def suggest(self, typed: str, *, limit: int) -> Suggestions:
        """See SearchReader."""
        return await self._in_thread(lambda: self._reader.suggest(typed, limit=limit))

    async def position(self) -> int:
        """See SearchReader."""
        return await self._in_thread(self._reader.position)

    async def close(self) -> None:
        """Waits for the searches under way."""
        await asyncio.to_thread(self._threads.shutdown)

    async def _in_thread(self, call: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
