"""One follower on its way along the log: opened, away for a while, or stopped before an event."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from event_store.history import has
from event_store.records import Checkpoint, OrderedEvents
from event_store.retries import RetryPolicy
from projections.documents.stops import Stop
from projections.engine.build import Build
from projections.engine.follower import (
    Decoded,
    FoldFailed,
    Follower,
    TargetDamaged,
    TargetMoved,
    TargetUnavailable,
)

RETRIES = RetryPolicy(pause_first=0.1, pause_max=5.0)
"""For what the projector waits out: the log, a follower's target."""

logger = structlog.get_logger(__name__)


class Poison(NamedTuple):
    """An event that a follower cannot take in, and why."""

    position: int
    reason: str


class Lane:
    """Keeps a follower going: opens it again when its target moved, and after a pause when it is away.

    Before an event that the follower cannot take in it stops, until `retry`.
    """

    def __init__(self, follower: Follower, log: OrderedEvents, *, is_rebuild: bool = False) -> None:
        """`is_rebuild`: it comes opened, and is published by its rebuild, once compared."""
        self.follower = follower
        self.build = follower if isinstance(follower, Build) else None
        self._log = log
        self.is_rebuild = is_rebuild
        self.is_open = is_rebuild
        self.moved: str | None = None  # why what it had written, or was to go on from, is not there
        self.poison: Poison | None = None  # The follower stops before it.
        self.stop: Stop | None = None  # It has.
        self.is_stop_shown = False  # to other processes
        self._publish_at: int | None = None
        self._is_restarted = False  # Then what is read is of another history: not to be rolled back to.
        self._retry_at = 0.0
        self._pauses = RETRIES.pauses()

    @property
    def is_moving(self) -> bool:
        """Whether it takes events now."""
        return self.is_open and self.stop is None and bool(self.follower.folding)

    @property
    def is_settled(self) -> bool:
        """Whether all that was taken in is durable."""
        checkpoint = self.follower.checkpoint
        return all(durable == checkpoint for durable in self.follower.folding.values())

    @property
    def is_current_view(self) -> bool:
        """Whether readers see what it writes; taken for granted where another process publishes it."""
        return self.is_open and (self.build is None or self.build.is_published)

    @property
    def is_due(self) -> bool:
        """Whether it is to be opened: it takes its view over then."""
        return not self.is_open and time.monotonic() >= self._retry_at

    def open_when_due(self) -> None:
        """Opens the follower, unless it is open or its pause lasts. Raises StoreUnavailable."""
        if not self.is_due:
            return
        head = self._log.head()

        def opened() -> None:
            self.follower.open()
            if not self.is_of_this_history():
                self._restart(head)
            self.is_open = True
            if self.build is None:
                logger.info("follower opened", name=self.follower.name, position=self.follower.position)
                return
            self._publish_at = None if self.is_rebuild or self.build.is_published else head
            logger.info(
                "view opened",
                view=self.build.name,
                version=self.build.version,
                position=self.build.position,
                published=self.build.is_published,
            )
            self._publish_if_due()

        self.guard(opened)

    def is_of_this_history(self) -> bool:
        """Whether the log has every event that the follower's checkpoints name. Raises StoreUnavailable."""
        return all(has(self._log, checkpoint) for checkpoint in set(self.follower.checkpoints))

    @property
    def checkpoints_aside(self) -> set[Checkpoint]:
        """Checkpoints whose events reading on does not check: of shards ahead, or that others write."""
        return set(self.follower.checkpoints) - ({self.follower.checkpoint} if self.is_moving else set())

    def recheck_history(self) -> None:
        """Opens the follower again, which checks that its events are those of the log's present history."""
        logger.warning("the log has another history than the view", view=self.follower.name)
        self.moved = "the log has another history than what was built"
        self._close_for(0.0)

    def apply(self, batch: Sequence[Decoded], undecodable: Sequence[Decoded], *, tailing: bool) -> None:
        """Has the follower take the batch in, as far as it can. `undecodable`: those of the batch."""
        if self.poison is not None and self.poison.position <= self.follower.checkpoint.position:
            self.poison = None  # Another writer has got past it.
        events = self.follower.events
        for recorded, event in undecodable:
            if events is None or event.event_class in events:
                self._stop_before(Poison(recorded.position, event.reason))
                break
        first, last = batch[0].recorded.position, batch[-1].recorded.position
        poison = self.poison
        if poison is None or poison.position > last:
            self.guard(lambda: self.follower.apply(batch, up_to=last, tailing=tailing))
            return
        before = poison.position - 1
        if self.follower.checkpoint.position < before:
            taken = batch[: before - first + 1]
            self.guard(lambda: self.follower.apply(taken, up_to=before, tailing=tailing))
        self.settle(may_hold_back=False)
        if self.is_open and self.poison == poison and self.follower.checkpoint.position == before:
            self._stopped(poison, batch[before - first + 1].recorded.type)

    def retry(self) -> None:
        """Has the follower take in what it stopped before, from what its store has."""
        self.poison = None
        self._close_for(0.0)

    def publish_stopped(self, position: int) -> None:
        """Publishes what has stopped there, in this process or another, where nothing is read yet."""
        build = self.build
        if build is None or self._publish_at is None or build.has_live or build.position < position:
            return
        self._publish_at = build.position
        self.guard(self._publish_if_due)

    def settle(self, *, may_hold_back: bool) -> None:
        """Ends the writes under way; publishes a view that has reached the head it was to reach."""
        if not self.is_open:
            return
        self.guard(lambda: self.follower.settle(may_hold_back=may_hold_back))
        if self.is_open:
            self.guard(self._publish_if_due)
        if self.is_open:  # Not once it was opened: what fails with every batch is not tried all the time.
            self._pauses = RETRIES.pauses()

    def guard(self, step: Callable[[], None]) -> None:
        """Does the step; where the store moved or is away, the follower is closed until it is due again."""
        try:
            step()
        except FoldFailed as error:
            # Opened anew, since some of what it holds in memory is folded half.
            self._stop_before(Poison(error.position, error.reason))
            self._close_for(0.0)
        except TargetDamaged as error:
            self.moved = str(error)
            if self.build is None:  # Nothing of ours can mend it: an operator has to.
                self._pause("follower's target is damaged", error)
                return
            reason = str(error)
            logger.error("view is damaged: built anew", view=self.follower.name, reason=reason)  # noqa: TRY400
            self._close_for(0.0)
            if not self.is_rebuild:
                self.guard(self.build.discard)
        except TargetMoved as error:
            logger.warning("view moved", view=self.follower.name, reason=str(error))
            self.moved = str(error)
            self._close_for(0.0)
        except TargetUnavailable as error:
            self._pause("view's store is away", error)

    def close(self) -> None:
        """Gives back what the follower holds."""
        self.is_open = False
        self.follower.close()

    def _stop_before(self, poison: Poison) -> None:
        if self.poison is None or poison.position < self.poison.position:
            self.poison = poison

    def _stopped(self, poison: Poison, event_type: str) -> None:
        name, version = self.follower.name, self.follower.version
        self.stop = Stop(name, version, poison.position - 1, event_type, poison.reason)
        logger.error(
            "view stopped: it cannot take in the next event",
            view=name,
            version=version,
            position=self.stop.position,
            event_type=event_type,
            reason=poison.reason,
        )
        self.publish_stopped(self.stop.position)

    def _restart(self, head: int) -> None:
        build = self.build
        self.poison = None  # It was of the other history.
        if build is None:
            raise TargetDamaged(f"{self.follower.name} has followed another history of the log")
        if self.is_rebuild:
            raise TargetMoved(f"{build.name}: the log has another history than what was built")
        logger.error(
            "view is of another history of the log, or does not say of which: built anew beside",
            view=build.name,
            version=build.version,
            position=build.position,
            head=head,
        )
        self.moved = "it is of another history of the log"
        self._is_restarted = True
        # Where no event is noted it may well be of this history: code of before has left it.
        says_which = all(checkpoint.event for checkpoint in build.checkpoints if checkpoint.position)
        build.restart(past=says_which)

    def _publish_if_due(self) -> None:
        build = self.build
        if build is not None and self._publish_at is not None and build.position >= self._publish_at:
            build.publish(keep=not self._is_restarted)
            self._publish_at = None
            self._is_restarted = False
            logger.info("view published", view=build.name, version=build.version)

    def _pause(self, what: str, error: Exception) -> None:
        """Closed for a pause, which grows until a batch was settled."""
        pause = next(self._pauses)
        logger.warning(what, view=self.follower.name, reason=str(error), pause_seconds=pause)
        self._close_for(pause)

    def _close_for(self, seconds: float) -> None:
        self.is_open = False
        self.stop = None
        self.is_stop_shown = False
        self._retry_at = time.monotonic() + seconds
