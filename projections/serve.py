"""A projector process: it writes its share of the views' shards; one of them all leads.

The leader holds the log's session lock `projector`: it makes, publishes, rebuilds and deletes versions, and
writes the search index. The others write their shards of the versions there are.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import structlog

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.errors import StoreUnavailable
from event_store.kafka.settings import KafkaSettings
from event_store.postgres.leases import PostgresLeases
from event_store.postgres.log import PostgresLog
from event_store.records import OrderedEvents
from projections.builds import redis_builds, search_build, state_builds
from projections.documents.search import VIEW as SEARCH
from projections.documents.stops import Stop
from projections.engine.follower import Follower, TargetUnavailable
from projections.engine.metrics import ProjectorMetrics
from projections.engine.partitions import LEADER, Partitions
from projections.engine.rebuild import Progress
from projections.engine.runner import ROUND_SECONDS, Runner
from projections.health import serve_health
from projections.kafka.metrics import RelayMetrics
from projections.lexicon_settings import LexiconSettings
from projections.redis.joined import JoinedViews
from projections.redis.requests import RedisRequests, Request
from projections.redis.stops import RedisStops
from projections.settings import Settings
from projections.signals import on_signals
from projections.view_settings import ViewSettings

if TYPE_CHECKING:  # Imported where it is used alone.
    from event_store.kafka.reader import KafkaEvents
    from projections.kafka.publishing import Publishing

_PAUSE_SECONDS = 0.5
_POLL_SECONDS_AWAITING = 0.1
_COLLECT_AFTER = 100_000
"""New objects before the garbage collector runs: documents stay in memory for a while and have no cycles; to
go through them every 700 objects is a quarter of the projector's work."""
_SWITCH_SECONDS = 0.0005
"""For so long one thread may keep the interpreter while another's call has its answer. The views' thread
makes dozens of calls a round: Python's own 5 ms for each, while products are indexed, are what readers
wait for."""
_SEARCH_ROUND_SECONDS = 0.1
"""Between two pages of new events for the search index, whose commits are further apart."""
_STATE_ROUND_SECONDS = 0.1
"""Between two transactions of a view's state topic."""
_REPORT_SECONDS = 0.2

logger = structlog.get_logger(__name__)


def run_projector(settings: Settings) -> None:
    """Runs until SIGTERM or SIGINT; the batch under way ends first. A silent server is waited for no more.

    Raises LogGap: nothing may be folded past one.
    """
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    sys.setswitchinterval(_SWITCH_SECONDS)
    projector = Projector(settings)
    with on_signals(projector.stop):
        if settings.projector_metrics_port is not None:
            port = settings.projector_metrics_port
            serve_health(settings.host, port, projector.why_not_ready, projector.stops)
        projector.run()


