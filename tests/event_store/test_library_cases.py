"""The library's own conformance cases, unchanged, on our log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.tests import persistence as cases
from eventsourcing.utils import Environment

from event_store import DaybookFactory
from event_store.library.recorders import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogTrackingRecorder,
)


class OnOurLog:
    """A factory over an empty database for each case."""

    factory: DaybookFactory

    @pytest.fixture(autouse=True)
    def _factory(self, fresh_postgres: str) -> Iterator[None]:
        self.env = Environment(
            "Cases", {"PERSISTENCE_MODULE": "event_store", "DAYBOOK_POSTGRES_URL": fresh_postgres}
        )
        self.factory = DaybookFactory(self.env)
        yield
        self.factory.close()


class TestAggregateRecorder(OnOurLog, cases.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory.aggregate_recorder()


class TestSnapshotRecorder(OnOurLog, cases.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory.aggregate_recorder(purpose="snapshots")


class TestApplicationRecorder(OnOurLog, cases.ApplicationRecorderTestCase[ApplicationRecorder]):
    def create_recorder(self) -> ApplicationRecorder:
        return self.factory.application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingRecorder(OnOurLog, cases.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.factory.tracking_recorder()


class TestProcessRecorder(OnOurLog, cases.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return self.factory.process_recorder()


class TestNonInterleavingNotificationIds(OnOurLog, cases.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return self.factory.application_recorder()


class OtherTrackingRecorder(LogTrackingRecorder):
    """An application's own class of recorder."""


class TestFactory(OnOurLog, cases.InfrastructureFactoryTestCase[DaybookFactory]):
    def expected_factory_class(self) -> type[DaybookFactory]:
        return DaybookFactory

    def expected_aggregate_recorder_class(self) -> type[Any]:
        return LogAggregateRecorder

    def expected_application_recorder_class(self) -> type[Any]:
        return LogApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[Any]:
        return LogTrackingRecorder

    def tracking_recorder_subclass(self) -> type[Any]:
        return OtherTrackingRecorder

    def expected_process_recorder_class(self) -> type[Any]:
        return LogProcessRecorder
