"""What the runner drives: anything that folds the log's events into a store of its own.

Redis views and the search index are sinks. A sink keeps its checkpoint in the very store it writes, changed
in the same step as the documents, so that what is half applied counts once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol, Self

from event_store.records import START, Checkpoint, RecordedEvent


class Decoded(NamedTuple):
    """An event as it stands in the log, and the dataclass it decodes to (personal fields None)."""

    recorded: RecordedEvent
    event: Any


class SinkMoved(Exception):  # noqa: N818
    """The store no longer stands where this worker left it: emptied, restored, or written by another.

    The runner calls `open` again and goes on from what it gives.
    """


class SinkDamaged(SinkMoved):
    """What lies in the store cannot be what was written there.

    The runner calls `discard`, and goes on as after SinkMoved.
    """


class SinkUnavailable(Exception):  # noqa: N818
    """The store is away or does not answer; whether the last batch was written is not known.

    The runner tries `open` again after a growing pause; other sinks go on meanwhile.
    """


class Comparison(NamedTuple):
    """Two versions of a view, compared document by document at one position."""

    documents: int
    differing_keys: list[str]


class Sink(Protocol):
    """One version of one view in its store. The runner makes one call at a time, from one thread at a time.

    Every call may raise SinkUnavailable; `apply`, `settle` and `check` may raise SinkMoved, or
    SinkDamaged.
    """

    @property
    def name(self) -> str:
        """The view's name, as readers and operators know it: `product`, `search`."""

    @property
    def version(self) -> int:
        """Which version of the view this sink writes; each rebuild makes the next one."""

    @property
    def shards(self) -> int:
        """Over how many shards the view is cut; 1 where the store knows none."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The last event taken in, whether made durable or not; known after `open`."""

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        """Each shard's, as they are durable. After a crash they may differ."""

    @property
    def position(self) -> int:
        """The checkpoint's."""

    @property
    def is_published(self) -> bool:
        """Whether this version is the one that readers read."""

    def open(self) -> int:
        """Drops everything held in memory, reads the checkpoint anew and gives it; 0 where there is none.

        Takes the view over: whoever wrote it before is refused from now on. Finds out which version is live.
        Where none is, or the live one was drawn up by another read model (its own number, in the code), the
        sink writes a version that is not published yet. Where the live version lost a part of itself, it is
        withdrawn from readers and begun anew. Whether the log still has the checkpoints' events is for the
        caller to see. Raises StoreUnavailable where a new version's number cannot be had.
        """

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        """Folds the batch, in order, and moves to `up_to`, at least the last event's position.

        Events up to `position` have been counted: they are skipped. The batch has every event of the log
        between, those that the view does not want included. `tailing`: the log's end was reached. The write
        may still be under way afterwards; `settle` ends it.
        """

    def settle(self, *, may_hold_back: bool) -> None:
        """Waits for writes under way. Called after every `apply`, and about every 100 ms while idle.

        `may_hold_back`: a sink whose commits are dear may keep some events in memory for up to 200 ms;
        otherwise everything taken in is durable, and visible to readers, afterwards.
        """

    def check(self) -> None:
        """Raises SinkMoved where the store no longer stands where this worker left it. Called every half
        second while nothing is written, so that an emptied store is noticed without an event."""

    def publish(self) -> None:
        """Makes this version, settled, the one that readers read, in one step; then deletes the one before.

        SinkMoved where another has taken the view over: then nothing was changed.
        """

    def redraw(self, *, past: bool = False) -> None:
        """Begins a new version at position 0; readers keep the published one until that one is, too.

        `past`: the published one is of another history, and stands nowhere in the log's own: readers find its
        documents at position 0.
        """

    def discard(self) -> None:
        """Takes the published version from readers, who would be served what is damaged, and redraws."""

    def beside(self) -> Self:
        """A new, empty, unpublished version next to this one, opened, at position 0."""

    def compare(self, other: Self) -> Comparison:
        """Compares every document, byte for byte, with those of `other`, another version of the same view.

        Both are settled, at the same position, and stand still meanwhile. May run in another thread.
        """

    def drop(self) -> None:
        """Deletes this version, which is not published: a rebuild was given up. SinkMoved as `publish`."""

    def close(self) -> None:
        """Settles nothing; gives back connections, locks and memory. `open` may follow."""


def checkpoint_of(batch: Sequence[Decoded], up_to: int) -> Checkpoint:
    """The checkpoint of who has taken the batch in; its event is not known where the batch ends before."""
    if up_to == 0:
        return START
    last = batch[-1].recorded if batch else None
    return last.checkpoint if last is not None and last.position == up_to else Checkpoint(up_to)


def of_this_history(batch: Sequence[Decoded], checkpoints: Collection[Checkpoint]) -> bool:
    """Whether those of a sink's checkpoints that lie within the batch name the batch's own events."""
    if not batch or len(set(checkpoints)) == 1:  # Then it lies before the batch.
        return True
    first = batch[0].recorded.position
    return all(
        batch[one.position - first].recorded.checkpoint == one
        for one in checkpoints
        if 0 <= one.position - first < len(batch)
    )
