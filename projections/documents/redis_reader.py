"""The reading half of the Redis adapter: documents and sorted sets with the position they stand at.

What is read and its shard's checkpoint are read in one step, so an answer never claims more than it shows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

import msgspec
from redis.exceptions import ResponseError

from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.keys import ViewKeys, pointer_in, pointer_key, position_in
from projections.documents.redis_connections import RedisConnections, driver_errors, is_queue_full
from projections.documents.stops import STOPS_KEY, Stop, stop_in

Found = TypeVar("Found")

TOGETHER_MAX = 256
"""Documents in one read, so that no caller waits for a very long one."""

_CONNECT_SECONDS = 5.0  # Several round trips, for which a process that serves a crowd takes its time.
_TRIES = 3  # Of a reading beside which something was written.
_POLL_SECONDS_FIRST = 0.002
_POLL_SECONDS_MAX = 0.02


class Read(msgspec.Struct, frozen=True):
    """A document's bytes as they are served, or None; and the position its shard stands at."""

    document: bytes | None
    position: int


class Reads(msgspec.Struct, frozen=True):
    """The documents in the order of their keys; the position is the least of their shards'."""

    documents: list[bytes | None]
    position: int


class Entries(msgspec.Struct, frozen=True):
    """Members of a sorted set with their scores."""

    members: list[tuple[str, int]]
    position: int


@dataclass(slots=True)
class _Queue:
    """The callers who wait for documents of one shard, and the task that reads for them."""

    waiting: list[tuple[str, asyncio.Future[Read]]] = field(default_factory=list)
    reader: asyncio.Task[None] | None = None


class Breaker(Protocol):
    """Whether a server that may be away is to be asked."""

    def lets_through(self) -> bool:
        """Whether a call may be made now."""

    def succeeded(self) -> None:
        """A call was answered."""

    def failed(self) -> None:
        """A call was not answered."""


class _AlwaysTry:
    def lets_through(self) -> bool:
        return True

    def succeeded(self) -> None:
        pass

    def failed(self) -> None:
        pass


