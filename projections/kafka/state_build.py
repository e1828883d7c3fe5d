"""A version of a view as a compacted topic of its documents, for consumers who want the present state.

The documents are those in Redis, byte for byte. They are held in memory: a topic is not read by key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Any

import msgspec

from event_store.kafka.settings import KafkaSettings
from event_store.records import START, Checkpoint
from projections.documents.keys import Pointer
from projections.engine.build import Build, Candidates, Compared
from projections.engine.folding import DocumentFold
from projections.engine.follower import Decoded, TargetDamaged, TargetMoved, checkpoint_of
from projections.engine.versions import Numbers, Versions
from projections.kafka.errors import target_errors
from projections.kafka.state import Standing, StateTopics
from projections.kafka.state_reading import CHECKPOINT_KEY, checkpoint_in
from projections.views.view import DocumentView

STATE_VIEWS = ("product", "order", "inventory")
"""The views that have state topics."""
_HOLD_BACK_SECONDS = 0.1


class StateBuild(Build):
    """One version of one view in a topic of its own."""

    def __init__(
        self,
        view: DocumentView[Any],
        settings: KafkaSettings,
        numbers: Numbers,
        *,
        beside: tuple[Versions, Pointer] | None = None,
        topics: StateTopics | None = None,
    ) -> None:
        """See Build. `topics`: of the build that this one is beside: they share a writer."""
        self._view = view
        self._settings = settings
        self._numbers = numbers
        self._topics = topics or StateTopics(settings, view.name)
        self._topics.used_by(self)
        self._fold = DocumentFold(view)
        self._documents: dict[str, bytes] | None = None  # None: it is closed
        self._changed: dict[str, bytes] = {}
        self._durable = START
        self._standing: Standing | None = None
        self._written_at = 0.0
        super().__init__(f"state.{view.name}", self._topics, numbers, model=view.model, beside=beside)

    @property
    def events(self) -> frozenset[type[Any]]:
        return self._view.events

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        return [self._durable]

    @property
    def folding(self) -> Mapping[int, Checkpoint]:
        return {0: self._durable}

    def open(self) -> int:
        """See Build; an earlier writer is refused from now on."""
        self._topics.used_by(self)
        if self._pinned is None or not self._topics.can_write:
            self._topics.take_over()
        return super().open()

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        self._in_use()
        facts = [fact for fact in self._fold.facts_of(batch) if fact.recorded.position > self.position]
        try:
            self._changed.update(self._fold.fold(facts, self._load).documents)
        except msgspec.DecodeError as error:
            raise TargetDamaged(f"{self.name}, version {self.version}: {error}") from error
        if up_to > self.position:
            self._taken = checkpoint_of(batch, up_to)

    def settle(self, *, may_hold_back: bool) -> None:
        documents = self._in_use()
        if self._taken == self._durable:
            return
        if may_hold_back and time.monotonic() < self._written_at + _HOLD_BACK_SECONDS:
            return
        self._check_standing()
        self._standing = self._topics.write(self.version, self._changed, self._taken)
        self._written_at = time.monotonic()
        documents.update(self._changed)
        self._durable, self._changed = self._taken, {}

    def check(self) -> None:
        self._versions.check()
        self._in_use()
        self._check_standing()

    def close(self) -> None:
        self._reset()
        self._topics.left_by(self)

    def deletion(self, gone: Pointer) -> Generator[None, None, None]:
        return self._topics.deletion(gone.version)

    def read_checkpoints(self) -> Sequence[Checkpoint]:
        return [self._topics.checkpoint(self.version) or START]

    def comparison_with(self, other: StateBuild) -> Callable[[], Candidates]:
        one, two = self.version, other.version
        topics = self._topics.reading()  # Its own: these are used by another thread meanwhile.

        def compared() -> Candidates:
            try:
                ours, theirs = (_documents(topics.documents(version)) for version in (one, two))
            finally:
                topics.close()
            keys = ours.keys() | theirs.keys()
            differing = sorted(key.decode() for key in keys if ours.get(key) != theirs.get(key))
            return Candidates(len(keys), differing)

        return compared

    def compare_again(self, other: StateBuild, keys: Sequence[str]) -> Compared:
        if self.checkpoints != other.checkpoints:
            return Compared([], list(keys))
        if not keys:
            return Compared([], [])
        ours, theirs = (_documents(self._topics.documents(one.version)) for one in (self, other))
        return Compared(sorted(key for key in keys if ours.get(key.encode()) != theirs.get(key.encode())), [])

    def _reset(self) -> None:
        self._documents, self._changed = None, {}
        self._taken = self._durable = START
        self._standing = None

    def _open_version(self) -> None:
        standing, found = self._topics.standing(self.version), self._topics.documents(self.version)
        if standing is None or CHECKPOINT_KEY not in found:
            standing, found = self._open_new(has_records=bool(found))
        with target_errors():
            self._taken = self._durable = checkpoint_in(found.pop(CHECKPOINT_KEY))
        self._standing = standing
        self._documents = {key.decode(): value for key, value in found.items()}

    def _open_new(self, *, has_records: bool) -> tuple[Standing, dict[bytes, bytes]]:
        """An empty version: the next one where this one lost a part of itself."""
        if self._pinned is not None and has_records:
            raise TargetMoved(f"{self.name}, version {self.version}, is damaged")
        if self.is_published or has_records:
            self._versions.withdraw()
            self._begin()
        self._topics.make(self.version)
        standing = self._topics.write(self.version, {}, START)
        return standing, self._topics.documents(self.version)

    def _is_there(self) -> bool:
        return CHECKPOINT_KEY in self._topics.documents(self.version)

    def _another(self, pointer: Pointer) -> StateBuild:
        beside = (self._versions, pointer)
        return StateBuild(self._view, self._settings, self._numbers, beside=beside, topics=self._topics)

    def _check_standing(self) -> None:
        """TargetMoved where the topic is not as it was left."""
        if self._standing is None or self._topics.standing(self.version) != self._standing:
            raise TargetMoved(f"{self.name}: version {self.version} is not as it was left")

    def _in_use(self) -> dict[str, bytes]:
        if self._documents is None:
            raise TargetMoved(f"{self.name} is closed")
        return self._documents

    def _load(self, keys: Collection[str]) -> Mapping[str, bytes]:
        documents = self._in_use()
        found = {key: self._changed.get(key) or documents.get(key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}


def _documents(found: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {key: value for key, value in found.items() if key != CHECKPOINT_KEY}
