"""Builds a view anew beside the live one, compares the two while both go on, and switches, or only says how
they differ; or catches the version up that was read before, and switches back.

Readers read the live version until the pointer is switched in one step, and the other from then on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Literal

import msgspec
import structlog

from event_store.records import Checkpoint, OrderedEvents
from projections.engine.build import Build, Candidates, Comparison, NotKept
from projections.engine.follower import TargetMoved, TargetUnavailable
from projections.engine.lane import Lane
from projections.engine.metrics import ProjectorMetrics

Purpose = Literal["rebuild", "verify", "rollback"]
"""What a second version is for: to be read, to be compared alone, or it is the one that was read before."""

Action = Literal[Purpose, "retry", "drop"]
"""What an operator may request of a view."""

State = Literal["waiting", "building", "catching up", "comparing", "retrying", "deleting", "done", "failed"]

_DIFFERING_AT_ONCE = 200
_DIFFERING_SECONDS = 0.05
"""For so long at a time candidates are looked at again; every view stands still meanwhile."""

_KEYS_REPORTED_MAX = 1_000

logger = structlog.get_logger(__name__)


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far an operator's request is. `target` is the position to be reached."""

    state: State
    view: str
    position: int = 0
    target: int = 0
    version: int | None = None  # the new one
    documents: int | None = None  # compared
    differing: int | None = None
    differing_keys: list[str] | None = None  # the first of them
    reason: str | None = None  # why it failed

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in {"done", "failed"}


Report = Callable[[Progress], None]


