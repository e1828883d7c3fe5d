"""Has the version of a view deleted that is kept for rolling back."""

from __future__ import annotations

from concurrent.futures import Executor

from projections.engine.build import Build
from projections.engine.lane import Lane
from projections.engine.rebuild import Progress, Report, State


class Drop:
    """One request to drop what is kept: over once nothing is left of it."""

    new: Lane | None = None  # It builds no version,
    closed: Lane | None = None  # and replaces none.

    def __init__(self, live: Lane, build: Build, report: Report) -> None:
        """`build` is what the live lane writes."""
        self.live = live
        self.is_over = False
        self._build = build
        self._progress = report
        self._dropped: int | None = None  # version

    def step(self, executor: Executor) -> None:
        """The next step, as far as one is due."""
        if not self.live.is_open:
            self._progress(Progress("waiting", self._build.name))
            return
        kept = self._build.kept
        if self._dropped is None:
            if kept is None:
                self.is_over = True
                self._progress(Progress("failed", self._build.name, reason="no version is kept"))
                return
            self.live.guard(self._build.drop_kept)
            if not self.live.is_open:
                return  # Tried again: its store moved or is away.
            self._dropped = kept.version
        self.is_over = all(one.version != self._dropped for one in self._build.gone)
        state: State = "done" if self.is_over else "deleting"
        self._progress(Progress(state, self._build.name, version=self._dropped))
