"""Deletes the version of a view that is kept for rolling back."""

from __future__ import annotations

from concurrent.futures import Executor

from projections.engine.build import Build
from projections.engine.lane import Lane
from projections.engine.rebuild import Progress, Report


class Drop:
    """One request to drop what is kept: over as soon as the view's store is there."""

    new: Lane | None = None  # It builds no version,
    closed: Lane | None = None  # and replaces none.

    def __init__(self, live: Lane, build: Build, report: Report) -> None:
        """`build` is what the live lane writes."""
        self.live = live
        self.is_over = False
        self._build = build
        self._progress = report

    def step(self, executor: Executor) -> None:
        """The next step, as far as one is due."""
        if not self.live.is_open:
            self._progress(Progress("waiting", self._build.name))
            return
        kept = self._build.kept
        if kept is not None:
            self.live.guard(self._build.drop_kept)
            if not self.live.is_open:
                return  # Tried again: its store moved or is away.
        self.is_over = True
        if kept is None:
            self._progress(Progress("failed", self._build.name, reason="no version is kept"))
        else:
            self._progress(Progress("done", self._build.name, version=kept.version))