class Projector:
    """One projector process; it runs once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._views, self._lexicon = ViewSettings().views, LexiconSettings().lexicon
        self._kafka = KafkaSettings()
        if settings.events_from == "kafka" and self._kafka.bootstrap is None:
            raise StoreUnavailable("DAYBOOK_EVENTS_FROM=kafka needs DAYBOOK_KAFKA_BOOTSTRAP")
        self._metrics = ProjectorMetrics()
        self._relay_metrics = None if self._kafka.bootstrap is None else RelayMetrics()
        self._stopping = threading.Event()
        self._log: PostgresLog | None = None
        self._runners: list[Runner] = []
        self._events_read: list[KafkaEvents] = []

    def run(self) -> None:
        """Runs until `stop`. Raises LogGap."""
        self._log = log = self._opened_log()
        while log is not None and not self._stopping.is_set():
            try:
                leases = log.leases()
            except StoreUnavailable as error:
                logger.warning("the log is away", reason=str(error))
                self._stopping.wait(_PAUSE_SECONDS)
                continue
            try:
                self._hold(log, leases)
            except StoreUnavailable as error:
                logger.warning("lease lost", reason=str(error))
            finally:
                leases.release_all()
        if log is not None:
            log.close()

    def stop(self) -> None:
        """May be called from any thread, and before `run`."""
        self._stopping.set()
        for runner in list(self._runners):
            runner.stop()
        if self._log is not None:
            self._log.close()

    def why_not_ready(self) -> str | None:
        """None where it is; may be called from any thread."""
        if self._stopping.is_set():
            return "It is stopping."
        runners = list(self._runners)
        if not runners:
            return "It waits for the log."
        return None if all(runner.lives for runner in runners) else "Its runner has ended, or hangs."

    def stops(self) -> list[Stop]:
        """Where views have stopped in this process; may be called from any thread."""
        return [stop for runner in list(self._runners) for stop in runner.stops]

    def _hold(self, log: PostgresLog, leases: PostgresLeases) -> None:
        """Works as long as the lease lasts: as the leader where that lock can be had, else beside another."""
        partitions = Partitions(leases)
        while not self._stopping.is_set() and leases.still_held():
            if leases.take([LEADER]):
                logger.info("projector runs", lock=LEADER, partitions=partitions.held)
                self._lead(log, leases, partitions)
                return
            logger.info("projector joined: another leads", partitions=partitions.held)
            self._join(log, leases, partitions)

    def _lead(self, log: PostgresLog, leases: PostgresLeases, partitions: Partitions) -> None:
        """As the leader, until the lease is lost.

        The search index has a thread of its own, so that its commits hold back no view in Redis.
        """
        settings = self._settings
        builds = redis_builds(
            settings.redis_url,
            log,
            shards=settings.projector_shards,
            views=self._views,
            holds=partitions.holds,
        )
        views = self._runner(log, builds)
        index = search_build(
            settings.data_dir,
            log,
            elasticsearch_url=settings.elasticsearch_url,
            lexicon=self._lexicon,
        )
        search = self._runner(log, [index], reads_again=True, round_seconds=_SEARCH_ROUND_SECONDS)
        requests = RedisRequests(settings.redis_url)
        take_requests = _taking(requests, lambda view: search if view == SEARCH else views)

        def poll() -> bool:
            take_requests()
            return _balanced(leases, partitions, views) and not any(each.done() for each in beside)

        relaying = self._publishing(log, leases)
        states = self._states(log)
        runners = [views, search, *states, *([] if relaying is None else [relaying.runner])]
        with ThreadPoolExecutor(3, thread_name_prefix="beside") as executor, self._running(*runners):
            beside: list[Future[None]] = [executor.submit(search.run, leases.still_held)]
            beside += [executor.submit(runner.run, leases.still_held) for runner in states]
            if relaying is not None:
                beside.append(executor.submit(relaying.run))
            try:
                views.run(poll)
            finally:
                for runner in runners:
                    runner.stop()
            for each in beside:
                each.result()
        requests.close()

    def _states(self, log: PostgresLog) -> list[Runner]:
        """What writes the state topics, in a thread of its own; none where no Kafka is named."""
        if self._kafka.bootstrap is None or not self._settings.state_topics:
            return []
        builds = state_builds(self._kafka, log, self._views)
        return [self._runner(log, builds, reads_again=True, round_seconds=_STATE_ROUND_SECONDS)]

    def _publishing(self, log: PostgresLog, leases: PostgresLeases) -> Publishing | None:
        """The relay, in a thread of its own; None where no Kafka is named."""
        if self._relay_metrics is None:
            return None
        from projections.kafka.publishing import Publishing

        return Publishing(
            self._kafka,
            log,
            Codec(EVENT_TYPES),
            leases,
            metrics=self._metrics,
            relay_metrics=self._relay_metrics,
            reads_again=True,
        )

    def _join(self, log: PostgresLog, leases: PostgresLeases, partitions: Partitions) -> None:
        """Beside the leader, until there is none or the lease is lost."""
        joined = JoinedViews(self._views, self._settings.redis_url, partitions.holds)
        views = self._runner(log, [])

        def poll() -> bool:
            if not leases.still_held() or _is_free(leases):
                return False
            try:
                views.follow(joined.followers())
            except TargetUnavailable as error:
                logger.warning("Redis is away", reason=str(error))
            if not (partitions.held or views.is_open):
                return True  # Its first share it takes once it can go on with it at once.
            return _balanced(leases, partitions, views)

        with self._running(views):
            try:
                views.run(poll)
            finally:
                joined.close()

    def _runner(
        self,
        log: PostgresLog,
        followers: Sequence[Follower],
        *,
        reads_again: bool = False,
        round_seconds: float = ROUND_SECONDS,
    ) -> Runner:
        return Runner(
            self._events(log),
            Codec(EVENT_TYPES),
            followers,
            self._metrics,
            stops=RedisStops(self._settings.redis_url),
            kept_seconds=self._settings.projector_kept_hours * 3600,
            reads_again=reads_again,
            round_seconds=round_seconds,
            log_each_event=self._settings.log_level.lower() == "debug",
        )

    def _events(self, log: PostgresLog) -> OrderedEvents:
        """Where one runner reads: of Kafka it has a reader of its own."""
        if self._settings.events_from == "log":
            return log
        from event_store.kafka.reader import KafkaEvents
        from event_store.kafka.topics import Topics

        topics = Topics(self._kafka.topic_prefix, self._kafka.topics_file)
        events = KafkaEvents(self._kafka.client_arguments(), topics, log.log_id())
        self._events_read.append(events)
        return events

    @contextmanager
    def _running(self, *runners: Runner) -> Iterator[None]:
        self._runners = list(runners)
        if self._stopping.is_set():
            for runner in runners:
                runner.stop()
        try:
            yield
        finally:
            self._runners = []
            for events in self._events_read:
                events.close()
            self._events_read = []

    def _opened_log(self) -> PostgresLog | None:
        while not self._stopping.is_set():
            try:
                return PostgresLog.open(self._settings.postgres_url)
            except StoreUnavailable as error:
                logger.warning("the log is away", reason=str(error))
                self._stopping.wait(_PAUSE_SECONDS)
        return None


def _balanced(leases: PostgresLeases, partitions: Partitions, views: Runner) -> bool:
    """Shares the partitions out, soon again where one is about to come; False where the lease was lost."""
    try:
        partitions.balance()
    except StoreUnavailable as error:
        logger.warning("lease lost", reason=str(error))
        return False
    views.poll_seconds = _POLL_SECONDS_AWAITING if partitions.awaits_more else Runner.poll_seconds
    return leases.still_held()


def _is_free(leases: PostgresLeases) -> bool:
    """Whether there is no leader."""
    return LEADER not in leases.holders([LEADER])


def _taking(requests: RedisRequests, runner_of: Callable[[str], Runner]) -> Callable[[], None]:
    """Takes up what is requested since, on the runner of its view."""
    seen_ids: set[str] = set()

    def take() -> None:
        try:
            taken = requests.take()
        except TargetUnavailable:
            return  # The views in Redis are away too, and their lanes log it; requests wait for its return.
        for request in taken:
            if request.id in seen_ids:
                continue  # Sent again by a client that saw no progress for a while.
            seen_ids.add(request.id)
            runner, report = runner_of(request.view), _reporter(requests, request)
            runner.submit(partial(runner.request, request.action, request.view, report))

    return take


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
