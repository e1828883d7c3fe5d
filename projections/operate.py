"""Rebuilding views from outside: asked of the running projector, or done here where none runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.postgres_log import PostgresLog
from event_store.records import EventLog, Exclusive
from projections.metrics import ProjectorMetrics
from projections.rebuild import Progress
from projections.redis_requests import RedisRequests, Request
from projections.runner import Runner
from projections.serve import LOCK
from projections.sinks import all_sinks

_POLL_SECONDS = 0.2
_SILENCE_SECONDS_MAX = 5.0

Hear = Callable[[Progress], None]


def rebuild_views(
    views: Sequence[str], *, postgres_url: str, redis_url: str, data_dir: Path, hear: Hear
) -> list[Progress]:
    """Rebuilds the views and gives how each of them ended; `hear` is told on the way.

    Raises StoreUnavailable, and SinkUnavailable when Redis is away.
    """
    log = PostgresLog.open(postgres_url)
    try:
        ended: list[Progress] = []
        lock: Exclusive | None = log.try_exclusive(LOCK)
        if lock is None:
            ended, lock = _ask_projector(log, redis_url, views, hear)
        if lock is not None:
            done = {progress.view for progress in ended}
            left = [view for view in views if view not in done]
            try:
                ended += _rebuild_here(log, left, redis_url, data_dir, hear, lock)
            finally:
                lock.release()
        return ended
    finally:
        log.close()


def _ask_projector(
    log: EventLog, redis_url: str, views: Sequence[str], hear: Hear
) -> tuple[list[Progress], Exclusive | None]:
    """What the projector answered; with its lock where it ended before it had done everything."""
    requests = RedisRequests(redis_url)
    try:
        waiting: dict[str, Request] = {view: requests.ask(view) for view in views}
        last: dict[str, Progress] = {}
        ended: list[Progress] = []
        heard_at = time.monotonic()
        while waiting:
            time.sleep(_POLL_SECONDS)
            for view, request in list(waiting.items()):
                progress = requests.hear(request)
                if progress is None or progress == last.get(view):
                    continue
                heard_at = time.monotonic()
                last[view] = progress
                hear(progress)
                if progress.is_over:
                    ended.append(progress)
                    del waiting[view]
            if waiting and time.monotonic() - heard_at > _SILENCE_SECONDS_MAX:
                heard_at = time.monotonic()
                lock = log.try_exclusive(LOCK)
                if lock is not None:
                    for request in waiting.values():
                        requests.withdraw(request)
                    return ended, lock
        return ended, None
    finally:
        requests.close()


def _rebuild_here(
    log: PostgresLog,
    views: Sequence[str],
    redis_url: str,
    data_dir: Path,
    hear: Hear,
    lock: Exclusive,
) -> list[Progress]:
    sinks = [sink for sink in all_sinks(redis_url, data_dir) if sink.name in views]
    runner = Runner(log, Codec(EVENT_TYPES), sinks, ProjectorMetrics(CollectorRegistry()))
    ended: list[Progress] = []

    def tell(progress: Progress) -> None:
        hear(progress)
        if progress.is_over:
            ended.append(progress)
            if len(ended) == len(views):
                runner.stop()

    for view in views:
        runner.rebuild(view, tell)
    runner.run(lock.still_held)
    return ended
