"""The door for the `eventsourcing` library: PERSISTENCE_MODULE=event_store, with DAYBOOK_POSTGRES_URL.

Every application name has a log of its own; Daybook's bears the name `daybook`.
"""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from eventsourcing.persistence import InfrastructureFactory, InfrastructureFactoryError
from eventsourcing.utils import Environment, EnvType, resolve_topic

from event_store.library.names import schema_of
from event_store.library.recorders import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogSnapshotRecorder,
    LogTrackingRecorder,
    OriginatorId,
)
from event_store.postgres.log import PostgresLog
from event_store.postgres.shared import release_log, share_log

AnyRecorder = TypeVar("AnyRecorder")
AnyEventRecorder = TypeVar("AnyEventRecorder", bound=LogAggregateRecorder)


class DaybookFactory(InfrastructureFactory[LogTrackingRecorder]):
    """Recorders over the log of the environment's application, opened when the first is asked for."""

    POSTGRES_URL = "DAYBOOK_POSTGRES_URL"
    ORIGINATOR_ID_TYPE = "ORIGINATOR_ID_TYPE"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._opened: dict[tuple[str, str], PostgresLog] = {}

    def aggregate_recorder(self, purpose: str = "events") -> LogAggregateRecorder:
        if purpose == "snapshots":
            return self._over_log(LogSnapshotRecorder, self.env.name)
        # Any other purpose is a log beside the application's: its versions are its own.
        name = self.env.name if purpose == "events" else f"{self.env.name}/{purpose}"
        return self._over_log(LogAggregateRecorder, name)

    def application_recorder(self) -> LogApplicationRecorder:
        recorder = self._recorder_class(self.APPLICATION_RECORDER_TOPIC, LogApplicationRecorder)
        return self._over_log(recorder, self.env.name)

    def tracking_recorder(
        self, tracking_recorder_class: type[LogTrackingRecorder] | None = None
    ) -> LogTrackingRecorder:
        recorder = tracking_recorder_class or self._recorder_class(
            self.TRACKING_RECORDER_TOPIC, LogTrackingRecorder
        )
        return recorder(self._log(self.env.name))

    def process_recorder(self) -> LogProcessRecorder:
        recorder = self._recorder_class(self.PROCESS_RECORDER_TOPIC, LogProcessRecorder)
        return self._over_log(recorder, self.env.name)

    def close(self) -> None:
        """Gives back every log that was opened through this factory."""
        while self._opened:
            place, _ = self._opened.popitem()
            release_log(*place)

    def _over_log(self, recorder: type[AnyEventRecorder], application_name: str) -> AnyEventRecorder:
        originator_id = self._originator_id()  # First: a wrong setting opens nothing.
        return recorder(self._log(application_name), originator_id)

    def _log(self, application_name: str) -> PostgresLog:
        url = self.env.get(self.POSTGRES_URL)
        if not url:
            raise InfrastructureFactoryError(f"{self.POSTGRES_URL} is not set: where is the log?")
        place = (url, schema_of(application_name))
        if place not in self._opened:
            self._opened[place] = share_log(*place)
        return self._opened[place]

    def _originator_id(self) -> OriginatorId:
        name = self.env.get(self.ORIGINATOR_ID_TYPE, "uuid").lower()
        if name == "uuid":
            return UUID
        if name == "text":
            return str
        raise InfrastructureFactoryError(f"{self.ORIGINATOR_ID_TYPE} is uuid or text, not {name!r}")

    def _recorder_class(self, setting: str, default: type[AnyRecorder]) -> type[AnyRecorder]:
        topic = self.env.get(setting)
        if not topic:
            return default
        chosen: type[AnyRecorder] = resolve_topic(topic)
        if not issubclass(chosen, default):
            raise InfrastructureFactoryError(f"{setting}: {topic} is no {default.__name__}")
        return chosen