class RedisReader:
    """Reads the live version of each view. Every call may raise ViewNotReady or ReadStoreUnavailable."""

    def __init__(
        self,
        url: str,
        *,
        pointer_seconds: float = 0.2,
        timeout_seconds: float = 2.0,
        breaker: Breaker | None = None,
    ) -> None:
        """`breaker`: asked before each call, so that a server that is away is not waited for by everybody.

        `pointer_seconds`: for so long a pointer once read is trusted (a switched view keeps being found:
        where the old version is gone, the pointer is read anew)."""
        self._connections = RedisConnections(
            url, timeout_seconds=timeout_seconds, connect_seconds=max(timeout_seconds, _CONNECT_SECONDS)
        )
        self._breaker: Breaker = breaker or _AlwaysTry()
        self._pointer_seconds = pointer_seconds
        self._pointers: dict[str, tuple[float, ViewKeys]] = {}
        self._polls: dict[str, asyncio.Task[int]] = {}
        self._queues: dict[tuple[str, int], _Queue] = {}

    async def document(self, view: str, key: str) -> Read:
        """One document and the position of its shard, read together with others that are requested meanwhile.

        A read costs this process far more than it costs Redis. So at most one is under way per view and
        shard, and what is requested meanwhile forms the next: alone, a request waits for nobody; among many,
        for half a read.
        """
        shard = (await self.pointer(view)).shard_of(key)
        queue = self._queues.setdefault((view, shard), _Queue())
        read: asyncio.Future[Read] = asyncio.get_running_loop().create_future()
        queue.waiting.append((key, read))
        if queue.reader is None:
            queue.reader = asyncio.create_task(self._read_on(view, queue))
        return await read

    async def documents(self, view: str, document_keys: Sequence[str]) -> Reads:
        """Several documents of one view."""

        async def read(keys: ViewKeys) -> Reads:
            by_shard: dict[int, list[int]] = {}
            for index, key in enumerate(document_keys):
                by_shard.setdefault(keys.shard_of(key), []).append(index)
            if not by_shard:
                return Reads([], await self._least(keys))
            documents: list[bytes | None] = [None] * len(document_keys)
            positions = []
            for shard, indexes in by_shard.items():
                requested = [document_keys[index] for index in indexes]
                found, position = await self._documents(keys, shard, requested)
                positions.append(position)
                for index, document in zip(indexes, found, strict=True):
                    documents[index] = document
            return Reads(documents, min(positions))

        return await self._live(view, read)

    async def newest_entries(self, view: str, key: str, *, limit: int, below: int | None = None) -> Entries:
        """One document key's sorted set by falling score, from the newest or from `below` a score on."""

        async def read(keys: ViewKeys) -> Entries:
            scores = ("-inf", "+inf" if below is None else f"({below}")
            place = (keys.shard_of(key), keys.document(key))
            return Entries(*await self._ranges(keys, [place], scores, limit, falling=True))

        return await self._live(view, read)

    async def ranking(
        self, view: str, name: str, *, after: tuple[int, str] | None = None, limit: int
    ) -> Entries:
        """A page of a ranking over all documents: by falling score, then by falling member.

        `after`: the score and member seen last. What changed its place meanwhile moves nothing else.
        """
        high = "+inf" if after is None else str(after[0])
        return await self._ranking(view, name, ("-inf", high), after, limit, falling=True)

    async def ranking_between(
        self, view: str, name: str, low: int, high: int, *, after: tuple[int, str] | None = None, limit: int
    ) -> Entries:
        """The members whose score is from `low` to `high`, both included, by rising score, then by rising
        member. `after`: as in `ranking`."""
        low = low if after is None else max(low, after[0])
        return await self._ranking(view, name, (str(low), str(high)), after, limit, falling=False)

    async def view_position(self, view: str) -> int:
        """How far the view is: the least of its shards' checkpoints, read together with others who ask."""
        return await self._poll(view, None)

    async def stand(self, view: str) -> tuple[ViewKeys, list[int]]:
        """The live version and its shards' checkpoints: while both stay, no document has changed."""

        async def read(keys: ViewKeys) -> tuple[ViewKeys, list[int]]:
            return keys, await self._positions(keys)

        return await self._live(view, read)

    async def wait_for(self, view: str, key: str | None, min_position: int, timeout_seconds: float) -> int:
        """Waits until the key's shard (None: the whole view) stands at `min_position` or beyond.

        Gives the position reached; it is below `min_position` where the time ran out first.
        """
        deadline = time.monotonic() + timeout_seconds
        pause = _POLL_SECONDS_FIRST
        while True:
            position = await self._poll(view, key)
            left = deadline - time.monotonic()
            if position >= min_position or left <= 0:
                return position
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, _POLL_SECONDS_MAX)

    async def stops(self) -> list[Stop]:
        """The versions of views that have stopped before an event, those that nobody reads included."""
        async with self._client() as client:
            found = await cast("Awaitable[list[bytes]]", client.hvals(STOPS_KEY))
        return [stop for raw in found if (stop := stop_in(raw)) is not None]

    async def ping(self) -> None:
        """Raises where the server does not answer."""
        async with self._client() as client:
            await client.ping()

    async def close(self) -> None:
        """Gives back every connection."""
        await self._connections.close()

    async def pointer(self, view: str, *, fresh: bool = False) -> ViewKeys:
        """The keys of the live version."""
        now = time.monotonic()
        known = self._pointers.get(view)
        if known is not None and not fresh and now - known[0] < self._pointer_seconds:
            return known[1]
        async with self._client() as client:
            raw = await client.get(pointer_key(view))
        pointer = pointer_in(raw)
        if pointer is None:
            self._pointers.pop(view, None)
            raise ViewNotReady(view)
        keys = ViewKeys(view, pointer.version, pointer.shards, pointer.past)
        self._pointers[view] = (now, keys)
        return keys

    async def _read_on(self, view: str, queue: _Queue) -> None:
        try:
            while queue.waiting:
                together, queue.waiting = queue.waiting[:TOGETHER_MAX], queue.waiting[TOGETHER_MAX:]
                await self._read_together(view, together)
        finally:
            queue.reader = None

    async def _read_together(self, view: str, requested: list[tuple[str, asyncio.Future[Read]]]) -> None:
        keys = list(dict.fromkeys(key for key, _ in requested))
        try:
            reads = await self.documents(view, keys)
        except Exception as error:  # Whatever it is, it belongs to the callers.
            for _, read in requested:
                if not read.done():
                    read.set_exception(error)
            return
        documents = dict(zip(keys, reads.documents, strict=True))
        for key, read in requested:
            if not read.done():  # Done already where the caller has gone.
                read.set_result(Read(documents[key], reads.position))

    async def _live(self, view: str, read: Callable[[ViewKeys], Awaitable[Found]]) -> Found:
        keys = await self.pointer(view)
        try:
            return await read(keys)
        except ViewNotReady:
            newer = await self.pointer(view, fresh=True)
            if newer == keys:
                raise
            return await read(newer)

    async def _poll(self, view: str, key: str | None) -> int:
        # All who wait for the same shard share one poll.
        async def read(keys: ViewKeys) -> int:
            if key is None:
                return await self._least(keys)
            (checkpoint,) = await self._mget(keys.checkpoint(keys.shard_of(key)))
            return _position(keys, checkpoint)

        keys = await self.pointer(view)
        shard = f"{view}:{'' if key is None else keys.shard_of(key)}"
        poll = self._polls.get(shard)
        if poll is None:
            poll = self._polls[shard] = asyncio.create_task(self._live(view, read))
            poll.add_done_callback(lambda done: self._polled(shard, done))
        return await asyncio.shield(poll)

    def _polled(self, shard: str, done: asyncio.Task[int]) -> None:
        del self._polls[shard]
        if not done.cancelled():
            done.exception()  # Retrieved, also where all who waited have gone.

    async def _least(self, keys: ViewKeys) -> int:
        return min(await self._positions(keys))

    async def _positions(self, keys: ViewKeys) -> list[int]:
        async with self._client() as client:
            pipeline = client.pipeline(transaction=False)
            for shard in range(keys.shards):
                pipeline.get(keys.checkpoint(shard))
            checkpoints = await pipeline.execute()
        return [_position(keys, checkpoint) for checkpoint in checkpoints]

    async def _ranking(
        self,
        view: str,
        name: str,
        scores: tuple[str, str],
        after: tuple[int, str] | None,
        limit: int,
        *,
        falling: bool,
    ) -> Entries:
        async def read(keys: ViewKeys) -> Entries:
            places = [(shard, keys.ranking(name, shard)) for shard in range(keys.shards)]
            requested = limit if after is None else limit + 1  # the one seen last is found again
            while True:
                found, position = await self._ranges(keys, places, scores, requested, falling=falling)
                following = [entry for entry in found if after is None or _is_behind(entry, after, falling)]
                if len(following) >= limit or len(found) < requested:
                    return Entries(following[:limit], position)
                requested *= 4  # Many have the score of the one seen last.

        return await self._live(view, read)

    async def _ranges(
        self,
        keys: ViewKeys,
        places: Sequence[tuple[int, str]],
        scores: tuple[str, str],
        limit: int,
        *,
        falling: bool,
    ) -> tuple[list[tuple[str, int]], int]:
        """The first `limit` members over several shards' sorted sets, and the least of the checkpoints."""
        low, high = scores
        found: list[tuple[str, int]] = []
        positions = []
        for shard, place in places:
            async with self._client() as client:
                pipeline = client.pipeline(transaction=True)
                pipeline.get(keys.checkpoint(shard))
                if falling:
                    pipeline.zrevrangebyscore(place, high, low, start=0, num=limit, withscores=True)
                else:
                    pipeline.zrangebyscore(place, low, high, start=0, num=limit, withscores=True)
                checkpoint, members = await pipeline.execute()
            positions.append(_position(keys, checkpoint))
            try:
                found += [(member.decode(), int(score)) for member, score in members]
            except (ValueError, OverflowError):  # No writer of ours wrote that.
                raise ViewNotReady(keys.view) from None
        found.sort(key=lambda entry: (entry[1], entry[0]), reverse=falling)
        return found[:limit], min(positions)

    async def _documents(
        self, keys: ViewKeys, shard: int, document_keys: Sequence[str]
    ) -> tuple[list[bytes | None], int]:
        """Documents of one shard, and its position. Where what lies there is none, the view is not ready."""
        places = [keys.document(key) for key in document_keys]
        for _ in range(_TRIES):
            *found, checkpoint = await self._mget(*places, keys.checkpoint(shard))
            position = _position(keys, checkpoint)
            if any(one is not None and not (one[:1] == b"{" and one[-1:] == b"}") for one in found):
                break
            missing = [place for place, one in zip(places, found, strict=True) if one is None]
            # What is no string looks like nothing to this reading, and like something to that one.
            if not missing or not await self._exist(missing):
                return found, position
        raise ViewNotReady(keys.view)

    async def _exist(self, places: Sequence[str]) -> bool:
        async with self._client() as client:
            return bool(await client.exists(*places))

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        """The client; the driver's errors as ours. Where the server did not answer just now, none."""
        if not self._breaker.lets_through():
            raise ReadStoreUnavailable("Redis did not answer a moment ago")
        try:
            with driver_errors():
                yield await self._connections.client()
        except ReadStoreUnavailable as error:
            if not (isinstance(error.__cause__, ResponseError) or is_queue_full(error.__cause__)):
                self._breaker.failed()
            raise
        self._breaker.succeeded()

    async def _mget(self, *keys: str) -> list[bytes | None]:
        async with self._client() as client:
            return cast("list[bytes | None]", await client.mget(keys))


def _is_behind(entry: tuple[str, int], seen: tuple[int, str], falling: bool) -> bool:
    member, score = entry
    return (score, member) < seen if falling else (score, member) > seen


def _position(keys: ViewKeys, checkpoint: Any) -> int:
    position = position_in(checkpoint)
    if position is None:
        raise ViewNotReady(keys.view)
    return 0 if keys.past else position
