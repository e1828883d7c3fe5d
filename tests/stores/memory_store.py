"""The plainest store of a view: versions in memory. What it does the others do too."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from event_store.records import START, Checkpoint
from projections.documents.errors import ViewNotReady
from projections.documents.keys import Pointer, pointer_in
from projections.engine.build import Build, Candidates, Compared
from projections.engine.folding import DocumentFold
from projections.engine.follower import Decoded, TargetDamaged, TargetMoved, checkpoint_of
from projections.engine.versions import Numbers, Stored, Versions
from projections.views import catalog
from projections.views.view import DocumentView
from tests.stores.store import Seen, Store, titled_pages


@dataclass(slots=True)
class StoredVersion:
    """A version's documents and how far they are."""

    documents: dict[str, bytes] = field(default_factory=dict)
    checkpoint: Checkpoint = START


_NOTHING = Stored(None, None)


@dataclass(slots=True)
class Memory:
    """What lies there, whoever writes it: a `VersionStore`."""

    stored: Stored = _NOTHING
    versions: dict[int, StoredVersion] = field(default_factory=dict)

    def read(self) -> Stored:
        return self.stored

    def change(self, expected: Stored, new: Stored) -> bool:
        if self.stored != expected:
            return False
        self.stored = new
        return True

    def left_over(self, record: bytes | None) -> Iterable[Pointer]:
        return [Pointer(number, 1) for number in self.versions]

    @property
    def live(self) -> StoredVersion | None:
        """What readers read."""
        pointer = pointer_in(self.stored.pointer)
        return None if pointer is None else self.versions.get(pointer.version)


class MemoryBuild(Build):
    """One version of one view in memory."""

    def __init__(
        self,
        view: DocumentView[Any],
        memory: Memory,
        numbers: Numbers,
        *,
        beside: tuple[Versions, Pointer] | None = None,
    ) -> None:
        """See Build."""
        self._view = view
        self._memory = memory
        self._numbers = numbers
        self._fold = DocumentFold(view)
        self._durable = START
        self._changed: dict[str, bytes] | None = None  # None: it is closed
        super().__init__(view.name, memory, numbers, model=view.model, beside=beside)

    @property
    def events(self) -> frozenset[type[Any]]:
        return self._view.events

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        return [self._durable]

    @property
    def folding(self) -> Mapping[int, Checkpoint]:
        return {0: self._durable}

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        changed = self._in_use()
        facts = [fact for fact in self._fold.facts_of(batch) if fact.recorded.position > self.position]
        try:
            changed.update(self._fold.fold(facts, self._load).documents)
        except msgspec.DecodeError as error:
            raise TargetDamaged(str(error)) from error
        if up_to > self.position:
            self._taken = checkpoint_of(batch, up_to)

    def settle(self, *, may_hold_back: bool) -> None:
        changed, version = self._in_use(), self._version()
        version.documents.update(changed)
        version.checkpoint = self._durable = self._taken
        changed.clear()

    def check(self) -> None:
        self._versions.check()
        self._version()

    def close(self) -> None:
        self._changed = None

    def comparison_with(self, other: MemoryBuild) -> Callable[[], Candidates]:
        def compared() -> Candidates:
            ours, theirs = self._version().documents, other._version().documents
            keys = ours.keys() | theirs.keys()
            return Candidates(len(keys), sorted(key for key in keys if ours.get(key) != theirs.get(key)))

        return compared

    def compare_again(self, other: MemoryBuild, keys: Sequence[str]) -> Compared:
        if self.checkpoints != other.checkpoints:
            return Compared([], list(keys))
        ours, theirs = self._version().documents, other._version().documents
        return Compared(sorted(key for key in keys if ours.get(key) != theirs.get(key)), [])

    def read_checkpoints(self) -> Sequence[Checkpoint]:
        return [self._version().checkpoint]

    def _reset(self) -> None:
        self._changed = {}
        self._taken = self._durable = START

    def _open_version(self) -> None:
        if self.version not in self._memory.versions:
            if self.is_published:
                self._versions.withdraw()
                self._begin()
            self._memory.versions[self.version] = StoredVersion()
        self._taken = self._durable = self._memory.versions[self.version].checkpoint
        self._changed = {}

    def _is_there(self) -> bool:
        return self.version in self._memory.versions

    def _another(self, pointer: Pointer) -> MemoryBuild:
        return MemoryBuild(self._view, self._memory, self._numbers, beside=(self._versions, pointer))

    def deletion(self, gone: Pointer) -> Generator[None, None, None]:
        self._memory.versions.pop(gone.version, None)
        yield

    def _in_use(self) -> dict[str, bytes]:
        if self._changed is None:
            raise TargetMoved(f"{self.name} is closed")
        return self._changed

    def _version(self) -> StoredVersion:
        """What lies there, as it was left."""
        version = self._memory.versions.get(self.version)
        if version is None or version.checkpoint != self._durable:
            raise TargetMoved(f"{self.name}: version {self.version} is not as it was left")
        return version

    def _load(self, keys: Collection[str]) -> Mapping[str, bytes]:
        changed = self._in_use()
        stored = self._memory.versions.get(self.version)
        stored_documents = {} if stored is None else stored.documents
        found = {key: changed.get(key) or stored_documents.get(key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}


class MemoryReader:
    """Of what lies in memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def read(self, *named: str) -> Seen:
        live = self._memory.live
        if live is None:
            raise ViewNotReady("product")
        found = {sku: live.documents[sku] for sku in named if sku in live.documents}
        return Seen(found, live.checkpoint.position)

    def close(self) -> None:
        pass


class MemoryStore(Store):
    """The memory of this process."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()

    def build(self, numbers: Numbers | None = None) -> MemoryBuild:
        return MemoryBuild(catalog.VIEW, self.memory, numbers or self.numbers)

    def titled(self, beginning: str, model: int, numbers: Numbers, _: pytest.MonkeyPatch) -> MemoryBuild:
        return MemoryBuild(titled_pages(beginning, model), self.memory, numbers)

    def reader(self) -> MemoryReader:
        return MemoryReader(self.memory)

    def versions(self) -> list[int]:
        return sorted(self.memory.versions)

    def stored(self) -> Stored:
        return self.memory.stored

    def content(self) -> object:
        return copy.deepcopy(self.memory)

    def empty(self) -> None:
        lost = Memory()
        self.memory.stored, self.memory.versions = lost.stored, lost.versions

    def save(self) -> Callable[[], None]:
        saved = copy.deepcopy(self.memory)

        def restore() -> None:
            again = copy.deepcopy(saved)
            self.memory.stored, self.memory.versions = again.stored, again.versions

        return restore

    def lose_a_part(self, version: int) -> None:
        del self.memory.versions[version]

    def close(self) -> None:
        pass

    def damage(self, version: int, sku: str) -> None:
        self.memory.versions[version].documents[sku] = b"{"
