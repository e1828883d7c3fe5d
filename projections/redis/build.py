"""A version of a view in Redis, with its life; `shards.py` writes its documents."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from event_store.records import START, Checkpoint
from projections.documents.keys import Pointer, ViewKeys
from projections.engine.build import Build, Candidates, Compared
from projections.engine.follower import Decoded, TargetMoved
from projections.engine.versions import Numbers, Stored, Versions
from projections.redis.compare import candidates, compare_again
from projections.redis.shards import Holds, RedisShards, every_shard
from projections.redis.store import RedisStore, checkpoint_keys, checkpoints_in
from projections.redis.versions import RedisVersions, delete_version, record_and_pointer
from projections.views.view import View


class RedisBuild(Build):
    """One version of one view, its documents in Redis. Those of shards not held others write."""

    def __init__(
        self,
        view: View,
        url: str,
        numbers: Numbers,
        *,
        shards: int | None = 1,
        holds: Holds = every_shard,
        beside: tuple[Versions, Pointer] | None = None,
    ) -> None:
        """See Build. `holds`: which shards this process writes."""
        self._view = view
        self._url = url
        self._numbers = numbers
        self._holds = holds
        self._store = RedisStore(url)
        versions = RedisVersions(view.name, self._store)
        super().__init__(view.name, versions, numbers, model=view.model, shards=shards, beside=beside)

    @property
    def events(self) -> frozenset[type[Any]]:
        """See Follower."""
        return self._view.events

    @property
    def folding(self) -> Mapping[int, Checkpoint]:
        """See RedisShards."""
        return self._written.folding

    @property
    def checkpoint(self) -> Checkpoint:
        """See Follower. Of the shards held; of all where none is."""
        return self._written.checkpoint

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        """See Follower. Of every shard, held or not."""
        return [checkpoint or START for checkpoint in self._written.every_checkpoint]

    @property
    def position(self) -> int:
        """How far the version is: the least of all its shards' checkpoints."""
        return min(self.checkpoints, default=START).position

    @property
    def held_bytes(self) -> int:
        """Of documents in memory."""
        return self._written.held_bytes

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        self._written.apply(batch, up_to=up_to, tailing=tailing)

    def settle(self, *, may_hold_back: bool) -> None:
        self._written.settle(may_hold_back=may_hold_back)

    def check(self) -> None:
        record, pointer, *found = self._store.get_all(
            [*record_and_pointer(self.name), *checkpoint_keys(self._written.keys)]
        )
        checkpoints = checkpoints_in(found)
        if None in checkpoints or not self._versions.has(Stored(record, pointer)):
            raise TargetMoved(f"{self.name}: another took over, or the store lost something")
        self._written.see(checkpoints)

    def read_checkpoints(self) -> Sequence[Checkpoint]:
        return [checkpoint or START for checkpoint in self._store.checkpoints(self._written.keys)]

    def comparison_with(self, other: RedisBuild) -> Callable[[], Candidates]:
        view, one, two = self._view, self._written.keys, other._written.keys

        def compared() -> Candidates:
            store = RedisStore(self._url)  # Its own: this one is used by another thread meanwhile.
            try:
                return candidates(store, view, one, two)
            finally:
                store.close()

        return compared

    def compare_again(self, other: RedisBuild, keys: Sequence[str]) -> Compared:
        return compare_again(self._store, self._view, self._written.keys, other._written.keys, keys)

    def deletion(self, gone: Pointer) -> Generator[None, None, None]:
        return delete_version(RedisStore(self._url), ViewKeys(self.name, gone.version, gone.shards))

    def close(self) -> None:
        self._written.forget()
        self._store.close()

    def _reset(self) -> None:
        self._written.forget()
        self._store.reconnect()

    def _open_version(self) -> None:
        self._written.read()
        if self.is_published and None in self._written.every_checkpoint:
            self._versions.withdraw()
            self._begin()
            self._written.read()
        self._written.write_missing()

    def _is_there(self) -> bool:
        return None not in self._store.checkpoints(self._written.keys)

    def _another(self, pointer: Pointer) -> RedisBuild:
        beside = (self._versions, pointer)
        return RedisBuild(
            self._view, self._url, self._numbers, shards=self.shards, holds=self._holds, beside=beside
        )

    def _write_to(self, pointer: Pointer) -> None:
        super()._write_to(pointer)
        keys = ViewKeys(self.name, pointer.version, pointer.shards)
        self._written = RedisShards(self._view, self._store, keys, self._holds)
