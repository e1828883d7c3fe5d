"""Rebuilding views from outside: asked of the running projector, or done here where none runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog, Exclusive
from projections.builds import all_builds
from projections.engine.metrics import ProjectorMetrics
from projections.engine.rebuild import Progress
from projections.engine.runner import Runner
from projections.redis.requests import RedisRequests, Request
from projections.serve import LOCK

_POLL_SECONDS = 0.2
_SILENCE_SECONDS_MAX = 5.0  # of a projector, before somebody looks whether its lock is free
_PATIENCE_SECONDS = 30.0  # with one that holds its lock and does nothing, or a view whose store is away

Report = Callable[[Progress], None]


def rebuild_views(
    views: Sequence[str], *, postgres_url: str, redis_url: str, data_dir: Path, report: Report
) -> list[Progress]:
    """Rebuilds the views and gives how each of them ended; `hear` is told on the way.

    Raises StoreUnavailable, and TargetUnavailable when Redis is away.
    """
    log = PostgresLog.open(postgres_url)
    try:
        ended: list[Progress] = []
        lock: Exclusive | None = log.try_exclusive(LOCK)
        if lock is None:
            ended, lock = _ask_projector(log, redis_url, views, report)
        if lock is not None:
            done = {progress.view for progress in ended}
            left = [view for view in views if view not in done]
            try:
                ended += _rebuild_here(log, left, redis_url, data_dir, report, lock)
            finally:
                lock.release()
        return ended
    finally:
        log.close()


def _ask_projector(
    log: EventLog, redis_url: str, views: Sequence[str], report: Report
) -> tuple[list[Progress], Exclusive | None]:
    """What the projector answered; with its lock where it ended before it had done everything."""
    requests = RedisRequests(redis_url)
    try:
        waiting: dict[str, Request] = {view: requests.ask(view) for view in views}
        last: dict[str, Progress] = {}
        ended: list[Progress] = []
        silence, asked = _Silence(), _Silence()
        while waiting:
            time.sleep(_POLL_SECONDS)
            for view, request in list(waiting.items()):
                progress = requests.last_progress(request)
                silent = requests.silent_seconds(request)
                if progress is None or silent is None:
                    continue
                if progress.state != "waiting" and silent < _SILENCE_SECONDS_MAX:
                    silence.renew()
                if progress != last.get(view):
                    last[view] = progress
                    report(progress)
                if progress.is_over:
                    ended.append(progress)
                    del waiting[view]
            if waiting and min(silence.lasted, asked.lasted) > _SILENCE_SECONDS_MAX:
                asked.renew()
                lock = log.try_exclusive(LOCK)
                if lock is not None or silence.is_over:
                    for request in waiting.values():
                        requests.withdraw(request)
                    return ended + (
                        [] if lock else [_unheard(view, last.get(view)) for view in waiting]
                    ), lock
                for request in waiting.values():
                    requests.ask_again(request)  # Who took it up may have ended, and another has the lock.
        return ended, None
    finally:
        requests.close()


class _Silence:
    """For how long nothing has gone on."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._since = time.monotonic()

    @property
    def lasted(self) -> float:
        return time.monotonic() - self._since

    @property
    def is_over(self) -> bool:
        return self.lasted > _PATIENCE_SECONDS


def _unheard(view: str, last: Progress | None) -> Progress:
    if last is not None and last.state == "waiting":
        return _away(view)
    reason = (
        f"the projector holds its lock and has said nothing for {_PATIENCE_SECONDS:.0f} s: it was stopped or "
        "ends again and again, as its log tells; end it, and ask again"
    )
    return Progress("failed", view, reason=reason)


def _away(view: str) -> Progress:
    reason = f"its store was away for {_PATIENCE_SECONDS:.0f} s; ask again once it is there"
    return Progress("failed", view, reason=reason)


def _rebuild_here(
    log: PostgresLog,
    views: Sequence[str],
    redis_url: str,
    data_dir: Path,
    report: Report,
    lock: Exclusive,
) -> list[Progress]:
    builds = [build for build in all_builds(redis_url, data_dir, log) if build.name in views]
    runner = Runner(log, Codec(EVENT_TYPES), builds, ProjectorMetrics(CollectorRegistry()))
    ended: list[Progress] = []
    silence = _Silence()

    def report_progress(progress: Progress) -> None:
        report(progress)
        if progress.state != "waiting":
            silence.renew()
        if progress.is_over:
            ended.append(progress)
            if len(ended) == len(views):
                runner.stop()

    def look_round() -> bool:
        return lock.still_held() and not silence.is_over

    for view in views:
        runner.rebuild(view, report_progress)
    runner.run(look_round)
    left = [view for view in views if view not in {progress.view for progress in ended}]
    if silence.is_over:
        return ended + [_away(view) for view in left]
    lost = "another took the projector's lock meanwhile; ask again"
    return ended + [Progress("failed", view, reason=lost) for view in left]
