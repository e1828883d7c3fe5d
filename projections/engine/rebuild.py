"""Builds a view anew beside the live one, compares the two at one position, and switches.

Readers read the live version until the pointer is switched in one step, and the new one from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Literal

import msgspec
import structlog

from event_store.records import EventReader
from projections.engine.build import Build, Comparison
from projections.engine.follower import TargetMoved, TargetUnavailable
from projections.engine.lane import Lane
from projections.engine.metrics import ProjectorMetrics

State = Literal["waiting", "building", "comparing", "done", "failed"]

logger = structlog.get_logger(__name__)


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a rebuild is. `target` is where the live version stands."""

    state: State
    view: str
    position: int = 0
    target: int = 0
    version: int | None = None  # the new one
    documents: int | None = None  # compared
    differing_keys: list[str] | None = None
    reason: str | None = None  # why it failed

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in {"done", "failed"}


Report = Callable[[Progress], None]


class Rebuild:
    """One rebuild under way. The runner moves both lanes; `step` checks whether they are at one position."""

    def __init__(
        self, live: Lane, build: Build, log: EventReader, report: Report, metrics: ProjectorMetrics
    ) -> None:
        """`build` is what the live lane writes."""
        self.live = live
        self._live_build = build
        self._new_build: Build | None = None
        self._log = log
        self.new: Lane | None = None
        self.is_over = False
        self._is_first = False  # Nothing was live when it was requested: the lane itself builds the view.
        self._progress = report
        self._metrics = metrics
        self._comparing: Future[Comparison] | None = None

    def step(self, executor: Executor) -> None:
        """The next step, as far as one is due."""
        if self.new is None:
            self._begin()
        elif self.live.has_moved or self.new.has_moved:
            self.give_up("the store was emptied or written by another; the view is built anew anyway")
        elif not (self.live.is_open and self.new.is_open):
            return
        elif self._comparing is not None:
            if self._comparing.done():
                self._finish(self._comparing)
            else:
                self._report("comparing")  # So that the operator sees that it goes on.
        elif self.live.follower.checkpoint == self.new.follower.checkpoint:
            self._compare(executor)
        else:
            self._report("building")

    def give_up(self, reason: str) -> None:
        """Ends it; the live version stays what readers read."""
        self.is_over = True
        self.live.is_held = False
        new, build = self.new, self._new_build
        if new is not None and build is not None:
            new.guard(build.drop)
            new.close()
            self._metrics.remove_version(build.name, build.version)
        logger.warning("rebuild given up", view=self._live_build.name, reason=reason)
        self._report("failed", reason=reason)

    def _begin(self) -> None:
        if not self.live.is_open:
            self._report("waiting")
            return
        if not self._live_build.is_published:
            self._is_first = True
            self._report("building")
            return
        if self._is_first:
            self.is_over = True
            self._report("done")
            return
        self.live.has_moved = False

        def begun() -> None:
            self._new_build = self._live_build.beside()
            self.new = Lane(self._new_build, self._log, is_rebuild=True)

        self.live.guard(begun)

    def _compare(self, executor: Executor) -> None:
        assert self.new is not None and self._new_build is not None
        for lane in (self.live, self.new):
            lane.settle(may_hold_back=False)
        if self.live.is_open and self.new.is_open:
            # Both stand still meanwhile; every other view goes on.
            self.live.is_held = self.new.is_held = True
            self._comparing = executor.submit(self._live_build.compare, self._new_build)
            self._report("comparing")

    def _finish(self, comparing: Future[Comparison]) -> None:
        assert self.new is not None and self._new_build is not None
        is_of_this_history = self.new.is_of_this_history()
        self._comparing = None
        self.live.is_held = self.new.is_held = False
        if not is_of_this_history:
            for lane in (self.live, self.new):
                lane.recheck_history()
            self.give_up("the log has another history than what was built")
            return
        try:
            comparison = comparing.result()
            self._new_build.publish()
        except (TargetUnavailable, TargetMoved) as error:
            self.give_up(str(error))
            return
        self.is_over = True
        self.new.is_rebuild = False
        self.live.close()
        self._metrics.remove_version(self._live_build.name, self._live_build.version)
        logger.info(
            "view rebuilt",
            view=self._new_build.name,
            version=self._new_build.version,
            documents=comparison.documents,
            differing=len(comparison.differing_keys),
        )
        self._report("done", comparison)

    def _report(
        self, state: State, comparison: Comparison | None = None, *, reason: str | None = None
    ) -> None:
        new = self._live_build if self._is_first else self._new_build
        self._progress(
            Progress(
                state,
                self._live_build.name,
                position=0 if new is None else new.position,
                target=self._live_build.position,
                version=None if new is None else new.version,
                documents=None if comparison is None else comparison.documents,
                differing_keys=None if comparison is None else comparison.differing_keys,
                reason=reason,
            )
        )
