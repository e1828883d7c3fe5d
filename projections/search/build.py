"""A version of the search index, in whichever store: folded in memory, committed with its checkpoint.

A commit is dear in every search store, so they are spaced.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar

import msgspec

from event_store.records import START, Checkpoint, RecordedEvent
from projections.documents.keys import Pointer
from projections.documents.search import VIEW
from projections.documents.words.lexicon import Lexicon
from projections.engine.build import Build, Candidates, Compared
from projections.engine.folding import failed_at, reason_of
from projections.engine.follower import Decoded, FoldFailed, TargetDamaged, checkpoint_of, of_classes
from projections.engine.versions import Numbers, Versions, VersionStore
from projections.search.compare import candidates
from projections.views.search import EVENTS, IndexedProduct, evolve, facts, model_of

_HELD_BACK_SECONDS = 0.2
"""Between commits while tailing: a shopper hardly notices a fifth of a second."""

_HELD_BACK_SECONDS_QUIET = 0.5
"""Between commits that only move the checkpoint, since nothing on sale changed."""

_HELD_BACK_SECONDS_CATCHING_UP = 1.0

_HELD_BACK_SECONDS_UNPUBLISHED = 10.0
"""While nobody reads: enough that a crash does not cost the whole work."""

_CHANGED_MAX = 20_000
"""Products changed and not committed; with more, a commit is due at once."""

_REMEMBERED_MAX = 20_000
"""Products kept in memory; any other is read back from the index when an event names it."""


Made = TypeVar("Made")

_DECODER = msgspec.json.Decoder(IndexedProduct)


def made_of(product: IndexedProduct, make: Callable[[IndexedProduct], Made]) -> Made:
    """The engine's document of a product. Raises FoldFailed at the product's last event."""
    try:
        return make(product)
    except Exception as error:
        raise FoldFailed(product.position, reason_of(error)) from error


class SearchBuild(Build):
    """One version of the search index; a store adds how products are read, committed and deleted."""

    def __init__(
        self,
        store: VersionStore,
        numbers: Numbers,
        *,
        lexicon: Lexicon | None = None,
        beside: tuple[Versions, Pointer] | None = None,
    ) -> None:
        """See Build. `lexicon`: what words are cut by; another makes another read model."""
        self.lexicon = lexicon or Lexicon()
        super().__init__(VIEW, store, numbers, model=model_of(self.lexicon), beside=beside)
        self._committed = START
        self._committed_at = 0.0  # monotonic
        self._forget()

    @property
    def events(self) -> frozenset[type[Any]]:
        """See Follower."""
        return EVENTS

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The last commit's."""
        self._require_open()
        return [self._committed]

    @property
    def folding(self) -> Mapping[int, Checkpoint]:
        """The index is one shard."""
        return {0: self._committed}

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        """Folds in memory; what the clock or the amount makes due is committed by `settle`."""
        wanted: list[tuple[str, Any, RecordedEvent]] = []
        recorded = None
        try:
            for recorded, event in of_classes(batch, EVENTS):
                if recorded.position > self.position:
                    wanted += [(sku, fact, recorded) for sku, fact in facts(event, recorded)]
        except Exception as error:
            raise failed_at(recorded, error) from error
        with self._failing():
            self._recall({sku for sku, _, _ in wanted})
        try:
            for sku, fact, recorded in wanted:
                self._changed[sku] = evolve(sku, self._changed.get(sku), fact, recorded)
        except Exception as error:
            raise failed_at(recorded, error) from error
        if up_to > self.position:
            self._taken = checkpoint_of(batch, up_to)
        self._tailing = tailing

    def settle(self, *, may_hold_back: bool) -> None:
        """Commits, unless that may wait for more."""
        self._require_open()
        if self._taken == self._committed:
            return
        waited = time.monotonic() - self._committed_at
        if may_hold_back and len(self._changed) < _CHANGED_MAX and waited < self._held_back_seconds():
            return
        with self._failing():
            self._commit(self._changed, self._taken)
        self._opened_at(self._taken)
        self._remember()

    def comparison_with(self, other: Self) -> Callable[[], Candidates]:
        def compared() -> Candidates:
            with self._failing(), other._failing():
                return candidates(self._all_stored, other._all_stored)

        return compared

    def compare_again(self, other: Self, keys: Sequence[str]) -> Compared:
        if self.checkpoints != other.checkpoints:
            return Compared([], list(keys))
        with self._failing(), other._failing():
            ours, theirs = self._states(keys), other._states(keys)
        return Compared(sorted(key for key in keys if ours.get(key) != theirs.get(key)), [])

    def read_checkpoints(self) -> Sequence[Checkpoint]:
        return self.checkpoints

    @abstractmethod
    def _require_open(self) -> None:
        """Raises TargetMoved where the index is not open."""

    @abstractmethod
    def _failing(self) -> AbstractContextManager[None]:
        """What the store fails with becomes TargetMoved, TargetDamaged or TargetUnavailable."""

    def _stored(self, skus: Collection[str]) -> Mapping[str, IndexedProduct]:
        """What the last commit has of these, by SKU; those that it has nothing of are left out."""
        try:
            return {sku: _DECODER.decode(state) for sku, state in self._states(skus).items()}
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TargetDamaged(f"{self.name}: a product cannot be read: {error}") from error

    @abstractmethod
    def _states(self, skus: Collection[str]) -> Mapping[str, bytes]:
        """The bytes that the last commit has of these, by SKU; those that it has nothing of are left out."""

    @abstractmethod
    def _commit(self, changed: Mapping[str, IndexedProduct], checkpoint: Checkpoint) -> None:
        """Writes products and checkpoint: afterwards both are durable, and readers see them. FoldFailed where
        the engine has no document for a product (see `made_of`)."""

    @abstractmethod
    def _all_stored(self) -> Iterator[tuple[str, bytes]]:
        """What the last commit has of every SKU, as bytes."""

    def _opened_at(self, checkpoint: Checkpoint) -> None:
        """What is committed, now."""
        self._committed = self._taken = checkpoint
        self._committed_at = time.monotonic()

    def _forget(self) -> None:
        self._taken = START
        self._changed: dict[str, IndexedProduct] = {}
        self._remembered: OrderedDict[str, IndexedProduct] = OrderedDict()
        self._tailing = False

    def _recall(self, skus: set[str]) -> None:
        """Makes what is known of these products ready to be changed."""
        lost = set()
        for sku in skus - self._changed.keys():
            known = self._remembered.pop(sku, None)
            if known is None:
                lost.add(sku)
            else:
                self._changed[sku] = known
        if lost:
            self._changed.update(self._stored(lost))

    def _remember(self) -> None:
        self._remembered.update(self._changed)
        self._changed = {}
        while len(self._remembered) > _REMEMBERED_MAX:
            self._remembered.popitem(last=False)

    def _held_back_seconds(self) -> float:
        if not self.is_published:
            return _HELD_BACK_SECONDS_UNPUBLISHED
        if not self._tailing:
            return _HELD_BACK_SECONDS_CATCHING_UP
        return _HELD_BACK_SECONDS if self._changed else _HELD_BACK_SECONDS_QUIET
