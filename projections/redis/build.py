"""A version of a view in Redis: folds in memory, one script call per shard writes documents and checkpoint.

Held between batches are the documents' bytes, the least recently used let go; the checkpoint fences them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from zlib import crc32

import msgspec

from event_store.records import START, Checkpoint
from projections.documents.keys import Pointer, ViewKeys
from projections.engine.build import Build, Comparison
from projections.engine.folding import Fact, fold_of
from projections.engine.follower import (
    Decoded,
    TargetDamaged,
    TargetMoved,
    checkpoint_of,
    of_this_history,
)
from projections.engine.versions import Numbers, Stored, Versions
from projections.redis.compare import compare_versions
from projections.redis.store import RedisStore, checkpoint_keys, checkpoints_in
from projections.redis.versions import RedisVersions, delete_gone, record_and_pointer
from projections.views.view import View

_HELD_BYTES_MAX = 32 * 2**20


class RedisBuild(Build):
    """One version of one view, its documents in Redis."""

    def __init__(
        self,
        view: View,
        url: str,
        numbers: Numbers,
        *,
        shards: int | None = 1,
        beside: tuple[Versions, Pointer] | None = None,
    ) -> None:
        """See Build."""
        self._view = view
        self._url = url
        self._numbers = numbers
        self._fold = fold_of(view)
        self._store = RedisStore(url)
        self._checkpoints: list[Checkpoint | None] = []
        self._writing: list[int] = []  # shards whose writes are under way
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0
        self._holds_all = False
        versions = RedisVersions(view.name, self._store)
        super().__init__(view.name, versions, numbers, model=view.model, shards=shards, beside=beside)

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """See Follower."""
        return [checkpoint or START for checkpoint in self._checkpoints]

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        facts = self._fold.facts_of(batch)
        reached = checkpoint_of(batch, up_to)
        if not of_this_history(batch, self.checkpoints):
            raise TargetMoved(f"{self.name}: a shard has read another history")
        for shard, checkpoint in enumerate(self._checkpoints):
            if up_to > (checkpoint or START).position:
                try:
                    changes = self._fold.fold(self._new_to(shard, facts), self._load)
                except msgspec.DecodeError as error:
                    raise TargetDamaged(f"{self.name}: a document cannot be read: {error}") from error
                self._store.begin_write(
                    self._keys, shard, expected=checkpoint, checkpoint=reached, changes=changes
                )
                self._writing.append(shard)
                self._hold(changes.documents)
        if up_to > self.position:
            self._taken = reached

    def settle(self, *, may_hold_back: bool) -> None:
        if not self._writing:
            return
        done = self._store.end_writes()
        if not all(done):
            raise TargetMoved(f"{self.name}: another wrote the checkpoint, or the store was emptied")
        for shard in self._writing:
            self._checkpoints[shard] = self._taken
        self._writing.clear()

    def check(self) -> None:
        record, pointer, *found = self._store.get_all(
            [*record_and_pointer(self.name), *checkpoint_keys(self._keys)]
        )
        if checkpoints_in(found) != self._checkpoints or not self._versions.has(Stored(record, pointer)):
            raise TargetMoved(f"{self.name}: the store no longer stands at position {self.position}")

    def compare(self, other: RedisBuild) -> Comparison:
        return compare_versions(self._store, self._view, self._keys, other._keys)

    def close(self) -> None:
        self._forget()
        self._store.close()

    def _reset(self) -> None:
        self._forget()
        self._store.reconnect()

    def _open_version(self) -> None:
        self._read_checkpoints()
        if self.is_published and None in self._checkpoints:
            self._versions.withdraw()
            self._begin()
            self._read_checkpoints()
        self._write_missing_checkpoints()

    def _another(self, pointer: Pointer) -> RedisBuild:
        beside = (self._versions, pointer)
        return RedisBuild(self._view, self._url, self._numbers, shards=self.shards, beside=beside)

    def _write_missing_checkpoints(self) -> None:
        # Before anything else is written, so that after their deletion an old writer is refused.
        missing = [shard for shard, checkpoint in enumerate(self._checkpoints) if checkpoint is None]
        nothing = self._fold.fold((), self._load)
        for shard in missing:
            self._store.begin_write(self._keys, shard, expected=None, checkpoint=START, changes=nothing)
        if not all(self._store.end_writes()):
            raise TargetMoved(f"{self.name}: another writes version {self.version}")
        for shard in missing:
            self._checkpoints[shard] = START

    def _write_to(self, pointer: Pointer) -> None:
        super()._write_to(pointer)
        self._keys = ViewKeys(self.name, pointer.version, pointer.shards)

    def _read_checkpoints(self) -> None:
        self._forget()
        self._checkpoints = self._store.checkpoints(self._keys)
        self._taken = min(self.checkpoints)
        self._holds_all = not any(checkpoint.position for checkpoint in self.checkpoints)

    def _delete_gone(self) -> None:
        delete_gone(self.name, self._store, self._versions)

    def _new_to(self, shard: int, facts: Sequence[Fact]) -> list[Fact]:
        counted = (self._checkpoints[shard] or START).position
        if self.shards == 1:
            return [fact for fact in facts if fact.recorded.position > counted]
        return [
            fact
            for fact in facts
            if fact.recorded.position > counted and crc32(fact.key.encode()) % self.shards == shard
        ]

    def _load(self, keys: Collection[str]) -> Mapping[str, bytes]:
        loaded = dict(self._from_memory(keys))
        missing = [key for key in keys if key not in loaded]
        if missing and not self._holds_all:
            found = self._store.documents([self._keys.document(key) for key in missing])
            loaded |= {key: value for key, value in zip(missing, found, strict=True) if value is not None}
        return loaded

    def _from_memory(self, keys: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for key in keys:
            value = self._held.pop(key, None)
            if value is not None:
                self._held[key] = value  # Now the most recently used.
                yield key, value

    def _hold(self, documents: Mapping[str, bytes]) -> None:
        for key, value in documents.items():
            self._held_bytes += len(value) - len(self._held.pop(key, b""))
            self._held[key] = value
        while self._held_bytes > _HELD_BYTES_MAX:
            oldest = next(iter(self._held))
            self._held_bytes -= len(self._held.pop(oldest))
            self._holds_all = False

    def _forget(self) -> None:
        self._held.clear()
        self._held_bytes = 0
        self._holds_all = False
        self._writing.clear()
