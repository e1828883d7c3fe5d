"""A version of a view in its store: followed into, built beside the live one, compared, published."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, Self

from event_store.records import START, Checkpoint
from projections.documents.keys import Pointer
from projections.engine.follower import Decoded
from projections.engine.versions import Numbers, Versions, VersionStore


class Comparison(NamedTuple):
    """Two versions of a view, compared document by document at one position."""

    documents: int
    differing_keys: list[str]


class Candidates(NamedTuple):
    """What comparing two versions found while both went on: keys whose documents may differ."""

    documents: int  # compared
    keys: list[str]


class Compared(NamedTuple):
    """What comparing some documents once more found."""

    differing: list[str]
    undecided: list[str]
    """Keys whose two versions did not stand at one position."""


class NotKept(Exception):  # noqa: N818
    """There is no version that readers could be turned back to."""


class Build(ABC):
    """A Follower whose documents are one version of one view.

    Here is the version's life, which is the same in every store; a store adds how documents and checkpoints
    are read, written, compared and deleted.
    """

    def __init__(
        self,
        name: str,
        store: VersionStore,
        numbers: Numbers,
        *,
        model: int,
        shards: int | None = 1,
        beside: tuple[Versions, Pointer] | None = None,
    ) -> None:
        """`numbers` gives each version its own. `model` is the read model's, in the code. `shards` None: as
        many as the live version has, or 1. `beside`: write just this version, next to the live one."""
        self.name = name
        self._model = model
        self._wanted_shards = shards
        self._versions = beside[0] if beside else Versions(name, store, numbers)
        self._pinned = beside[1] if beside else None
        self._opened_before = False
        self._taken = START
        self._write_to(self._pinned or Pointer(0, shards or 1, model))

    @property
    @abstractmethod
    def events(self) -> frozenset[type[Any]]:
        """See Follower."""

    @property
    def version(self) -> int:
        """Which version of the view this is; each rebuild makes the next one. Known after `open`."""
        return self._pointer.version

    @property
    def shards(self) -> int:
        """Over how many shards the view is cut; 1 where the store knows none."""
        return self._pointer.shards

    @property
    def checkpoint(self) -> Checkpoint:
        """See Follower."""
        return self._taken

    @property
    @abstractmethod
    def checkpoints(self) -> Sequence[Checkpoint]:
        """See Follower."""

    @property
    @abstractmethod
    def folding(self) -> Mapping[int, Checkpoint]:
        """See Follower."""

    @property
    def position(self) -> int:
        """See Follower."""
        return self._taken.position

    @property
    def is_published(self) -> bool:
        """Whether this version is the one that readers read."""
        live = self._versions.live
        return live is not None and live.version == self.version

    @property
    def has_live(self) -> bool:
        """Whether readers read any version of the view."""
        return self._versions.live is not None

    def open(self) -> int:
        """Takes the view over and finds out which version is live.

        Where none is, or the live one was built by another read model, a version is written that is not
        published yet. Where the live version lost a part of itself, it is withdrawn from readers and begun
        anew. Raises StoreUnavailable where a new version's number cannot be had.
        """
        self._reset()
        if self._pinned is not None:
            self._versions.check()
        else:
            self._versions.take_over()
            self._choose_version()
        self._open_version()
        self._opened_before = True
        return self.position

    @abstractmethod
    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        """See Follower."""

    @abstractmethod
    def settle(self, *, may_hold_back: bool) -> None:
        """See Follower."""

    @abstractmethod
    def check(self) -> None:
        """See Follower."""

    @abstractmethod
    def close(self) -> None:
        """See Follower."""

    def publish(self, *, keep: bool = False) -> None:
        """Makes this version the one that readers read, in one step; the one before is gone.

        `keep`: that is kept instead, for rolling back, and what was kept before is gone. TargetMoved where
        another has taken the view over: then nothing was changed.
        """
        self.settle(may_hold_back=False)
        self._versions.publish(self._pointer, keep=keep)
        self._pinned = None

    def restart(self, *, past: bool = False) -> None:
        """Starts a new version at position 0; readers keep the published one until the new one is published.

        `past`: the published one is of another history, and stands nowhere in the log's own: readers find its
        documents at position 0.
        """
        self._reset()
        self._begin(past=past)
        self._open_version()

    def discard(self) -> None:
        """Withdraws the published version, which is damaged, from readers and starts a new one."""
        self._reset()
        self._versions.withdraw()
        self.restart()

    def beside(self, *, keeps: bool = False) -> Self:
        """A new, empty, unpublished version next to this one, opened, at position 0.

        `keeps`: what is kept for rolling back stays; otherwise it is gone.
        """
        begun = self._versions.begin(shards=self.shards, model=self._model, keeps=keeps)
        build = self._another(begun)
        build.open()
        return build

    @property
    def kept(self) -> Pointer | None:
        """The version that readers read before this one, kept for rolling back."""
        return self._versions.kept

    @property
    def kept_at(self) -> int:
        """Since when it is kept: seconds since 1970."""
        return self._versions.kept_at

    def open_kept(self) -> Self:
        """The version that is kept, opened; to be caught up and published. Raises NotKept."""
        kept, live = self._versions.kept, self._pointer
        if kept is None:
            raise NotKept("no version is kept")
        if kept.model != live.model:
            raise NotKept(
                f"version {kept.version} was built by read model {kept.model}, this code has {live.model}:"
                " the code that built it goes on from it when it is started"
            )
        if kept.shards != live.shards:
            raise NotKept(f"version {kept.version} is cut over {kept.shards} shards, not over {live.shards}")
        build = self._another(kept)
        if not build._is_there():
            build.close()
            raise NotKept(f"version {kept.version} is no longer there")
        build.open()
        return build

    def follow_kept(self, *, follows: bool) -> None:
        """What is kept is caught up from now on, in every process, or no longer. TargetMoved as `publish`."""
        self._versions.follow_kept(follows=follows)

    def drop_kept(self) -> None:
        """What is kept is gone. TargetMoved as `publish`."""
        self._versions.drop_kept()

    @property
    def gone(self) -> Sequence[Pointer]:
        """The versions that readers find no more, and of which something may still lie in the store."""
        return self._versions.gone

    @abstractmethod
    def deletion(self, gone: Pointer) -> Generator[None, None, None]:
        """Deletes a version in steps of some milliseconds, on a connection of its own: for another thread.

        What was deleted in part, or already, is no fault. Raises TargetUnavailable.
        """

    def deleted(self, gone: Pointer) -> None:
        """Nothing of this version is left. TargetMoved as `publish`."""
        self._versions.deleted(gone)

    def compare(self, other: Self) -> Comparison:
        """Compares every document, byte for byte, with those of `other`, another version of the same view.

        Both are settled, at the same position, and stand still meanwhile.
        """
        documents, keys = self.comparison_with(other)()
        differing, undecided = self.compare_again(other, keys)
        return Comparison(documents, sorted({*differing, *undecided}))

    @abstractmethod
    def read_checkpoints(self) -> Sequence[Checkpoint]:
        """Each shard's, as they are durable now, whichever process writes it."""

    @abstractmethod
    def comparison_with(self, other: Self) -> Callable[[], Candidates]:
        """What compares every document of the two versions, as one call for another thread.

        Both may go on meanwhile: no difference is overlooked that was there when it began, but some may be
        found that are none. `compare_again` tells which.
        """

    @abstractmethod
    def compare_again(self, other: Self, keys: Sequence[str]) -> Compared:
        """Which of these documents differ, where both versions of them stand at one position. Settled."""

    def drop(self) -> None:
        """This version, which is not published, is gone: a rebuild was given up. TargetMoved as `publish`."""
        self._versions.check()  # Not what another has begun meanwhile.
        self._reset()
        if not self.is_published:  # It may be: a switch whose response was lost.
            self._versions.give_up(self._pointer)

    @abstractmethod
    def _reset(self) -> None:
        """Forgets what is held in memory; from now on everything is read from the store again."""

    @abstractmethod
    def _open_version(self) -> None:
        """Reads the version's checkpoints, or makes it where it is not there."""

    @abstractmethod
    def _is_there(self) -> bool:
        """Whether this version lies in the store as it was left, as far as that is found out fast."""

    @abstractmethod
    def _another(self, pointer: Pointer) -> Self:
        """One that writes this version, with the same `Versions`."""

    def _write_to(self, pointer: Pointer) -> None:
        self._pointer = pointer

    def _begin(self, *, past: bool = False) -> None:
        """A version of its own, empty, to be built and then published."""
        self._write_to(self._versions.begin(shards=self.shards, model=self._model, past=past))

    def _choose_version(self) -> None:
        """Finds the live version, or the one to build: what was begun by the same read model goes on, and so
        does what it was read from before another read model's was published."""
        live, begun, kept = self._versions.live, self._versions.building, self._versions.kept
        shards = self._wanted_shards or (1 if live is None else live.shards)
        wanted = (self._model, shards)
        if live is not None and not live.past and (live.model, live.shards) == wanted:
            self._write_to(live)
            if begun is not None and not self._opened_before:
                self._versions.give_up(begun)  # Left by a rebuild that was killed.
        elif begun is not None and (begun.model, begun.shards) == wanted:
            self._write_to(begun)
        elif kept is not None and (kept.model, kept.shards) == wanted and self._is_kept_there(kept):
            self._versions.build_kept()
            self._write_to(kept)
        else:
            self._write_to(Pointer(0, shards, self._model))
            self._begin()

    def _is_kept_there(self, kept: Pointer) -> bool:
        build = self._another(kept)
        try:
            return build._is_there()
        finally:
            build.close()
