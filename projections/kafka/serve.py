"""`daybook serve relay`: a process that does nothing but publish."""

from __future__ import annotations

import gc
import threading

import structlog

from aggregates.event_types import EVENT_TYPES
from event_store.codec import Codec
from event_store.errors import StoreUnavailable
from event_store.kafka.settings import KafkaSettings
from event_store.postgres.leases import PostgresLeases
from event_store.postgres.log import PostgresLog
from projections.documents.stops import Stop
from projections.engine.metrics import ProjectorMetrics
from projections.health import serve_health
from projections.kafka.metrics import RelayMetrics
from projections.kafka.publishing import Publishing
from projections.settings import RelaySettings
from projections.signals import on_signals

_PAUSE_SECONDS = 0.5
_COLLECT_AFTER = 100_000
"""See `projections.serve`."""

logger = structlog.get_logger(__name__)


def run_relay(settings: RelaySettings, kafka: KafkaSettings) -> None:
    """Runs until SIGTERM or SIGINT; the transaction under way ends first. Raises LogGap."""
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    process = RelayProcess(settings, kafka)
    with on_signals(process.stop):
        if settings.relay_metrics_port is not None:
            serve_health(settings.host, settings.relay_metrics_port, process.why_not_ready, process.stops)
        process.run()


class RelayProcess:
    """One relay process; it runs once. Several wait for each other: one publishes."""

    def __init__(self, settings: RelaySettings, kafka: KafkaSettings) -> None:
        self._settings = settings
        self._kafka = kafka
        self._metrics, self._relay_metrics = ProjectorMetrics(), RelayMetrics()
        self._stopping = threading.Event()
        self._log: PostgresLog | None = None
        self._publishing: Publishing | None = None

    def run(self) -> None:
        """Runs until `stop`. Raises LogGap."""
        while not self._stopping.is_set():
            try:
                if self._log is None:
                    self._log = PostgresLog.open(self._settings.postgres_url)
                leases = self._log.leases()
            except StoreUnavailable as error:
                if not self._stopping.is_set():
                    logger.warning("the log is away", reason=str(error))
                self._stopping.wait(_PAUSE_SECONDS)
                continue
            try:
                self._publish(self._log, leases)
            finally:
                leases.release_all()
        if self._log is not None:
            self._log.close()

    def stop(self) -> None:
        """May be called from any thread, and before `run`."""
        self._stopping.set()
        if self._publishing is not None:
            self._publishing.stop()

    def why_not_ready(self) -> str | None:
        """None where it is; may be called from any thread."""
        if self._stopping.is_set():
            return "It is stopping."
        if self._publishing is None:
            return "It waits for the log."
        return None if self._publishing.runner.lives else "Its runner has ended, or hangs."

    def stops(self) -> list[Stop]:
        """Where it has stopped before an event."""
        return [] if self._publishing is None else self._publishing.stops

    def _publish(self, log: PostgresLog, leases: PostgresLeases) -> None:
        self._publishing = publishing = Publishing(
            self._kafka,
            log,
            Codec(EVENT_TYPES),
            leases,
            metrics=self._metrics,
            relay_metrics=self._relay_metrics,
        )
        if not self._stopping.is_set():
            publishing.run()
