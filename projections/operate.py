"""What operators do with views: requested of the running projector, or done here where none runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog
from event_store.records import Exclusive
from projections.builds import all_builds
from projections.engine.build import Build
from projections.engine.metrics import ProjectorMetrics
from projections.engine.partitions import LEADER, workers
from projections.engine.rebuild import Action, Progress
from projections.engine.runner import Runner
from projections.engine.stops import Stops
from projections.lexicon_settings import LexiconSettings
from projections.redis.requests import RedisRequests, Request
from projections.redis.stops import RedisStops
from projections.view_settings import ViewSettings

_POLL_SECONDS = 0.2
_LOCK_CHECK_SECONDS = 5.0  # without progress, before the projector's lock is tried
_NO_PROGRESS_SECONDS_MAX = 30.0  # then a projector that holds its lock, or a store, is given up

Report = Callable[[Progress], None]


def run_action(
    action: Action,
    views: Sequence[str],
    *,
    postgres_url: str,
    redis_url: str,
    data_dir: Path,
    elasticsearch_url: str | None = None,
    report: Report,
) -> list[Progress]:
    """Does it with the views and gives how each of them ended; `report` gets the progress.

    Raises StoreUnavailable, and TargetUnavailable when Redis is away.
    """
    log = PostgresLog.open(postgres_url)
    try:
        ended: list[Progress] = []
        lock = _lock_alone(log)
        if lock is None:
            ended, lock = _request(log, redis_url, action, views, report)
        if lock is not None:
            done = {progress.view for progress in ended}
            left = [view for view in views if view not in done]
            try:
                every = all_builds(
                    redis_url,
                    data_dir,
                    log,
                    elasticsearch_url=elasticsearch_url,
                    views=ViewSettings().views,
                    lexicon=LexiconSettings().lexicon,
                )
                builds = [build for build in every if build.name in left]
                ended += _run_here(log, action, builds, RedisStops(redis_url), report, lock)
            finally:
                lock.release()
        return ended
    finally:
        log.close()


def _lock_alone(log: PostgresLog) -> Exclusive | None:
    """The leader's lock where no projector runs; one that runs may just be about to take it."""
    lock = log.try_exclusive(LEADER)
    if lock is not None and workers(log):
        lock.release()
        return None
    return lock


def _request(
    log: PostgresLog, redis_url: str, action: Action, views: Sequence[str], report: Report
) -> tuple[list[Progress], Exclusive | None]:
    """How each ended, and the projector's lock where it ended before it had done them all."""
    requests = RedisRequests(redis_url)
    try:
        waiting: dict[str, Request] = {view: requests.submit(view, action) for view in views}
        last: dict[str, Progress] = {}
        ended: list[Progress] = []
        progressed, lock_checked = _Stopwatch(), _Stopwatch()
        while waiting:
            time.sleep(_POLL_SECONDS)
            for view, request in list(waiting.items()):
                progress = requests.last_progress(request)
                report_age = requests.seconds_since_report(request)
                if progress is None or report_age is None:
                    continue
                if progress.state != "waiting" and report_age < _LOCK_CHECK_SECONDS:
                    progressed.restart()
                if progress != last.get(view):
                    last[view] = progress
                    report(progress)
                if progress.is_over:
                    ended.append(progress)
                    del waiting[view]
            if waiting and min(progressed.seconds, lock_checked.seconds) > _LOCK_CHECK_SECONDS:
                lock_checked.restart()
                lock = _lock_alone(log)
                if lock is not None or progressed.is_over:
                    for request in waiting.values():
                        requests.withdraw(request)
                    return ended + (
                        [] if lock else [_no_progress(view, last.get(view)) for view in waiting]
                    ), lock
                for request in waiting.values():
                    requests.resubmit(
                        request
                    )  # The projector that took it may have ended, and another has the lock.
        return ended, None
    finally:
        requests.close()


class _Stopwatch:
    """The time since something happened last."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since

    @property
    def is_over(self) -> bool:
        return self.seconds > _NO_PROGRESS_SECONDS_MAX


def _no_progress(view: str, last: Progress | None) -> Progress:
    if last is not None and last.state == "waiting":
        return _away(view)
    reason = (
        f"the projector holds its lock and has said nothing for {_NO_PROGRESS_SECONDS_MAX:.0f} s: "
        "it was stopped or ends again and again, as its log tells; end it, and ask again"
    )
    return Progress("failed", view, reason=reason)


def _away(view: str) -> Progress:
    reason = f"its store was away for {_NO_PROGRESS_SECONDS_MAX:.0f} s; ask again once it is there"
    return Progress("failed", view, reason=reason)


def _run_here(
    log: PostgresLog,
    action: Action,
    builds: Sequence[Build],
    stops: Stops,
    report: Report,
    lock: Exclusive,
) -> list[Progress]:
    views = [build.name for build in builds]
    metrics = ProjectorMetrics(CollectorRegistry())
    runner = Runner(log, Codec(EVENT_TYPES), builds, metrics, stops=stops)
    ended: list[Progress] = []
    progressed = _Stopwatch()

    def report_progress(progress: Progress) -> None:
        report(progress)
        if progress.state != "waiting":
            progressed.restart()
        if progress.is_over:
            ended.append(progress)
            if len(ended) == len(views):
                runner.stop()

    def poll() -> bool:
        return lock.still_held() and not progressed.is_over

    for view in views:
        runner.request(action, view, report_progress)
    runner.run(poll)
    left = [view for view in views if view not in {progress.view for progress in ended}]
    if progressed.is_over:
        return ended + [_away(view) for view in left]
    lost = "another took the projector's lock meanwhile; ask again"
    return ended + [Progress("failed", view, reason=lost) for view in left]
