"""What the runner drives along the log: a view in its store, or anything else that follows every event."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, Protocol

from event_store.records import START, Checkpoint, RecordedEvent


class Decoded(NamedTuple):
    """An event as it stands in the log, and the dataclass it decodes to (personal fields None).

    Where it does not decode, an Undecodable stands for it; no follower gets one of an event that it wants.
    """

    recorded: RecordedEvent
    event: Any


class Undecodable(NamedTuple):
    """What stands for an event that does not decode; `event_class` None: this code has no such type."""

    event_class: type[Any] | None
    reason: str


class Batch(list[Decoded]):
    """A page of the log, in order; its events are found by class, without a look at each."""

    def of(self, classes: Collection[type[Any]]) -> Sequence[Decoded]:
        """Those of these classes, in order."""
        found = [self._places[one] for one in classes if one in self._places]
        if len(found) == 1:
            return [self[place] for place in found[0]]
        return [self[place] for place in sorted(chain.from_iterable(found))]

    @cached_property
    def _places(self) -> Mapping[type[Any], Sequence[int]]:
        places: dict[type[Any], list[int]] = {}
        for place, (_, event) in enumerate(self):
            places.setdefault(type(event), []).append(place)
        return places


class TargetMoved(Exception):  # noqa: N818
    """What is written to no longer stands where this worker left it: emptied, restored or another's.

    The runner calls `open` again and goes on from what it gives.
    """


class TargetDamaged(TargetMoved):
    """What lies there cannot be what was written there.

    The runner has a build discarded, and goes on as after TargetMoved.
    """


class TargetUnavailable(Exception):  # noqa: N818
    """It is away or does not answer; whether the last batch was written is not known.

    The runner tries `open` again after a growing pause; other followers go on meanwhile.
    """


class FoldFailed(Exception):  # noqa: N818
    """The fold fails at an event: the code cannot take in what the event holds.

    The runner drops what is held in memory, and stops the follower before that event; others go on.
    """

    def __init__(self, position: int, reason: str) -> None:
        """`position`: the event's."""
        super().__init__(f"position {position}: {reason}")
        self.position = position
        self.reason = reason


class Follower(Protocol):
    """What takes in the log's events in order, and knows how far it has come.

    Its checkpoint lies where it writes, changed in the same step, so that what is half applied counts once.
    The runner makes one call at a time, from one thread at a time. Every call may raise TargetUnavailable;
    `apply`, `settle` and `check` may raise TargetMoved, or TargetDamaged; `apply` and `settle` FoldFailed.
    """

    @property
    def name(self) -> str:
        """As readers and operators know it: `product`, `search`."""

    @property
    def version(self) -> int:
        """Which version of it this is, where there can be several; known after `open`."""

    @property
    def events(self) -> frozenset[type[Any]] | None:
        """The classes of the events that it folds; None: every event."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The last event taken in, whether made durable or not; known after `open`."""

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        """Each shard's, as they are durable. After a crash they may differ."""

    @property
    def folding(self) -> Mapping[int, Checkpoint]:
        """The shards that this process writes, each with its checkpoint as it is durable. With none it takes
        in no events; that may change with each `check`."""

    @property
    def position(self) -> int:
        """How far what is written is, in whichever process: the least of its checkpoints."""

    def open(self) -> int:
        """Drops everything held in memory, reads the checkpoint anew and gives its position, 0 without one.

        An earlier writer is refused from now on. Whether the log still has the checkpoints' events is for the
        caller to see.
        """

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        """Takes in the batch, in order, and moves to `up_to`, at least the last event's position.

        Events up to `checkpoint` have been counted: they are skipped. The batch has every event of the log
        between, those that are not wanted included. `tailing`: the log's end was reached. The write may still
        be under way afterwards; `settle` ends it.
        """

    def settle(self, *, may_hold_back: bool) -> None:
        """Waits for writes under way. Called after every `apply`, and while idle every 20 ms, or every 100 ms
        once all is durable.

        `may_hold_back`: one whose commits are dear may keep some events in memory for up to 200 ms; otherwise
        everything taken in is durable, and visible to readers, afterwards.
        """

    def check(self) -> None:
        """Finds out which shards it is to write; raises TargetMoved where it left something else there.

        Called every half second while nothing is written, so that an emptied store is noticed without an
        event.
        """

    def close(self) -> None:
        """Settles nothing; gives back connections, locks and memory. `open` may follow."""


def of_classes(batch: Sequence[Decoded], classes: Collection[type[Any]]) -> Sequence[Decoded]:
    """Those events of the batch that are of these classes, in order."""
    return (batch if isinstance(batch, Batch) else Batch(batch)).of(classes)


def checkpoint_of(batch: Sequence[Decoded], up_to: int) -> Checkpoint:
    """The checkpoint of who has taken the batch in; its event is not known where the batch ends before."""
    if up_to == 0:
        return START
    last = batch[-1].recorded if batch else None
    return last.checkpoint if last is not None and last.position == up_to else Checkpoint(up_to)


def of_this_history(batch: Sequence[Decoded], checkpoints: Collection[Checkpoint]) -> bool:
    """Whether those of a follower's checkpoints that lie within the batch name the batch's own events."""
    if not batch or len(set(checkpoints)) == 1:  # Then it lies before the batch.
        return True
    first = batch[0].recorded.position
    return all(
        batch[one.position - first].recorded.checkpoint == one
        for one in checkpoints
        if 0 <= one.position - first < len(batch)
    )