class Rebuild:
    """One rebuild under way. The runner moves both lanes; `step` checks whether they are at one position.

    Documents are compared in another thread while both versions go on. What seems to differ is looked at
    again, a bounded number at a time, between two batches. Other processes may write shards of both.
    """

    def __init__(
        self,
        live: Lane,
        build: Build,
        log: OrderedEvents,
        report: Report,
        metrics: ProjectorMetrics,
        *,
        purpose: Purpose,
    ) -> None:
        """`build` is what the live lane writes."""
        self.live = live
        self._live_build = build
        self._new_build: Build | None = None
        self._log = log
        self.new: Lane | None = None
        self.closed: Lane | None = None  # once it is over: the old one, or the new one given up
        self.is_over = False
        self._purpose = purpose
        self._from_kept = purpose == "rollback"
        self._is_first = False  # Nothing was live when it was requested: the lane itself builds the view.
        self._progress = report
        self._metrics = metrics
        self._comparing: Future[Candidates] | None = None
        self._documents: int | None = None  # compared; None: they are not yet
        self._candidates: list[str] = []
        self._differing: set[str] = set()
        self._target: Sequence[Checkpoint] | None = (
            None  # where the live version's shards stood, to be reached
        )

    def step(self, executor: Executor) -> None:
        """The next step, as far as one is due."""
        if self.new is None:
            self._begin()
            return
        if (moved := self.live.moved or self.new.moved) is not None:
            self.give_up(moved)
        elif not (self.live.is_open and self.new.is_open):
            return
        elif self.new.stop is not None and self.live.stop is None:
            self.give_up(str(self.new.stop))
        elif self._comparing is not None:
            self._report("comparing")  # So that the operator sees that it goes on.
            if self._comparing.done():
                self._compared(self._comparing)
        elif not self._is_level():
            building: State = "catching up" if self._from_kept else "building"
            self._report(building if self._documents is None else "comparing")
        elif self._from_kept or (self._documents is not None and not self._candidates):
            self._finish()
        elif self._documents is None:
            self._compare(executor)
        else:
            self._compare_again()

    def give_up(self, reason: str) -> None:
        """Ends it; the live version stays what readers read."""
        self._drop_new()
        logger.warning(f"{self._purpose} given up", view=self._live_build.name, reason=reason)
        self._report("failed", reason=reason)

    def _drop_new(self) -> None:
        self.is_over = True
        new, build = self.new, self._new_build
        if new is not None and build is not None:
            if self._from_kept:
                self.live.guard(lambda: self._live_build.follow_kept(follows=False))
            else:
                new.guard(build.drop)
            new.close()
            self.closed = new
            self._metrics.remove_version(build.name, build.version)

    def _begin(self) -> None:
        if not self.live.is_open:
            self._report("waiting")
            return
        if self._purpose != "rebuild" and not self._live_build.is_published:
            self.give_up("the view is being built")
            return
        if not self._live_build.is_published:
            self._is_first = True
            self._report("building")
            return
        if self._is_first:
            self.is_over = True
            self._report("done")
            return
        self.live.moved = None

        def begun() -> None:
            live = self._live_build
            if self._from_kept:
                self._new_build = live.open_kept()
                live.follow_kept(follows=True)
            else:
                self._new_build = live.beside(keeps=self._purpose == "verify")
            self.new = Lane(self._new_build, self._log, is_rebuild=True)
            self.new.poison = self.live.poison  # It stops where the live one has: there the two meet.

        try:
            self.live.guard(begun)
        except NotKept as error:
            self.give_up(str(error))
        else:
            if self._from_kept and self.new is not None and not self.new.is_of_this_history():
                self.give_up("the version that is kept is of another history of the log")

    def _is_level(self) -> bool:
        """Whether every shard stands, durably, where the live version's stood: when that was looked at first;
        and once they are compared, just now, since readers must not go back."""
        assert self.new is not None and self._new_build is not None
        if self.new.follower.checkpoint.position < self.live.follower.checkpoint.position:
            return False
        for lane in (self.live, self.new):
            lane.settle(may_hold_back=False)
        if not (self.live.is_open and self.new.is_open):
            return False
        try:
            if self._target is None or self._from_kept or self._documents is not None:
                self._target = self._live_build.read_checkpoints()
            reached = self._new_build.read_checkpoints()
        except (TargetUnavailable, TargetMoved):
            return False  # The lanes will find out themselves.
        return all(one.position >= other.position for one, other in zip(reached, self._target, strict=True))

    def _compare(self, executor: Executor) -> None:
        assert self._new_build is not None
        self._comparing = executor.submit(self._live_build.comparison_with(self._new_build))
        self._report("comparing")

    def _compared(self, comparing: Future[Candidates]) -> None:
        self._comparing = None
        try:
            self._documents, self._candidates = comparing.result()
        except (TargetUnavailable, TargetMoved) as error:
            self.give_up(str(error))

    def _compare_again(self) -> None:
        new = self._new_build
        assert new is not None
        until = time.monotonic() + _DIFFERING_SECONDS
        try:
            while self._candidates and time.monotonic() < until:
                some = self._candidates[:_DIFFERING_AT_ONCE]
                differing, undecided = self._live_build.compare_again(new, some)
                if self.live.stop is not None:  # A shard of another process may stay where it is.
                    differing, undecided = [*differing, *undecided], []
                self._differing.update(differing)
                self._candidates = self._candidates[_DIFFERING_AT_ONCE:] + undecided
                if undecided:
                    break  # Until its writer has gone on.
        except (TargetUnavailable, TargetMoved) as error:
            self.give_up(str(error))
        else:
            self._report("comparing")

    def _finish(self) -> None:
        assert self.new is not None and self._new_build is not None
        if not self.new.is_of_this_history():
            for lane in (self.live, self.new):
                lane.recheck_history()
            self.give_up("the log has another history than what was built")
            return
        comparison = None
        if self._documents is not None:
            comparison = Comparison(self._documents, sorted(self._differing))
        if self._purpose == "verify":
            verified_at = self._new_build.position
            self._drop_new()
            logger.info(
                "view verified",
                view=self._live_build.name,
                version=self._live_build.version,
                documents=self._documents,
                differing=len(self._differing),
            )
            self._report("done", comparison, position=verified_at)
            return
        try:
            self._new_build.publish(keep=True)
        except (TargetUnavailable, TargetMoved) as error:
            self.give_up(str(error))
            return
        self.is_over = True
        self.new.is_rebuild = False
        self.live.close()
        self.closed = self.live
        self._metrics.remove_version(self._live_build.name, self._live_build.version)
        logger.info(
            "view rolled back" if self._from_kept else "view rebuilt",
            view=self._new_build.name,
            version=self._new_build.version,
            documents=self._documents,
            differing=len(self._differing),
        )
        self._report("done", comparison)
        if self.live.stop is not None:
            self.new.retry()  # What stopped the old one may have been what its store had.

    def _report(
        self,
        state: State,
        comparison: Comparison | None = None,
        *,
        reason: str | None = None,
        position: int | None = None,
    ) -> None:
        """`position`: where it was, once it is dropped."""
        new = self._live_build if self._is_first else self._new_build
        if position is None:
            position = 0 if new is None else new.position
        self._progress(
            Progress(
                state,
                self._live_build.name,
                position=position,
                target=self._live_build.position,
                version=None if new is None else new.version,
                documents=None if comparison is None else comparison.documents,
                differing=None if comparison is None else len(comparison.differing_keys),
                differing_keys=None if comparison is None else comparison.differing_keys[:_KEYS_REPORTED_MAX],
                reason=reason,
            )
        )
