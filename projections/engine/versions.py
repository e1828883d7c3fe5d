"""Which versions of a view there are, and who may change that: a pointer and a record beside it.

Readers read the version that the pointer names. The record says which version is being built, which one
was read before and is kept, and which are to be deleted, and bears an epoch. Pointer and record are only ever
changed together, by compare-and-set, and a writer that takes a view over raises the epoch first: another that
stalled, between any two steps, is refused from then on. No number is given to two versions, so that what is
deleted or written late hits no other's documents.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec

from projections.documents.keys import Pointer, pointer_in
from projections.engine.follower import TargetMoved


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored beside a view's pointer."""

    epoch: int = 0
    newest: int = 0  # version ever begun, as far as this record goes back
    building: Pointer | None = None
    kept: Pointer | None = None  # what readers read before, for rolling back
    kept_at: int = 0  # seconds since 1970: when it was replaced
    follows_kept: bool = False  # while it is caught up, to be read again
    gone: tuple[Pointer, ...] = ()  # Readers find none of them; parts may be deleted already.


class Stored(NamedTuple):
    """Record and pointer as they lie in the store; None: there is none."""

    record: bytes | None
    pointer: bytes | None


class VersionStore(Protocol):
    """Where a view's pointer and record lie. Every call may raise TargetUnavailable."""

    def read(self) -> Stored:
        """Both, as of one moment."""

    def change(self, expected: Stored, new: Stored) -> bool:
        """Sets both where they are as expected; False where they are not."""

    def left_over(self, record: bytes | None) -> Iterable[Pointer]:
        """Versions that lie in the store, as far as the record (None: there is none) may not name them."""


class Numbers(Protocol):
    """Gives each number once, for ever: the log, which outlives the views' stores."""

    def next_number(self, name: str, *, above: int) -> int:
        """See EventLog. Raises StoreUnavailable."""


