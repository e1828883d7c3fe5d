"""The relay's Prometheus metrics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from projections.engine.follower import Decoded

_LAG_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class RelayMetrics:
    """How far the relay is, how much it publishes, and how soon."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._position = Gauge("daybook_relay_position", "Last position published", registry=registry)
        self._lag = Gauge("daybook_relay_lag_events", "Events behind the log's head", registry=registry)
        self._publishes = Gauge(
            "daybook_relay_publishes", "1 where this process publishes, and could now", registry=registry
        )
        self._events = Counter("daybook_relay_events_total", "Events published", registry=registry)
        self._seconds = Histogram(
            "daybook_relay_lag_seconds",
            "From an event's recording to its being readable, of the oldest of each transaction",
            buckets=_LAG_SECONDS,
            registry=registry,
        )

    def count(self, published: Sequence[Decoded]) -> None:
        """Counts the events of a transaction that was committed just now."""
        self._events.inc(len(published))
        if published:
            age = datetime.now(UTC) - published[0].recorded.recorded_at
            self._seconds.observe(age.total_seconds())

    def show(self, *, position: int, head: int, publishes: bool) -> None:
        """Shows where it stands."""
        self._position.set(position)
        self._lag.set(max(head - position, 0))
        self._publishes.set(publishes)
