"""Documents watched for changes: one reader per process and view, however many clients watch.

    with watcher.watch("cart", cart_id) as watch:       # TooManyWatchers
        while not watch.is_over:
            if await watch.changed(quiet_seconds):
                watch.document, watch.position

The reader looks ten times a second where the view's shards stand, and reads the watched documents of those
that moved on: a document that changed twice in between is shown once, as it is then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import structlog

from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.redis_reader import TOGETHER_MAX, RedisReader

POLL_SECONDS = 0.1
_AWAY_SECONDS = 1.0
_WOKEN_AT_ONCE = 20
"""Watchers that are woken before everything else in the process has its turn."""

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


class _Topic:
    """A document and those who watch it."""

    def __init__(self) -> None:
        self.stored: bytes | None = None
        self.shown: bytes | None = None
        self.position = 0
        self.watches: set[Watch] = set()


class Watch:
    """One client's view of a document."""

    def __init__(self, topic: _Topic, document: bytes, position: int) -> None:
        self.document = document
        """As it was last shown to this client."""
        self.position = position
        """Of its last event."""
        self.is_over = False
        self._topic = topic
        self._woken = asyncio.Event()
        if topic.position > position:
            self._woken.set()

    async def changed(self, seconds: float) -> bool:
        """Waits for another document than the last, but no longer than so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not self.is_over:
                    await self._woken.wait()
                    self._woken.clear()
                    shown = self._topic.shown
                    if shown is not None and shown != self.document:
                        self.document, self.position = shown, self._topic.position
                        return True
        except TimeoutError:
            pass
        return False

    def wake(self, *, is_over: bool = False) -> None:
        """The document changed, or nothing will come any more."""
        self.is_over = self.is_over or is_over
        self._woken.set()


class Watcher:
    """Watches documents for any number of clients. All calls come from one event loop."""

    def __init__(
        self,
        reader: RedisReader,
        *,
        watches_max: int,
        stopping: Callable[[], bool],
    ) -> None:
        """`stopping`: every watch ends where it gives True."""
        self._reader = reader
        self._watches_max = watches_max
        self._stopping = stopping
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
        watch = Watch(topic, document, position_of(document))
        topic.watches.add(watch)
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

    async def _read_on(self, view: str, topics: dict[str, _Topic]) -> None:
        """Reads while anybody watches. Where the store is away or the view is not ready, it tries again."""
        seen: object = None
        is_away = False
        try:
            while topics and not self._stopping():
                try:
                    stand = await self._reader.stand(view)
                    keys = [key for key, topic in topics.items() if stand != seen or topic.stored is None]
                    for start in range(0, len(keys), TOGETHER_MAX):
                        await self._read(view, topics, keys[start : start + TOGETHER_MAX])
                    seen, is_away = stand, False
                except (ViewNotReady, ReadStoreUnavailable, msgspec.DecodeError) as error:
                    if not is_away:
                        log_lines.warning("watched_view_away", view=view, reason=str(error))
                    is_away = True
                await asyncio.sleep(_AWAY_SECONDS if is_away else POLL_SECONDS)
        finally:
            del self._readers[view]
            for topic in topics.values():
                for watch in topic.watches:
                    watch.wake(is_over=True)

    async def _read(self, view: str, topics: dict[str, _Topic], keys: Sequence[str]) -> None:
        reads = await self._reader.documents(view, keys)
        changed = [
            (topic, document)
            for key, document in zip(keys, reads.documents, strict=True)
            if document is not None and (topic := topics.get(key)) and document != topic.stored
        ]
        if not changed:
            return
        documents: Sequence[bytes] = [document for _, document in changed]
        if shown := self._shown.get(view):
            documents = await shown(documents)
        woken = 0
        for (topic, stored), document in zip(changed, documents, strict=True):
            topic.stored, topic.shown, topic.position = stored, document, position_of(document)
            for watch in tuple(topic.watches):
                watch.wake()
                woken += 1
                if woken % _WOKEN_AT_ONCE == 0:
                    await asyncio.sleep(0)
