"""The shards of one version of a view that this process writes: folded in memory, one script call for each
writes documents and checkpoint.

Held between batches are the documents' bytes, the least recently used let go; the checkpoint fences them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakSet

import msgspec

from event_store.records import START, Checkpoint
from projections.documents.keys import ViewKeys
from projections.engine.folding import Changes, Fact, Floor, floor_of, fold_of
from projections.engine.follower import (
    Decoded,
    FoldFailed,
    TargetDamaged,
    TargetMoved,
    TargetUnavailable,
    checkpoint_of,
    of_this_history,
)
from projections.redis.store import RedisStore
from projections.views.view import View

Holds = Callable[[int], bool]
"""Whether this process writes a shard."""

_HELD_BYTES_MAX = 256 * 2**20
"""Of documents in memory, over all views and versions of this process: each has an equal part of it."""

_IDLE_SECONDS = 0.03
"""Between two moves of the checkpoints of shards in which nothing changes while events come in: a move is a
call for each shard, and most batches change a few shards of a few views."""

_IDLE_SECONDS_PER_SHARD = 0.003
"""At least so much of that for each shard that the process writes of the view."""


def every_shard(_: int) -> bool:
    """One process writes them all."""
    return True


class RedisShards:
    """Takes the log's events into those shards of one version that are held; see Follower."""

    def __init__(self, view: View, store: RedisStore, keys: ViewKeys, holds: Holds = every_shard) -> None:
        """`holds` may change between calls; `see` finds out."""
        self.name = view.name
        self.keys = keys
        self._view = view
        self._fold = fold_of(view)
        self._store = store
        self._holds = holds
        self._stored: list[Checkpoint | None] = []  # each shard's checkpoint, held or not
        self._folding: list[int] = []  # the shards held, as of the last look
        self._taken = START
        self._floor: Floor | None = None  # where the last batch has left it
        self._writing: list[int] = []  # shards whose writes are under way
        self._idle_moved_at = 0.0  # monotonic seconds
        self._documents: dict[str, bytes] = {}
        self._documents_bytes = 0
        self._has_all = False  # that lie in the shards held
        _holding.add(self)

    @property
    def events(self) -> frozenset[type[Any]]:
        """See Follower."""
        return self._view.events

    @property
    def version(self) -> int:
        """Of the view."""
        return self.keys.version

    @property
    def folding(self) -> Mapping[int, Checkpoint]:
        """The checkpoints of the shards held, as they are stored."""
        return {shard: self._stored[shard] or START for shard in self._folding}

    @property
    def every_checkpoint(self) -> Sequence[Checkpoint | None]:
        """Each shard's, as last seen; None: it has none."""
        return self._stored

    @property
    def checkpoint(self) -> Checkpoint:
        """See Follower. Of the shards held; of all where none is."""
        return self._taken

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        """See Follower. Of the shards held."""
        return list(self.folding.values())

    @property
    def position(self) -> int:
        """See Follower."""
        return self._taken.position

    @property
    def held_bytes(self) -> int:
        """Of documents in memory."""
        return self._documents_bytes

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        """See Follower."""
        facts = self._fold.facts_of(batch)
        reached = checkpoint_of(batch, up_to)
        if not of_this_history(batch, self.checkpoints):
            raise TargetMoved(f"{self.name}: a shard has read another history")
        by_shard = self._by_shard(facts)
        first = batch[0].recorded.position if batch else 0
        self._floor = floor_of(self._view, batch) or self._floor
        for shard, stored in self.folding.items():
            new = by_shard.get(shard, ())
            if first <= stored.position:
                new = [fact for fact in new if fact.recorded.position > stored.position]
            if new or (up_to > stored.position and not tailing):
                try:
                    changes = self._fold.fold(new, self._load)
                except FoldFailed:
                    self._store.end_writes()  # Of the shards before, so that none is done after it is opened.
                    raise
                except msgspec.DecodeError as error:
                    raise TargetDamaged(f"{self.name}: a document cannot be read: {error}") from error
                self._begin_write(shard, reached, changes)
                self._remember(changes.documents)
        self._store.flush_writes()
        if up_to > self.position:
            self._taken = reached

    def settle(self, *, may_hold_back: bool) -> None:
        """See Follower. The checkpoints of shards in which nothing changed may wait a little."""
        self._end_writes()
        idle = [shard for shard, stored in self.folding.items() if stored.position < self.position]
        waited = time.monotonic() - self._idle_moved_at
        if idle and not (may_hold_back and waited < self._idle_seconds):
            nothing = self._fold.fold((), self._load)
            for shard in idle:
                self._begin_write(shard, self._taken, nothing)
            self._end_writes()
            self._idle_moved_at = time.monotonic()

    @property
    def _idle_seconds(self) -> float:
        return max(_IDLE_SECONDS, _IDLE_SECONDS_PER_SHARD * len(self._folding))

    def read(self) -> None:
        """Forgets everything and reads every shard's checkpoint."""
        self.forget()
        self._stored = self._store.checkpoints(self.keys)
        self._folding = []
        self._has_all = True
        self._find_held()

    def see(self, found: Sequence[Checkpoint | None]) -> None:
        """Takes note of every shard's checkpoint, as the store has it, and of the shards held by now.

        TargetMoved where one that is held still stands elsewhere than it was left.
        """
        held = [shard for shard in range(self.keys.shards) if self._holds(shard)]
        if any(found[shard] is None for shard in held):
            raise TargetMoved(f"{self.name}: version {self.version} is not there")
        if any(found[shard] != self._stored[shard] for shard in self._folding if shard in held):
            raise TargetMoved(f"{self.name}: the store no longer stands at position {self.position}")
        self._stored = list(found)
        self._find_held()

    def write_missing(self) -> None:
        """Writes a checkpoint for each shard that has none, held or not.

        Before anything else is written, so that after their deletion an old writer is refused.
        """
        missing = [shard for shard, checkpoint in enumerate(self._stored) if checkpoint is None]
        nothing = self._fold.fold((), self._load)
        for shard in missing:
            self._store.begin_write(self.keys, shard, expected=None, checkpoint=START, changes=nothing)
        if not all(self._store.end_writes()):
            raise TargetMoved(f"{self.name}: another writes version {self.version}")
        for shard in missing:
            self._stored[shard] = START

    def forget(self) -> None:
        """Drops what is in memory; what was being written counts as not written."""
        self._documents.clear()
        self._documents_bytes = 0
        self._has_all = False
        self._floor = None
        self._writing.clear()

    def _find_held(self) -> None:
        folding = [shard for shard in range(self.keys.shards) if self._holds(shard)]
        if self._folding and folding == self._folding:
            return
        kept = set(folding).intersection(self._folding)
        if len(kept) < len(self._folding):  # Another writes those from now on, and they may come back.
            self._documents = {
                key: value for key, value in self._documents.items() if self.keys.shard_of(key) in kept
            }
            self._documents_bytes = sum(map(len, self._documents.values()))
        self._folding = folding
        came = (self._stored[shard] for shard in folding if shard not in kept)
        self._has_all = self._has_all and not any((checkpoint or START).position for checkpoint in came)
        counted = [checkpoint or START for checkpoint in self._stored]
        self._taken = min([counted[shard] for shard in folding] or counted)

    def _begin_write(self, shard: int, reached: Checkpoint, changes: Changes) -> None:
        expected = self._stored[shard]
        changes = changes._replace(floor=self._floor)
        self._store.begin_write(self.keys, shard, expected=expected, checkpoint=reached, changes=changes)
        self._writing.append(shard)

    def _end_writes(self) -> None:
        if not self._writing:
            return
        if not all(self._store.end_writes()):
            raise TargetMoved(f"{self.name}: another wrote the checkpoint, or the store was emptied")
        for shard in self._writing:
            self._stored[shard] = self._taken
        self._writing.clear()

    def _by_shard(self, facts: Sequence[Fact]) -> Mapping[int, Sequence[Fact]]:
        if self.keys.shards == 1:
            return {0: facts}
        found: dict[int, list[Fact]] = {}
        for fact in facts:
            found.setdefault(self.keys.shard_of(fact.key), []).append(fact)
        return found

    def _load(self, keys: Collection[str]) -> Mapping[str, bytes]:
        loaded = dict(self._from_memory(keys))
        missing = [key for key in keys if key not in loaded]
        if missing and not self._has_all:
            found = self._store.documents([self.keys.document(key) for key in missing])
            loaded |= {key: value for key, value in zip(missing, found, strict=True) if value is not None}
        return loaded

    def _from_memory(self, keys: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for key in keys:
            value = self._documents.pop(key, None)
            if value is not None:
                self._documents[key] = value  # Now the most recently used.
                yield key, value

    def _remember(self, documents: Mapping[str, bytes]) -> None:
        for key, value in documents.items():
            self._documents_bytes += len(value) - len(self._documents.pop(key, b""))
            self._documents[key] = value
        most = _HELD_BYTES_MAX // len(_holding)
        while self._documents_bytes > most:
            oldest = next(iter(self._documents))
            self._documents_bytes -= len(self._documents.pop(oldest))
            self._has_all = False


_holding: WeakSet[RedisShards] = WeakSet()
"""All that there are in this process."""


class JoinedShards(RedisShards):
    """A Follower in a process that does not lead: its version is made, published and deleted by another."""

    def __init__(self, view: View, url: str, keys: ViewKeys, holds: Holds) -> None:
        """With a connection of its own."""
        super().__init__(view, RedisStore(url), keys, holds)

    def open(self) -> int:
        """See Follower. TargetUnavailable while the leader has not made the shards, or is to give them up."""
        self._store.reconnect()
        self.read()
        if any(self._stored[shard] is None for shard in self._folding):
            raise TargetUnavailable(f"{self.name}: version {self.version} is not there")
        return self.position

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        """See Follower."""
        try:
            super().apply(batch, up_to=up_to, tailing=tailing)
        except TargetDamaged:
            self._give_up()
            raise

    def settle(self, *, may_hold_back: bool) -> None:
        """See Follower."""
        try:
            super().settle(may_hold_back=may_hold_back)
        except TargetDamaged:
            self._give_up()
            raise

    def check(self) -> None:
        """See Follower."""
        self.see(self._store.checkpoints(self.keys))

    def close(self) -> None:
        """See Follower."""
        self.forget()
        self._store.close()

    def _give_up(self) -> None:
        """A version without a checkpoint is one that lost a part of itself: the leader builds another."""
        self._store.reconnect()
        self._store.delete([self.keys.checkpoint(shard) for shard in self._folding])
