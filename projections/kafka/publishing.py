"""The relay at work: a runner of its own, while this process holds the relay's lock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import structlog

from event_store.codec import Codec
from event_store.errors import StoreUnavailable
from event_store.kafka.settings import KafkaSettings
from event_store.records import EventReader
from projections.documents.stops import Stop
from projections.engine.metrics import ProjectorMetrics
from projections.engine.runner import Runner
from projections.kafka.metrics import RelayMetrics
from projections.kafka.relay import LOCK, Relay

_ROUND_SECONDS = 0.05
"""Between two transactions, each of which costs the broker a few milliseconds however small it is."""

logger = structlog.get_logger(__name__)


class Lease(Protocol):
    """See `event_store.postgres.leases`."""

    def take(self, names: Sequence[str]) -> Collection[str]:
        """Takes those locks that are free. Raises StoreUnavailable."""

    def still_held(self) -> bool:
        """False once it is lost, with all its locks."""


class Publishing:
    """Publishes while the lease has the lock; another process of the same log waits for it."""

    def __init__(
        self,
        settings: KafkaSettings,
        log: EventReader,
        codec: Codec,
        lease: Lease,
        *,
        metrics: ProjectorMetrics,
        relay_metrics: RelayMetrics,
        reads_again: bool = False,
    ) -> None:
        """`reads_again`: see Runner."""
        self._relay = Relay(settings, log, codec, relay_metrics.count)
        self._log = log
        self._lease = lease
        self._metrics = relay_metrics
        self._has_lock = False
        self.runner = Runner(log, codec, [], metrics, reads_again=reads_again, round_seconds=_ROUND_SECONDS)

    def run(self) -> None:
        """Until `stop`, or until the lease is lost. Raises LogGap."""
        try:
            self.runner.run(self._poll)
        finally:
            self._metrics.show(position=self._relay.position, head=self._relay.position, publishes=False)

    def stop(self) -> None:
        """May be called from any thread."""
        self.runner.stop()

    @property
    def stops(self) -> list[Stop]:
        """Where it has stopped before an event."""
        return self.runner.stops

    def _poll(self) -> bool:
        try:
            if not self._lease.still_held():
                return False
            if not self._has_lock and LOCK in self._lease.take([LOCK]):
                self._has_lock = True
                self.runner.follow([self._relay])
                logger.info("this process publishes", lock=LOCK)
            if self._has_lock:
                head = self._log.head()
                self._metrics.show(position=self._relay.position, head=head, publishes=self.runner.is_open)
        except StoreUnavailable:
            return False
        return True