class Versions:
    """A view's versions, as their one writer sees them.

    Every call but `take_over` raises TargetMoved where another has taken over, and changes nothing then.
    """

    def __init__(self, view: str, store: VersionStore, numbers: Numbers) -> None:
        self._view = view
        self._store = store
        self._numbers = numbers
        self._seen = Stored(None, None)
        self._record = Record()
        self.live: Pointer | None = None

    @property
    def building(self) -> Pointer | None:
        """The version that is being built, beside the live one or before there is one."""
        return self._record.building

    @property
    def kept(self) -> Pointer | None:
        """The version that readers read before the live one; nothing follows the log for it."""
        return self._record.kept

    @property
    def kept_at(self) -> int:
        """When it was replaced: seconds since 1970."""
        return self._record.kept_at

    @property
    def gone(self) -> tuple[Pointer, ...]:
        """The versions to be deleted."""
        return self._record.gone

    def take_over(self) -> None:
        """Makes this the view's writer. TargetMoved where somebody else does it at the same moment."""
        self._seen = self._store.read()
        record, known = _record(self._seen.record)
        self.live = pointer_in(self._seen.pointer)
        building = record.building
        if building is not None and self.live is not None and building.version == self.live.version:
            building = None
        kept = record.kept
        if kept is not None and self.live is not None and kept.version == self.live.version:
            kept = None
        in_use = {one.version for one in (self.live, building, kept) if one is not None}
        found = [*record.gone, *self._store.left_over(known)]
        gone = {one.version: one for one in found if one.version not in in_use}
        newest = max([record.newest, *in_use, *gone])
        taken = Record(record.epoch + 1, newest, building, kept, record.kept_at, gone=tuple(gone.values()))
        self._change(taken, self._seen.pointer)

    def check(self) -> None:
        """Raises TargetMoved where something is not as it was left."""
        if self._store.read() != self._seen:
            raise TargetMoved(f"{self._view}: another took over, or the store was emptied")

    def has(self, stored: Stored) -> bool:
        """Whether this is what was left."""
        return stored == self._seen

    def begin(self, *, shards: int, model: int, past: bool = False, keeps: bool = False) -> Pointer:
        """A new version to be built, in place of one that was begun before. Raises StoreUnavailable.

        What was kept is given up for it, unless `keeps`: so there are seldom three. `past`: the live one is
        of another history than the log has now, which the pointer shows readers.
        """
        # Each of the two that remember may forget: the store is emptied, the log is brought back.
        number = self._numbers.next_number(f"view {self._view}", above=self._record.newest)
        begun = Pointer(number, shards, model)
        live, pointer = self.live, self._seen.pointer
        if past and live is not None:
            live = msgspec.structs.replace(live, past=True)
            pointer = msgspec.json.encode(live)
        record = self._without_building(building=begun)
        self._change(record if keeps else _without_kept(record), pointer)
        self.live = live
        return begun

    def build_kept(self) -> None:
        """What was kept is being built from now on, in place of one that was begun."""
        kept = self._record.kept
        record = self._without_building(building=kept)
        self._change(msgspec.structs.replace(record, kept=None), self._seen.pointer)

    def give_up(self, begun: Pointer) -> None:
        """What was begun is not wanted any more."""
        if self.building is not None and self.building.version == begun.version:
            self._change(self._without_building(building=None), self._seen.pointer)

    def follow_kept(self, *, follows: bool) -> None:
        """What was kept is caught up from now on, by every process that writes shards of it; or no longer."""
        record = msgspec.structs.replace(self._record, follows_kept=follows and self.kept is not None)
        self._change(record, self._seen.pointer)

    def publish(self, built: Pointer, *, keep: bool = False) -> None:
        """Turns the pointer to what was built, or to what was kept; the live version is kept, or gone."""
        was_kept = self.kept is not None and self.kept.version == built.version
        if not was_kept and (self.building is None or self.building.version != built.version):
            raise TargetMoved(f"{self._view}: version {built.version} is not what is being built")
        pointer = msgspec.structs.replace(built, epoch=self._record.epoch)
        record = self._record
        record = msgspec.structs.replace(record, kept=None) if was_kept else _without_kept(record)
        building = self.building if was_kept else None
        record = msgspec.structs.replace(record, building=building, follows_kept=False)
        if self.live is not None and keep and not self.live.past:
            record = msgspec.structs.replace(record, kept=self.live, kept_at=int(time.time()))
        elif self.live is not None:
            record = msgspec.structs.replace(record, gone=(*record.gone, self.live))
        self._change(record, msgspec.json.encode(pointer))
        self.live = pointer

    def drop_kept(self) -> None:
        """What was kept is gone."""
        self._change(_without_kept(self._record), self._seen.pointer)

    def withdraw(self) -> None:
        """From now on readers find nothing; the live version is gone."""
        if self.live is not None:
            record = msgspec.structs.replace(self._record, gone=(*self.gone, self.live))
            self._change(record, None)
            self.live = None

    def deleted(self, one: Pointer) -> None:
        """Nothing of this version is left."""
        gone = tuple(other for other in self.gone if other.version != one.version)
        self._change(msgspec.structs.replace(self._record, gone=gone), self._seen.pointer)

    def _without_building(self, *, building: Pointer | None) -> Record:
        gone = self.gone if self.building is None else (*self.gone, self.building)
        newest = max(self._record.newest, 0 if building is None else building.version)
        return msgspec.structs.replace(self._record, newest=newest, building=building, gone=gone)

    def _change(self, record: Record, pointer: bytes | None) -> None:
        new = Stored(msgspec.json.encode(record), pointer)
        if not self._store.change(self._seen, new):
            raise TargetMoved(f"{self._view}: another took over")
        self._seen, self._record = new, record


def record_in(raw: bytes | None) -> Record:
    """What is stored beside a pointer; an empty one where there is none, or none that could be made out."""
    return _record(raw)[0]


def in_being(stored: Stored) -> list[Pointer]:
    """The versions that are followed: the one that is read, and the one that is built or caught up."""
    record = record_in(stored.record)
    caught_up = record.kept if record.follows_kept else None
    named = (record.building, caught_up, pointer_in(stored.pointer))
    versions = {one.version: one for one in named if one is not None}
    return list(versions.values())


def _without_kept(record: Record) -> Record:
    if record.kept is None:
        return record
    return msgspec.structs.replace(record, kept=None, follows_kept=False, gone=(*record.gone, record.kept))


def _record(raw: bytes | None) -> tuple[Record, bytes | None]:
    """An empty one where there is none, or none that could be made out."""
    try:
        return (Record(), None) if raw is None else (msgspec.json.decode(raw, type=Record), raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Record(), None
