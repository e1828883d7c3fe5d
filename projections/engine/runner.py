"""Reads the log in order and drives every follower along it; what lags catches up beside what is current.

Nothing is ever skipped: a gap ends the runner with its error, and an event that a follower cannot take in
stops that follower before it. What this code has no type for is no follower's, and is logged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import structlog

from event_store.codec import Codec
from event_store.errors import AnotherHistory, DecodingFailed, StoreUnavailable, UnknownEvent
from event_store.history import LIMIT_MAX, has, read_on
from event_store.records import Checkpoint, OrderedEvents, RecordedEvent
from projections.documents.stops import Stop
from projections.engine.deletions import Deletions
from projections.engine.drop import Drop
from projections.engine.follower import Batch, Decoded, Follower, TargetUnavailable, Undecodable
from projections.engine.lane import RETRIES, Lane
from projections.engine.metrics import ProjectorMetrics
from projections.engine.rebuild import Action, Progress, Rebuild, Report
from projections.engine.retry import Retry
from projections.engine.stops import OwnStops, Stops

_PAGE_EVENTS = 5_000
_PAGE_EVENTS_BESIDE = 1_000  # So that current views on the move wait a moment only for those that catch up,
_PAGES_BESIDE = 2  # but those that catch up gain on current ones however much is written meanwhile.
_UNSETTLED_SECONDS = 0.02
ROUND_SECONDS = 0.01
"""At least, from one page of new events to the next: what is appended meanwhile is one batch, as each costs a
few milliseconds however few its events are. The first after a pause waits for nothing."""
_POLL_SECONDS = 0.5
_ROUND_SECONDS_MAX = 60.0
"""A page and its writes take less, however slow the stores are: beyond it something hangs."""
_TRACES_LOGGED = 20

KEPT_SECONDS = 86_400.0

logger = structlog.get_logger(__name__)


class Runner:
    """Drives followers. All calls but `stop` and `submit` come from one thread."""

    poll_seconds = _POLL_SECONDS
    """Between two calls of `poll`; may be changed by it."""

    idle_seconds = 0.1
    """Between two rounds while there is no new event."""

    def __init__(
        self,
        log: OrderedEvents,
        codec: Codec,
        followers: Sequence[Follower],
        metrics: ProjectorMetrics,
        *,
        stops: Stops | None = None,
        kept_seconds: float = KEPT_SECONDS,
        reads_again: bool = False,
        round_seconds: float = ROUND_SECONDS,
        log_each_event: bool = False,
    ) -> None:
        """`stops`: where those of several processes are shown. `kept_seconds`: for so long the version of a
        view that was read before is kept for rolling back. `reads_again`: another runner of this process
        reads the same events, and counts them. `round_seconds`: see ROUND_SECONDS."""
        self._log = log
        self._codec = codec
        self._lanes = [Lane(follower, log) for follower in followers]
        self._metrics = metrics
        self._reads_again = reads_again
        self._round_seconds = round_seconds
        self._front_read_at = 0.0  # monotonic seconds
        self._log_each_event = log_each_event
        self._stops: Stops = OwnStops() if stops is None else stops
        self._kept_seconds = kept_seconds
        self._tasks: list[Rebuild | Drop | Retry] = []  # that operators have requested
        self._compare_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compare")
        self._deletions = Deletions()
        self._stopping = threading.Event()
        self._polled_at = 0.0
        self._round_began_at: float | None = None  # monotonic seconds; None while it does not run
        self._shown: set[tuple[str, int]] = set()  # views and versions, in the metrics
        self._shown_shards: set[tuple[str, int, int]] = set()
        self._shown_stopped: set[tuple[str, int]] = set()
        self._submitted: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._front_events = 0  # that the followers in front took in last
        self._head = 0

    @property
    def is_open(self) -> bool:
        """Whether every follower is open, and could take in events."""
        return all(lane.is_open for lane in self._lanes)

    @property
    def lives(self) -> bool:
        """Whether its rounds go on; may be called from any thread."""
        began = self._round_began_at
        return began is not None and time.monotonic() - began < _ROUND_SECONDS_MAX

    @property
    def stops(self) -> list[Stop]:
        """Where its followers have stopped before an event; may be called from any thread."""
        return [stop for lane in list(self._lanes) if (stop := lane.stop) is not None]

    def stop(self) -> None:
        """Lets the batch under way end; may be called from a signal handler or another thread."""
        self._stopping.set()

    def run(self, poll: Callable[[], bool] = lambda: True) -> None:
        """Runs until `stop`, or until `poll`, called every `poll_seconds`, returns False.

        PostgreSQL or a follower's target being away is waited out. Raises LogGap.
        """
        pauses = RETRIES.pauses()
        try:
            while not self._stopping.is_set():
                self._round_began_at = time.monotonic()
                try:
                    while not self._submitted.empty():
                        self._submitted.get()()
                    if self._is_poll_due():
                        if not poll():
                            return
                        self._check()
                    self.step()
                except StoreUnavailable as error:
                    if self._stopping.is_set():
                        return
                    pause = next(pauses)
                    logger.warning("the log is away", reason=str(error), pause_seconds=pause)
                    self._settle_all()
                    self._stopping.wait(pause)
                else:
                    pauses = RETRIES.pauses()
        finally:
            self._round_began_at = None
            self._compare_executor.shutdown()
            self._deletions.close()
            for lane in self._lanes:
                lane.settle(may_hold_back=False)
                lane.close()
            self._lanes = []
            self._stops.close()
            self._show_positions()

    def submit(self, call: Callable[[], None]) -> None:
        """Has the call made before the next round; may be called from any thread."""
        self._submitted.put(call)

    def follow(self, followers: Collection[Follower]) -> None:
        """Follows these from now on and no others."""
        for lane in self._lanes:
            if lane.follower not in followers:
                lane.close()
        kept = [lane for lane in self._lanes if lane.follower in followers]
        known = [lane.follower for lane in kept]
        self._lanes = kept + [Lane(one, self._log) for one in followers if one not in known]

    def request(self, action: Action, view: str, report: Report) -> None:
        """Begins what an operator requests of the view; `report` gets its progress, until it is over."""
        live = next((lane for lane in self._lanes if lane.follower.name == view), None)
        if live is None or live.build is None:
            report(Progress("failed", view, reason=f"there is no view {view}"))
        elif any(task.live is live for task in self._tasks):
            report(Progress("failed", view, reason="something is being done with the view already"))
        elif action == "drop":
            self._tasks.append(Drop(live, live.build, report))
        elif action == "retry":
            self._tasks.append(Retry(live, self._log, self._stops, report))
        else:
            rebuild = Rebuild(live, live.build, self._log, report, self._metrics, purpose=action)
            self._tasks.append(rebuild)

    def step(self) -> None:
        """One page for the followers furthest behind and one for those in front; waits when there is nothing.

        Raises StoreUnavailable when the log is away.
        """
        for lane in self._lanes:
            lane.open_when_due()
        checkpoints = self._checkpoints()
        if not checkpoints:
            self._stopping.wait(self.idle_seconds)
        elif len(checkpoints) > 1:
            beside = max(_PAGE_EVENTS_BESIDE, min(_PAGES_BESIDE * self._front_events, LIMIT_MAX))
            limit = beside if self._front_events else _PAGE_EVENTS
            self._advance(checkpoints[0], limit=limit, up_to=checkpoints[1].position)
        front = self._checkpoints()[-1:]
        if front:
            self._front_read_at = time.monotonic()
            self._front_events = self._advance(front[0], limit=_PAGE_EVENTS, up_to=None)
            if self._front_events < _PAGE_EVENTS:
                self._wait_for_events()
        self._settle_all()
        self._step_tasks()
        self._deletions.step(self._lanes)

    def _wait_for_events(self) -> None:
        """Once all followers stand at the log's end: waits until there is more, or for a moment."""
        self._settle_all()
        checkpoints = self._checkpoints()
        if len(checkpoints) != 1 or any(lane.is_due for lane in self._lanes):
            return
        position = checkpoints[0].position
        settled = all(lane.is_settled for lane in self._lanes if lane.is_moving)
        pause = self.idle_seconds if settled else _UNSETTLED_SECONDS
        self._head = self._log.wait(after=position, timeout_seconds=pause)
        if self._head > position:
            self._stopping.wait(max(0.0, self._front_read_at + self._round_seconds - time.monotonic()))

    def _checkpoints(self) -> list[Checkpoint]:
        return sorted({lane.follower.checkpoint for lane in self._lanes if lane.is_moving})

    def _advance(self, checkpoint: Checkpoint, *, limit: int, up_to: int | None) -> int:
        """Takes the followers at this place a page further; gives its number of events."""
        started = time.monotonic()
        lanes = [lane for lane in self._lanes if lane.is_moving and lane.follower.checkpoint == checkpoint]
        try:
            events = read_on(self._log, checkpoint, limit=limit, up_to=up_to)
        except AnotherHistory:
            for lane in lanes:
                lane.recheck_history()
            return 0
        if not events:
            return 0
        batch, undecodable = self._decoded(events)
        last = events[-1].position
        tailing = up_to is None and len(events) < limit
        for lane in lanes:
            lane.apply(batch, undecodable, tailing=tailing)
        for lane in lanes:
            lane.settle(may_hold_back=tailing)
        if not self._reads_again:
            self._metrics.count_events(len(batch))
            if tailing and any(lane.is_current_view for lane in lanes):
                self._metrics.observe_freshness(batch)
        self._head = max(self._head, last)
        self._log_batch(batch, lanes, tailing=tailing, seconds=time.monotonic() - started)
        return len(batch)

    def _settle_all(self) -> None:
        for lane in self._lanes:
            if lane.is_open:
                lane.settle(may_hold_back=True)

    def _decoded(self, events: Sequence[RecordedEvent]) -> tuple[Batch, list[Decoded]]:
        """The events, and those among them that do not decode."""
        decode = self._codec.decode
        try:
            return Batch(Decoded(recorded, decode(recorded)) for recorded in events), []
        except (UnknownEvent, DecodingFailed):
            batch = Batch(self._decoded_singly(recorded) for recorded in events)
            return batch, [one for one in batch if isinstance(one.event, Undecodable)]

    def _decoded_singly(self, recorded: RecordedEvent) -> Decoded:
        try:
            return Decoded(recorded, self._codec.decode(recorded))
        except (UnknownEvent, DecodingFailed) as error:
            event_class = self._codec.class_of(recorded.type)
            logger.error(  # noqa: TRY400
                "event does not decode" if event_class else "event of an unknown type: no view takes it in",
                position=recorded.position,
                event_type=recorded.type,
                reason=str(error),
            )
            return Decoded(recorded, Undecodable(event_class, str(error)))

    def _step_tasks(self) -> None:
        for task in self._tasks:
            was_begun = task.new is not None
            task.step(self._compare_executor)
            if task.new is not None and not was_begun:
                self._lanes.append(task.new)
            if task.is_over:
                self._lanes = [lane for lane in self._lanes if lane is not task.closed]
        self._tasks = [task for task in self._tasks if not task.is_over]

    def _is_poll_due(self) -> bool:
        now = time.monotonic()
        # `poll` checks the lock, which must be held still when a view is taken over.
        is_soon = now - self._polled_at < self.poll_seconds
        if is_soon and not any(lane.is_due for lane in self._lanes):
            return False
        self._polled_at = now
        return True

    def _check(self) -> None:
        """Finds out what changed without an event: emptied stores, shards, and how far the head has gone."""
        for lane in self._lanes:
            if lane.is_open:
                lane.guard(lane.follower.check)
        at_work = [lane for lane in self._lanes if lane.is_open]
        there = {one: has(self._log, one) for lane in at_work for one in lane.checkpoints_aside}
        for lane in at_work:
            if not all(there.get(checkpoint, True) for checkpoint in lane.follower.checkpoints):
                lane.recheck_history()
        self._drop_old()
        try:
            self._share_stops()
        except TargetUnavailable as error:
            logger.warning("stops of views are not shown", reason=str(error))
        self._head = self._log.head()
        self._show_positions()

    def _share_stops(self) -> None:
        """Shows where followers have stopped, has those try again that were taken off, and takes off what is
        over: the version stands further in every process, or is not followed any more."""
        shown = self._stops.shown()
        for lane in self._lanes:
            stop = lane.stop
            if stop is not None and not lane.is_stop_shown:
                self._stops.show(stop)
                lane.is_stop_shown = True
            elif stop is not None and (stop.view, stop.version) not in shown:
                lane.retry()
        led = {lane.follower.name for lane in self._lanes if lane.build is not None}
        lanes = {(lane.follower.name, lane.follower.version): lane for lane in self._lanes}
        for place, stop in shown.items():
            one = lanes.get(place)
            if stop.view not in led:
                continue
            if one is None or (one.stop is None and one.is_open and one.follower.position > stop.position):
                self._stops.take_off(place)
            elif one.is_open:
                one.publish_stopped(stop.position)

    def _drop_old(self) -> None:
        """Drops versions that have been kept for long enough."""
        busy = [task.live for task in self._tasks]
        for lane in self._lanes:
            build = lane.build
            if build is None or lane.is_rebuild or lane in busy or not lane.is_open or build.kept is None:
                continue
            if time.time() - build.kept_at >= self._kept_seconds:
                logger.info("version dropped", view=build.name, version=build.kept.version)
                lane.guard(build.drop_kept)

    def _show_positions(self) -> None:
        builds = {(one.name, one.version): one for lane in self._lanes if (one := lane.build) and one.version}
        for (name, version), build in builds.items():
            self._metrics.set_position(name, version, position=build.position, head=self._head)
        for name, version in self._shown - builds.keys():
            self._metrics.remove_version(name, version)
        self._shown = set(builds)
        shards = {
            (lane.follower.name, lane.follower.version, shard): checkpoint.position
            for lane in self._lanes
            if lane.is_open
            for shard, checkpoint in lane.follower.folding.items()
        }
        for place, position in shards.items():
            self._metrics.set_shard(*place, position=position, head=self._head)
        for place in self._shown_shards - shards.keys():
            self._metrics.remove_shard(*place)
        self._shown_shards = set(shards)
        stopped = {(one.follower.name, one.follower.version): one.stop for one in self._lanes if one.is_open}
        for (name, version), stop in stopped.items():
            self._metrics.set_stopped(name, version, is_stopped=stop is not None)
        for name, version in self._shown_stopped - stopped.keys():
            self._metrics.remove_stopped(name, version)
        self._shown_stopped = set(stopped)

    def _log_batch(
        self, batch: Sequence[Decoded], lanes: Sequence[Lane], *, tailing: bool, seconds: float
    ) -> None:
        logger.info(
            "events folded",
            first=batch[0].recorded.position,
            last=batch[-1].recorded.position,
            views=[lane.follower.name for lane in lanes],
            seconds=round(seconds, 4),
            **({"trace_ids": _traces(batch)} if tailing else {}),
        )
        if self._log_each_event:
            for recorded, _ in batch:
                logger.debug(
                    "event folded",
                    position=recorded.position,
                    type=recorded.type,
                    trace_id=recorded.correlation,
                )


def _traces(batch: Sequence[Decoded]) -> list[str]:
    traces = dict.fromkeys(recorded.correlation for recorded, _ in batch if recorded.correlation)
    return list(traces)[:_TRACES_LOGGED]
