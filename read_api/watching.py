"""Documents watched for changes: one reader per process and view, however many clients watch.

    with watcher.watch("cart", cart_id, document) as watch:       # TooManyWatchers
        async for message in watch.messages():
            ...

The reader checks ten times a second where the view's shards stand, and reads the watched documents of those
that moved on: a document that changed twice in between is shown once, as it is then. A message is built once,
whatever the number of its clients, and none is queued: a client that is slow gets the newest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import NamedTuple

import msgspec
import structlog

from deploy.edge.event_streams import HEARTBEAT, RETRY, message
from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.keys import ViewKeys
from projections.documents.redis_reader import TOGETHER_MAX, RedisReader

POLL_SECONDS = 0.1
HEARTBEAT_SECONDS = 15.0
_AWAY_SECONDS = 1.0
_WOKEN_AT_ONCE = 20
"""Clients that are woken before everything else in the process has its turn."""

Shown = Callable[[Sequence[bytes]], Awaitable[Sequence[bytes]]]
"""Makes of stored documents what clients are shown."""

log_lines = structlog.get_logger("read_api")


class TooManyWatchers(Exception):  # noqa: N818
    """There are as many as may be."""


class _Positioned(msgspec.Struct):
    position: int


_positioned = msgspec.json.Decoder(_Positioned).decode


def position_of(document: bytes) -> int:
    """The position of a document's last event."""
    return _positioned(document).position


class Watch:
    """One client's view of a document: what it was sent last, and what it is to be sent next."""

    def __init__(self, document: bytes) -> None:
        """`document` is what the client begins with."""
        self.position = position_of(document)
        """The document's."""
        self._sent = self._newest = message(self.position, document)
        self._is_beat_due = False
        self._is_over = False
        self._waiting: asyncio.Future[None] | None = None

    async def messages(self, *, is_known: bool = False) -> AsyncGenerator[bytes, None]:
        """What the client is to be sent, until the watch is over: the document it begins with, unless
        `is_known`, and then the newest whenever it is another; between them heartbeats."""
        yield RETRY if is_known else RETRY + self._sent
        loop = asyncio.get_running_loop()
        while not self._is_over:
            if self._newest != self._sent:
                self._sent = self._newest
                yield self._sent
            elif self._is_beat_due:
                self._is_beat_due = False
                yield HEARTBEAT
            else:
                self._waiting = loop.create_future()
                await self._waiting

    def show(self, newest: bytes) -> bool:
        """Has the client sent this message; whether it is another than the last."""
        if newest == self._newest:
            return False
        self._newest = newest
        self._wake()
        return True

    def beat(self) -> None:
        """Has the client sent a heartbeat."""
        self._is_beat_due = True
        self._wake()

    def end(self) -> None:
        """Nothing will come any more."""
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Topic:
    """A document and those who watch it."""

    def __init__(self) -> None:
        self.stored: bytes | None = None
        self.message = b""
        self.watches: set[Watch] = set()
        self.is_due = True
        """To be read, whether its shard moves or not: somebody began to watch it, or it was not there."""


class _Due(NamedTuple):
    """A document to be read, for those who watched it when that began.

    Who comes while it is read may have been shown a newer one, and is looked after the next time.
    """

    key: str
    topic: _Topic
    watches: Sequence[Watch]


