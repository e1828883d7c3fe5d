"""A view in Redis, on one server or on a Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pytest
from redis import Redis

from projections.documents.keys import ViewKeys
from projections.documents.redis_reader import RedisReader
from projections.engine.follower import Decoded
from projections.engine.versions import Numbers, Stored
from projections.redis.build import RedisBuild
from projections.redis.versions import record_and_pointer
from projections.views import catalog
from tests.stores.store import Seen, Store, titled_pages


class PlaceReader:
    """In an event loop that runs while a call does."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.Runner()
        self._reader = RedisReader(url, pointer_seconds=0.02)

    def read(self, *named: str) -> Seen:
        found = self._loop.run(self._reader.documents(catalog.VIEW.name, named))
        pages = zip(named, found.documents, strict=True)
        return Seen({sku: page for sku, page in pages if page is not None}, found.position)

    def close(self) -> None:
        self._loop.run(self._reader.close())
        self._loop.close()


class RedisPlace(Store):
    """A Redis: one server, or the masters of a Cluster. The view is cut over several shards."""

    def __init__(self, url: str, masters: Sequence[Redis], shards: int) -> None:
        super().__init__()
        self.url = url
        self.masters = masters
        self.shards = shards

    def build(self, numbers: Numbers | None = None) -> RedisBuild:
        return RedisBuild(catalog.VIEW, self.url, numbers or self.numbers, shards=self.shards)

    def titled(self, beginning: str, model: int, numbers: Numbers, _: pytest.MonkeyPatch) -> RedisBuild:
        return RedisBuild(titled_pages(beginning, model), self.url, numbers, shards=self.shards)

    def reader(self) -> PlaceReader:
        return PlaceReader(self.url)

    def versions(self) -> list[int]:
        return sorted({int(key.split(b".")[1][1:]) for key in self._keys(f"{{{self.view}.v*")})

    def stored(self) -> Stored:
        found = [self._at(key).get(key) for key in record_and_pointer(self.view)]
        return Stored(*cast("list[bytes | None]", found))

    def content(self) -> list[dict[bytes, bytes | None]]:
        return [
            {key: cast("bytes | None", master.dump(key)) for key in master.scan_iter()}
            for master in self.masters
        ]

    def empty(self) -> None:
        for master in self.masters:
            master.flushall()

    def save(self) -> Callable[[], None]:
        saved = self.content()

        def restore() -> None:
            for master, content in zip(self.masters, saved, strict=True):
                # A projector may be at work; a master of a Cluster has no transaction over several slots.
                with master.pipeline(transaction=len(self.masters) == 1) as together:
                    together.flushall()
                    for key, value in content.items():
                        together.restore(key, 0, cast("bytes", value), replace=True)
                    together.execute()

        return restore

    def lose_a_part(self, version: int) -> None:
        place = ViewKeys(self.view, version, self.shards).checkpoint(1)
        self._at(place).delete(place)

    def damage(self, version: int, sku: str) -> None:
        place = ViewKeys(self.view, version, self.shards).document(sku)
        self._at(place).set(place, b"{")

    def write_half(self, batch: Sequence[Decoded]) -> None:
        """One shard's checkpoint stands before the batch, its documents may be after it."""
        killed = self.build()
        before = killed.open()
        keys = ViewKeys(self.view, killed.version, self.shards)
        lost = {place: self._at(place).get(place) for place in (keys.checkpoint(1), keys.checkpoint_event(1))}
        killed.apply(batch, up_to=batch[-1].recorded.position, tailing=False)
        killed.settle(may_hold_back=False)
        for place, value in lost.items():
            self._at(place).set(place, cast("bytes", value))
        killed.close()
        assert before < batch[-1].recorded.position

    @contextmanager
    def full(self) -> Iterator[None]:
        for master in self.masters:
            master.config_set("maxmemory", 1)
        try:
            yield
        finally:
            for master in self.masters:
                master.config_set("maxmemory", 0)

    def close(self) -> None:
        for master in self.masters:
            master.close()

    def _keys(self, pattern: str) -> Iterator[bytes]:
        for master in self.masters:
            yield from master.scan_iter(pattern)

    def _at(self, key: str) -> Redis:
        """The master that the key lies on."""
        for master in self.masters:
            if len(self.masters) == 1 or self._serves(master, key):
                return master
        raise LookupError(key)

    def _serves(self, master: Redis, key: str) -> bool:
        slot = int(master.execute_command("CLUSTER KEYSLOT", key))
        port = master.connection_pool.connection_kwargs["port"]
        for low, high, (_, serving, *_), *_ in master.execute_command("CLUSTER SLOTS"):
            if low <= slot <= high:
                return bool(serving == port)
        return False
