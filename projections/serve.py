"""The projector process: the one writer of every view, under the log's session lock `projector`."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.errors import StoreUnavailable
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog, Exclusive
from projections.builds import all_builds
from projections.engine.follower import TargetUnavailable
from projections.engine.metrics import ProjectorMetrics
from projections.engine.rebuild import Progress
from projections.engine.runner import Runner
from projections.health import serve_health
from projections.lexicon_settings import LexiconSettings
from projections.redis.requests import RedisRequests, Request
from projections.settings import Settings
from projections.view_settings import ViewSettings

LOCK = "projector"
"""The session lock of the views' writer."""

_STOP_SECONDS_MAX = 12
"""After so long it ends by force: what a batch has left half done is found, and counts once."""
_LOCK_PAUSE_SECONDS = 0.5
_COLLECT_AFTER = 100_000
"""New objects before the garbage collector runs: documents stay in memory for a while and have no cycles; to
go through them every 700 objects is a quarter of the projector's work."""
_REPORT_SECONDS = 0.2

logger = structlog.get_logger(__name__)


def run_projector(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT; the batch under way ends first. A silent server is waited for no more.

    Raises LogGap, UnknownEvent and DecodingFailed: nothing may be folded past such an event.
    """
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    stopping = threading.Event()
    runners: list[Runner] = []
    logs: list[PostgresLog] = []

    def stop() -> None:
        stopping.set()
        for runner in runners:
            runner.stop()
        for log in logs:
            log.close()

    def why_not_ready() -> str | None:
        if stopping.is_set():
            return "It is stopping."
        runner = next(iter(runners), None)
        if runner is None:
            return "It waits for the log, or for the lock of another that runs."
        return None if runner.lives else "Its runner has ended, or hangs."

    views, lexicon = ViewSettings().views, LexiconSettings().lexicon
    with _on_signals(stop):
        metrics = ProjectorMetrics()
        if settings.projector_metrics_port is not None:
            serve_health(settings.host, settings.projector_metrics_port, why_not_ready)
        log = _opened_log(settings.postgres_url, stopping)
        logs[:] = [log] if log is not None else []
        while log is not None and not stopping.is_set():
            lock = _taken_lock(log, stopping)
            if lock is None:
                break
            runner = Runner(
                log,
                Codec(EVENT_TYPES),
                all_builds(
                    settings.redis_url,
                    settings.data_dir,
                    log,
                    shards=settings.projector_shards,
                    views=views,
                    lexicon=lexicon,
                ),
                metrics,
                log_each_event=settings.log_level.lower() == "debug",
            )
            runners[:] = [runner]
            if stopping.is_set():
                runner.stop()
            requests = RedisRequests(settings.redis_url)
            try:
                runner.run(_polling(runner, requests, lock))
            finally:
                runners.clear()
                requests.close()
                lock.release()
        if log is not None:
            log.close()


def _polling(runner: Runner, requests: RedisRequests, lock: Exclusive) -> Callable[[], bool]:
    seen_ids: set[str] = set()

    def poll() -> bool:
        try:
            for request in requests.take():
                if request.id in seen_ids:
                    continue  # Sent again by a client that saw no progress for a while.
                seen_ids.add(request.id)
                runner.rebuild(request.view, _reporter(requests, request))
        except TargetUnavailable:
            pass  # The views in Redis are away too, and their lanes log it; requests wait for its return.
        held = lock.still_held()
        if not held:
            logger.warning("session lock lost", lock=LOCK)
        return held

    return poll


def _reporter(requests: RedisRequests, request: Request) -> Callable[[Progress], None]:
    reported_at, reported = 0.0, ""

    def report(progress: Progress) -> None:
        nonlocal reported_at, reported
        now = time.monotonic()
        if progress.state == reported and now - reported_at < _REPORT_SECONDS:
            return
        reported_at, reported = now, progress.state
        try:
            requests.report(request, progress)
        except TargetUnavailable as error:
            logger.warning("progress not reported", view=progress.view, reason=str(error))

    return report


def _opened_log(url: str, stopping: threading.Event) -> PostgresLog | None:
    while not stopping.is_set():
        try:
            return PostgresLog.open(url)
        except StoreUnavailable as error:
            logger.warning("the log is away", reason=str(error))
            stopping.wait(_LOCK_PAUSE_SECONDS)
    return None


def _taken_lock(log: EventLog, stopping: threading.Event) -> Exclusive | None:
    waited = False
    while not stopping.is_set():
        try:
            lock = log.try_exclusive(LOCK)
        except StoreUnavailable as error:
            logger.warning("the log is away", reason=str(error))
        else:
            if lock is not None:
                logger.info("projector runs", lock=LOCK)
                return lock
            if not waited:
                logger.info("another projector runs: waiting for its lock", lock=LOCK)
                waited = True
        stopping.wait(_LOCK_PAUSE_SECONDS)
    return None


@contextmanager
def _on_signals(stop: Callable[[], None]) -> Iterator[None]:
    def handle(*_: object) -> None:
        signal.alarm(_STOP_SECONDS_MAX)  # By the kernel: no store and no comparison can hold it up.
        # Not here: what it interrupts may hold the very lock that it would wait for.
        threading.Thread(target=stop, name="stop", daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