class Watcher:
    """Watches documents for any number of clients. All calls come from one event loop."""

    def __init__(
        self,
        reader: RedisReader,
        *,
        watches_max: int,
        stopping: Callable[[], bool],
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """`stopping`: every watch ends where it gives True."""
        self._reader = reader
        self._watches_max = watches_max
        self._stopping = stopping
        self._heartbeat_seconds = heartbeat_seconds
        self._shown: dict[str, Shown] = {}
        self._topics: dict[str, dict[str, _Topic]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._count = 0

    def show(self, view: str, shown: Shown) -> None:
        """What clients see of this view's documents, where it is not what is stored."""
        self._shown[view] = shown

    @contextmanager
    def watch(self, view: str, key: str, document: bytes) -> Iterator[Watch]:
        """Watches from `document` on, which the client is shown already. Raises TooManyWatchers."""
        if self._count >= self._watches_max:
            raise TooManyWatchers
        topics = self._topics.setdefault(view, {})
        topic = topics.setdefault(key, _Topic())
        watch = Watch(document)
        topic.watches.add(watch)
        topic.is_due = True
        self._count += 1
        if view not in self._readers:
            self._readers[view] = asyncio.create_task(self._read_on(view, topics))
        try:
            yield watch
        finally:
            self._count -= 1
            topic.watches.discard(watch)
            if not topic.watches and topics.get(key) is topic:
                del topics[key]

    async def close(self) -> None:
        """Ends every watch, and reads no more."""
        readers = list(self._readers.values())
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    async def _read_on(self, view: str, topics: dict[str, _Topic]) -> None:
        """Reads while anybody watches. Where the store is away or the view is not ready, it tries again."""
        seen: tuple[ViewKeys, list[int]] | None = None
        is_away = False
        beat_at = time.monotonic() + self._heartbeat_seconds
        try:
            while topics and not self._stopping():
                if time.monotonic() >= beat_at:
                    beat_at += self._heartbeat_seconds
                    for watch in _watches(topics):
                        watch.beat()
                try:
                    stand = await self._reader.stand(view)
                    due = _due(topics, seen, stand)
                    for start in range(0, len(due), TOGETHER_MAX):
                        await self._read(view, due[start : start + TOGETHER_MAX])
                    seen, is_away = stand, False
                except (ViewNotReady, ReadStoreUnavailable, msgspec.DecodeError) as error:
                    if not is_away:
                        log_lines.warning("watched_view_away", view=view, reason=str(error))
                    seen, is_away = None, True
                await asyncio.sleep(_AWAY_SECONDS if is_away else POLL_SECONDS)
        finally:
            del self._readers[view]
            for watch in _watches(topics):
                watch.end()

    async def _read(self, view: str, due: Sequence[_Due]) -> None:
        reads = await self._reader.documents(view, [one.key for one in due])
        changed: list[tuple[_Topic, bytes]] = []
        for one, document in zip(due, reads.documents, strict=True):
            if document is None:
                one.topic.is_due = True
            elif document != one.topic.stored:
                changed.append((one.topic, document))
        documents: Sequence[bytes] = [document for _, document in changed]
        if documents and (shown := self._shown.get(view)):
            documents = await shown(documents)
        for (topic, stored), document in zip(changed, documents, strict=True):
            topic.stored, topic.message = stored, message(position_of(document), document)
        woken = 0
        for one in due:
            for watch in one.watches if one.topic.stored is not None else ():
                if watch.show(one.topic.message):
                    woken += 1
                    if woken % _WOKEN_AT_ONCE == 0:
                        await asyncio.sleep(0)


def _watches(topics: Mapping[str, _Topic]) -> list[Watch]:
    return [watch for topic in topics.values() for watch in topic.watches]


def _due(
    topics: Mapping[str, _Topic],
    before: tuple[ViewKeys, list[int]] | None,
    now: tuple[ViewKeys, list[int]],
) -> list[_Due]:
    """What is to be read between two stands of a view, shard by shard."""
    keys, positions = now
    moved = [True] * keys.shards
    if before is not None and before[0] == keys:
        moved = [position != then for position, then in zip(positions, before[1], strict=True)]
    due: list[tuple[int, _Due]] = []
    for key, topic in topics.items():
        shard = keys.shard_of(key)
        if moved[shard] or topic.is_due:
            topic.is_due = False
            due.append((shard, _Due(key, topic, tuple(topic.watches))))
    due.sort(key=itemgetter(0))
    return [one for _, one in due]
