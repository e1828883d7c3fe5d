"""Documents asked for at the same time are read from Redis in one step.

A read costs this process far more than it costs Redis. So at most one is under way per view and shard, and
what is asked for meanwhile forms the next: alone, a request waits for nobody; among many, for half a read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from projections.documents.redis_reader import Read, RedisReader

_TOGETHER_MAX = 256  # documents in one read, so that no answer waits for a very long one


@dataclass(slots=True)
class _Queue:
    """Who waits for documents of one shard, and whether a reader is at work for them."""

    waiting: list[tuple[str, asyncio.Future[Read]]] = field(default_factory=list)
    reader: asyncio.Task[None] | None = None


class SharedReads:
    """Single documents, read together. Raises what `RedisReader` raises."""

    def __init__(self, documents: RedisReader) -> None:
        self._documents = documents
        self._queues: dict[tuple[str, int], _Queue] = {}

    async def document(self, view: str, key: str) -> Read:
        """One document and the position of its shard."""
        shard = (await self._documents.pointer(view)).shard_of(key)
        queue = self._queues.get((view, shard))
        if queue is None:
            queue = self._queues[view, shard] = _Queue()
        answer: asyncio.Future[Read] = asyncio.get_running_loop().create_future()
        queue.waiting.append((key, answer))
        if queue.reader is None:
            queue.reader = asyncio.create_task(self._read_on(view, queue))
        return await answer

    async def _read_on(self, view: str, queue: _Queue) -> None:
        try:
            while queue.waiting:
                together, queue.waiting = queue.waiting[:_TOGETHER_MAX], queue.waiting[_TOGETHER_MAX:]
                await self._read(view, together)
        finally:
            queue.reader = None

    async def _read(self, view: str, together: list[tuple[str, asyncio.Future[Read]]]) -> None:
        keys = list(dict.fromkeys(key for key, _ in together))
        try:
            reads = await self._documents.documents(view, keys)
            documents = dict(zip(keys, reads.documents, strict=True))
        except Exception as error:  # whatever it is, it belongs to those who asked
            for _, answer in together:
                if not answer.done():
                    answer.set_exception(error)
            return
        for key, answer in together:
            if not answer.done():  # done already where who asked has gone
                answer.set_result(Read(documents[key], reads.position))
