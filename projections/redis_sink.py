"""A view in Redis as a sink: folds in memory, one script call per shard writes documents and checkpoint.

Held between batches are the documents' bytes, the least recently used let go; the checkpoint fences them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from zlib import crc32

import msgspec

from projections.documents.keys import Pointer, ViewKeys, pointer_key
from projections.folding import Told, fold_of
from projections.redis_compare import compare_versions
from projections.redis_store import RedisStore
from projections.sink import Comparison, Decoded, SinkMoved
from projections.view import View

_HELD_BYTES_MAX = 32 * 2**20


class RedisSink:
    """One version of one view, its documents in Redis. See `projections.sink.Sink`."""

    def __init__(
        self, view: View, url: str, *, shards: int | None = 1, beside: Pointer | None = None
    ) -> None:
        """`shards` None: as many as the live version has, or 1. `beside`: write just this version, next to
        the live one."""
        self._view = view
        self._url = url
        self._fold = fold_of(view)
        self._store = RedisStore(url)
        self._pinned = beside
        self._shards = shards
        self._pointer = beside or Pointer(1, shards or 1, view.model)
        self._keys = ViewKeys(view.name, self._pointer.version, self._pointer.shards)
        self._seen_pointer: bytes | None = None  # the live pointer as it was read
        self._published = False
        self._newest_live = 0  # the newest version that readers were ever told of, as far as is known here
        self._opened_before = False
        self._checkpoints: list[int | None] = []
        self._writing: list[int] = []  # shards whose writes are under way
        self._position = 0
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
    def position(self) -> int:
        return self._position

    @property
    def is_published(self) -> bool:
        return self._published

    def open(self) -> int:
        self._store.reconnect()
        self._choose_version()
        self._read_checkpoints()
        if self._published and None in self._checkpoints:
            self.reset()
        return self._position

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        told = self._fold.tell(batch)
        for shard, checkpoint in enumerate(self._checkpoints):
            if up_to > (checkpoint or 0):
                changes = self._fold.fold(self._new_to(shard, told), self._load)
                self._store.begin_write(
                    self._keys, shard, expected=checkpoint, position=up_to, changes=changes
                )
                self._writing.append(shard)
                self._hold(changes.documents)
        self._position = max(self._position, up_to)

    def settle(self, *, may_hold_back: bool) -> None:
        if not self._writing:
            return
        done = self._store.end_writes()
        if not all(done):
            raise SinkMoved(f"{self.name}: another wrote the checkpoint, or the store was emptied")
        for shard in self._writing:
            self._checkpoints[shard] = self._position
        self._writing.clear()

    def check(self) -> None:
        pointer, *checkpoints = self._store.get_all(
            [pointer_key(self.name), *(self._keys.checkpoint(shard) for shard in range(self.shards))]
        )
        if _numbers(checkpoints) != self._checkpoints or pointer != self._seen_pointer:
            raise SinkMoved(f"{self.name}: the store no longer stands at position {self._position}")

    def publish(self) -> None:
        self._write_missing_checkpoints()
        raw = msgspec.json.encode(self._pointer)
        if not self._store.switch_pointer(self.name, expected=self._seen_pointer, pointer=raw):
            raise SinkMoved(f"{self.name}: another switched the pointer")
        self._delete_checkpoints_of(self._seen_pointer)
        self._seen_pointer = raw
        self._published = True
        self._newest_live = self.version
        self._pinned = None
        self._delete_others()

    def reset(self) -> None:
        if self._published:
            if not self._store.switch_pointer(self.name, expected=self._seen_pointer, pointer=None):
                raise SinkMoved(f"{self.name}: another switched the pointer")
            self._delete_version()
            self._seen_pointer = None
            self._published = False
            self._write_to(self._next_version(self.shards))
        self._begin_anew()

    def beside(self) -> RedisSink:
        pointer = Pointer(self.version + 1, self.shards, self._view.model)
        sink = RedisSink(self._view, self._url, shards=self.shards, beside=pointer)
        sink.open()
        sink.reset()
        return sink

    def compare(self, other: RedisSink) -> Comparison:
        return compare_versions(self._store, self._view, self._keys, other._keys)

    def drop(self) -> None:
        (live,) = self._store.get_all([pointer_key(self.name)])
        if live != msgspec.json.encode(self._pointer):  # It may be: a switch whose answer was lost.
            self._delete_version()
            self._store.delete([_building_key(self.name)])

    def close(self) -> None:
        self._forget()
        self._store.close()

    def _choose_version(self) -> None:
        """Finds the live version, or the one to draw up: what was begun by the same read model goes on."""
        self._seen_pointer, building = self._store.get_all([pointer_key(self.name), _building_key(self.name)])
        live, begun = _pointer(self._seen_pointer), _pointer(building)
        if live is not None:
            self._newest_live = max(self._newest_live, live.version)
        shards = self._shards or (1 if live is None else live.shards)
        wanted = (self._view.model, shards)
        self._published = False
        if self._pinned is not None:
            self._write_to(self._pinned)
        elif live is not None and (live.model, live.shards) == wanted:
            self._write_to(live)
            self._published = True
        elif (
            begun is not None and (begun.model, begun.shards) == wanted and begun.version > self._newest_live
        ):
            self._write_to(begun)
        else:
            self._write_to(self._next_version(shards))
        if not self._published and building != msgspec.json.encode(self._pointer):
            self._begin_anew()
        elif self._published and building is not None and not self._opened_before:
            self._delete_others()  # Left by a rebuild that was killed.
        self._opened_before = True

    def _next_version(self, shards: int) -> Pointer:
        # Not the number of one that is gone: readers trust the pointer they read last for a while longer, and
        # would take what is half drawn up under its keys for all of it.
        return Pointer(self._newest_live + 1, shards, self._view.model)

    def _write_to(self, pointer: Pointer) -> None:
        self._pointer = pointer
        self._keys = ViewKeys(self.name, pointer.version, pointer.shards)

    def _read_checkpoints(self) -> None:
        self._forget()
        found = self._store.get_all([self._keys.checkpoint(shard) for shard in range(self.shards)])
        self._checkpoints = _numbers(found)
        self._position = min(checkpoint or 0 for checkpoint in self._checkpoints)
        self._holds_all = not any(self._checkpoints)

    def _write_missing_checkpoints(self) -> None:
        missing = [shard for shard, checkpoint in enumerate(self._checkpoints) if checkpoint is None]
        if missing:
            nothing = self._fold.fold((), self._load)
            for shard in missing:
                self._store.begin_write(self._keys, shard, expected=None, position=0, changes=nothing)
                self._writing.append(shard)
            self.settle(may_hold_back=False)

    def _begin_anew(self) -> None:
        self._delete_version()
        self._store.set(_building_key(self.name), msgspec.json.encode(self._pointer))
        self._read_checkpoints()

    def _delete_version(self) -> None:
        # The checkpoints first: from then on a paused twin is refused, and readers find nothing ready.
        self._store.delete([self._keys.checkpoint(shard) for shard in range(self.shards)])
        for keys in self._store.keys_of(self.name, self.version):
            self._store.delete(keys)

    def _delete_checkpoints_of(self, raw: bytes | None) -> None:
        # Before any document of it goes: whoever still reads that version finds it gone as a whole.
        pointer = _pointer(raw)
        if pointer is not None:
            keys = ViewKeys(self.name, pointer.version, pointer.shards)
            self._store.delete([keys.checkpoint(shard) for shard in range(pointer.shards)])

    def _delete_others(self) -> None:
        self._store.delete([_building_key(self.name)])
        own = f"{{{self.name}.v{self.version}.".encode()
        for keys in self._store.keys_of(self.name):
            self._store.delete([key for key in keys if not key.startswith(own)])

    def _new_to(self, shard: int, told: Sequence[Told]) -> list[Told]:
        counted = self._checkpoints[shard] or 0
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
            found = self._store.get_all([self._keys.document(key) for key in missing])
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


def _numbers(checkpoints: Sequence[bytes | None]) -> list[int | None]:
    return [None if checkpoint is None else int(checkpoint) for checkpoint in checkpoints]


def _pointer(raw: bytes | None) -> Pointer | None:
    return None if raw is None else msgspec.json.decode(raw, type=Pointer)


def _building_key(view: str) -> str:
    """Where it is noted which version is being drawn up, as the pointer it will have."""
    return f"building:{view}"
