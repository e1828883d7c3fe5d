"""Tries again what a view has stopped before."""

from __future__ import annotations

from concurrent.futures import Executor

from event_store.records import OrderedEvents
from projections.documents.stops import Stop
from projections.engine.follower import TargetUnavailable
from projections.engine.lane import Lane
from projections.engine.rebuild import Progress, Report, State
from projections.engine.stops import Place, Stops


class Retry:
    """One retry under way: over when the view has reached the log's head, or has stopped again."""

    new: Lane | None = None  # It builds no version,
    closed: Lane | None = None  # and replaces none.

    def __init__(self, live: Lane, log: OrderedEvents, stops: Stops, report: Report) -> None:
        """`stops`: those that other processes show, too."""
        self.live = live
        self._stops = stops
        self.is_over = False
        self._log = log
        self._head: int | None = None
        self._progress = report

    def step(self, executor: Executor) -> None:
        """The next step, as far as one is due. Raises StoreUnavailable."""
        place = (self.live.follower.name, self.live.follower.version)
        if self._head is None:
            head = self._log.head()
            try:
                self._stops.take_off(place)
            except TargetUnavailable:
                self._report("waiting")
                return
            self._head = head
            if self.live.stop is not None:
                self.live.retry()
            self._report("retrying")
        elif (stop := self.live.stop or self._shown(place)) is not None:
            self.is_over = True
            self._report("failed", reason=str(stop))
        elif self.live.is_open and self._has_reached(self._head):
            self.is_over = True
            self._report("done")
        else:
            self._report("retrying" if self.live.is_open else "waiting")

    def _has_reached(self, head: int) -> bool:
        """Durably: what is held in memory the store may still refuse."""
        follower = self.live.follower
        return follower.position >= head and all(one.position >= head for one in follower.folding.values())

    def _shown(self, place: Place) -> Stop | None:
        try:
            return self._stops.shown().get(place)
        except TargetUnavailable:
            return None

    def _report(self, state: State, *, reason: str | None = None) -> None:
        follower, build = self.live.follower, self.live.build
        self._progress(
            Progress(
                state,
                follower.name,
                position=follower.position,
                target=self._head or 0,
                version=None if build is None else build.version,
                reason=reason,
            )
        )
