"""A view in Redis as a sink: folds in memory, one script call per shard writes documents and checkpoint.

Held between batches are the documents' bytes, the least recently used let go; the checkpoint fences them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from zlib import crc32

import msgspec

from event_store.records import START, Checkpoint
from projections.documents.keys import Pointer, ViewKeys
from projections.engine.folding import Told, fold_of
from projections.engine.sink import (
    Comparison,
    Decoded,
    SinkDamaged,
    SinkMoved,
    checkpoint_of,
    of_this_history,
)
from projections.engine.versions import Numbers, Stored, Versions
from projections.redis.compare import compare_versions
from projections.redis.store import RedisStore, checkpoint_keys, checkpoints_in
from projections.redis.versions import RedisVersions, delete_gone, record_and_pointer
from projections.views.view import View

_HELD_BYTES_MAX = 32 * 2**20


class RedisSink:
    """One version of one view, its documents in Redis. See `projections.engine.sink.Sink`."""

    def __init__(
        self,
        view: View,
        url: str,
        numbers: Numbers,
        *,
        shards: int | None = 1,
        beside: tuple[Versions, Pointer] | None = None,
    ) -> None:
        """`numbers` gives each version its own. `shards` None: as many as the live version has, or 1.
        `beside`: write just this version, next to the live one."""
        self._view = view
        self._url = url
        self._numbers = numbers
        self._fold = fold_of(view)
        self._store = RedisStore(url)
        versions, pinned = beside or (
            Versions(view.name, RedisVersions(view.name, self._store), numbers),
            None,
        )
        self._versions = versions
        self._pinned = pinned
        self._shards = shards
        self._pointer = pinned or Pointer(0, shards or 1, view.model)
        self._keys = ViewKeys(view.name, self._pointer.version, self._pointer.shards)
        self._opened_before = False
        self._checkpoints: list[Checkpoint | None] = []
        self._writing: list[int] = []  # shards whose writes are under way
        self._taken = START
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0
        self._holds_all = False

    @property
    def name(self) -> str:
        return self._view.name

    @property
    def version(self) -> int:
        return self._keys.version

    @property
    def shards(self) -> int:
        return self._keys.shards

    @property
    def checkpoint(self) -> Checkpoint:
        return self._taken

    @property
    def checkpoints(self) -> list[Checkpoint]:
        return [checkpoint or START for checkpoint in self._checkpoints]

    @property
    def position(self) -> int:
        return self._taken.position

    @property
    def is_published(self) -> bool:
        live = self._versions.live
        return live is not None and live.version == self.version

    def open(self) -> int:
        self._store.reconnect()
        if self._pinned is not None:
            self._versions.check()
        else:
            self._versions.take_over()
            self._choose_version()
        self._read_checkpoints()
        if self.is_published and None in self._checkpoints:
            self._versions.withdraw()
            self._begin()
        self._write_missing_checkpoints()
        if self._pinned is None:
            self._delete_gone()
        self._opened_before = True
        return self.position

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        told = self._fold.tell(batch)
        reached = checkpoint_of(batch, up_to)
        if not of_this_history(batch, self.checkpoints):
            raise SinkMoved(f"{self.name}: a shard has read another history")
        for shard, checkpoint in enumerate(self._checkpoints):
            if up_to > (checkpoint or START).position:
                try:
                    changes = self._fold.fold(self._new_to(shard, told), self._load)
                except msgspec.DecodeError as error:
                    raise SinkDamaged(f"{self.name}: a document cannot be read: {error}") from error
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
            raise SinkMoved(f"{self.name}: another wrote the checkpoint, or the store was emptied")
        for shard in self._writing:
            self._checkpoints[shard] = self._taken
        self._writing.clear()

    def check(self) -> None:
        record, pointer, *found = self._store.get_all(
            [*record_and_pointer(self.name), *checkpoint_keys(self._keys)]
        )
        if checkpoints_in(found) != self._checkpoints or not self._versions.has(Stored(record, pointer)):
            raise SinkMoved(f"{self.name}: the store no longer stands at position {self.position}")

    def publish(self) -> None:
        self._versions.publish(self._pointer)
        self._pinned = None
        self._delete_gone()

    def redraw(self, *, past: bool = False) -> None:
        self._begin(past=past)
        self._write_missing_checkpoints()
        self._delete_gone()

    def discard(self) -> None:
        self._store.reconnect()
        self._versions.withdraw()
        self.redraw()

    def beside(self) -> RedisSink:
        pointer = self._versions.begin(shards=self.shards, model=self._view.model)
        sink = RedisSink(
            self._view, self._url, self._numbers, shards=self.shards, beside=(self._versions, pointer)
        )
        sink.open()
        return sink

    def compare(self, other: RedisSink) -> Comparison:
        return compare_versions(self._store, self._view, self._keys, other._keys)

    def drop(self) -> None:
        self._versions.check()  # Not what another has begun meanwhile.
        if not self.is_published:  # It may be: a switch whose answer was lost.
            self._versions.give_up(self._pointer)
            self._delete_gone()

    def close(self) -> None:
        self._forget()
        self._store.close()

    def _choose_version(self) -> None:
        """Finds the live version, or the one to draw up: what was begun by the same read model goes on."""
        live, begun = self._versions.live, self._versions.building
        shards = self._shards or (1 if live is None else live.shards)
        wanted = (self._view.model, shards)
        if live is not None and not live.past and (live.model, live.shards) == wanted:
            self._write_to(live)
            if begun is not None and not self._opened_before:
                self._versions.give_up(begun)  # Left by a rebuild that was killed.
        elif begun is not None and (begun.model, begun.shards) == wanted:
            self._write_to(begun)
        else:
            self._write_to(Pointer(0, shards, self._view.model))
            self._begin()

    def _begin(self, *, past: bool = False) -> None:
        """A version of its own, empty, to be drawn up and then published."""
        self._write_to(self._versions.begin(shards=self.shards, model=self._view.model, past=past))
        self._read_checkpoints()

    def _write_missing_checkpoints(self) -> None:
        # Before anything else is written, so that from their deletion on whoever still writes is refused.
        missing = [shard for shard, checkpoint in enumerate(self._checkpoints) if checkpoint is None]
        nothing = self._fold.fold((), self._load)
        for shard in missing:
            self._store.begin_write(self._keys, shard, expected=None, checkpoint=START, changes=nothing)
        if not all(self._store.end_writes()):
            raise SinkMoved(f"{self.name}: another writes version {self.version}")
        for shard in missing:
            self._checkpoints[shard] = START

    def _write_to(self, pointer: Pointer) -> None:
        self._pointer = pointer
        self._keys = ViewKeys(self.name, pointer.version, pointer.shards)

    def _read_checkpoints(self) -> None:
        self._forget()
        self._checkpoints = self._store.checkpoints(self._keys)
        self._taken = min(self.checkpoints)
        self._holds_all = not any(checkpoint.position for checkpoint in self.checkpoints)

    def _delete_gone(self) -> None:
        delete_gone(self.name, self._store, self._versions)

    def _new_to(self, shard: int, told: Sequence[Told]) -> list[Told]:
        counted = (self._checkpoints[shard] or START).position
        if self.shards == 1:
            return [fact for fact in told if fact.recorded.position > counted]
        return [
            fact
            for fact in told
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
