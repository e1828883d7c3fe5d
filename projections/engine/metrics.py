"""The projector's Prometheus metrics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from projections.engine.follower import Decoded

_LAG_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class ProjectorMetrics:
    """Gauges per view, and how fresh what was just written is."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._position = Gauge(
            "daybook_view_position", "Last position taken in", ["view", "version"], registry=registry
        )
        self._lag = Gauge(
            "daybook_view_lag_events", "Events behind the log's head", ["view", "version"], registry=registry
        )
        self._stopped = Gauge(
            "daybook_view_stopped",
            "1 while the view stands before an event that it cannot take in",
            ["view", "version"],
            registry=registry,
        )
        self._shard_position = Gauge(
            "daybook_shard_position",
            "Last position taken in by a shard that this process writes",
            ["view", "version", "shard"],
            registry=registry,
        )
        self._shard_lag = Gauge(
            "daybook_shard_lag_events",
            "Events behind the log's head, of a shard that this process writes",
            ["view", "version", "shard"],
            registry=registry,
        )
        self._events = Counter(
            "daybook_projector_events_total", "Events read, decoded and folded", registry=registry
        )
        self._freshness = Histogram(
            "daybook_projection_lag_seconds",
            "From an event's recording to its documents being written, while views are current",
            buckets=_LAG_SECONDS,
            registry=registry,
        )

    def set_position(self, view: str, version: int, *, position: int, head: int) -> None:
        """Sets a version's position and its lag behind the head."""
        self._position.labels(view, str(version)).set(position)
        self._lag.labels(view, str(version)).set(max(head - position, 0))

    def set_stopped(self, view: str, version: int, *, is_stopped: bool) -> None:
        """Sets whether a version has stopped before an event."""
        self._stopped.labels(view, str(version)).set(is_stopped)

    def remove_version(self, view: str, version: int) -> None:
        """Drops the series of a version that is no longer written."""
        self._position.remove(view, str(version))
        self._lag.remove(view, str(version))

    def remove_stopped(self, view: str, version: int) -> None:
        """Drops the series of a version that is no longer written here."""
        self._stopped.remove(view, str(version))

    def set_shard(self, view: str, version: int, shard: int, *, position: int, head: int) -> None:
        """Sets the position of a shard that this process writes, and its lag behind the head."""
        self._shard_position.labels(view, str(version), str(shard)).set(position)
        self._shard_lag.labels(view, str(version), str(shard)).set(max(head - position, 0))

    def remove_shard(self, view: str, version: int, shard: int) -> None:
        """Drops the series of a shard that this process writes no longer."""
        self._shard_position.remove(view, str(version), str(shard))
        self._shard_lag.remove(view, str(version), str(shard))

    def count_events(self, events: int) -> None:
        """Counts the events of a folded batch."""
        self._events.inc(events)

    def observe_freshness(self, batch: Sequence[Decoded]) -> None:
        """Observes how old the events of a batch are that became visible to readers just now."""
        now = datetime.now(UTC)
        for recorded, _ in batch:
            self._freshness.observe((now - recorded.recorded_at).total_seconds())
