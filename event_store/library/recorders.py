"""The recorders of the `eventsourcing` library over our log.

They enforce what the library promises, unique versions and rising tracking positions, and no more: its
applications may start a stream at version 0 or 1 and leave versions out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    DataError,
    IntegrityError,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)

from event_store.errors import InvalidEntry, StoreUnavailable
from event_store.library.subscription import LogSubscription
from event_store.postgres.log import PostgresLog

OriginatorId = Callable[[str], UUID | str]
"""How a stream's name becomes the library's originator id: `UUID` or `str`."""


@contextmanager
def errors_are_the_librarys() -> Iterator[None]:
    """Applications of the library expect its own errors."""
    try:
        yield
    except StoreUnavailable as error:
        raise OperationalError(str(error)) from error
    except InvalidEntry as error:
        raise DataError(str(error)) from error


class LogAggregateRecorder(AggregateRecorder):
    """Events of single streams, without positions."""

    _table: Literal["events", "snapshots"] = "events"

    def __init__(self, log: PostgresLog, originator_id: OriginatorId) -> None:
        self.log = log
        self._originator_id = originator_id

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        self._insert(stored_events, kwargs.get("tracking"))
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        with errors_are_the_librarys():
            rows = self.log.stored.versions(
                self._table, str(originator_id), gt=gt, lte=lte, desc=desc, limit=limit
            )
        return [StoredEvent(originator_id, version, topic, state) for version, topic, state in rows]

    def _insert(self, stored_events: Sequence[StoredEvent], tracking: Tracking | None) -> list[int]:
        events = [(str(e.originator_id), e.originator_version, e.topic, e.state) for e in stored_events]
        if not events and tracking is None:
            return []
        place = None if tracking is None else (tracking.application_name, tracking.notification_id)
        with errors_are_the_librarys():
            positions = self.log.insert_events(events, place)
        if positions is None:
            raise IntegrityError("a version, or a tracking position as high, is already recorded")
        return positions


class LogSnapshotRecorder(LogAggregateRecorder):
    """Snapshots stand in a table of their own and have no positions."""

    _table = "snapshots"

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        rows = [(str(e.originator_id), e.originator_version, e.topic, e.state) for e in stored_events]
        with errors_are_the_librarys():
            if not self.log.stored.insert_snapshots(rows):
                raise IntegrityError("a snapshot of this version is already recorded")
        return None


class LogApplicationRecorder(LogAggregateRecorder, ApplicationRecorder):
    """Events of all streams too, in the log's order: a notification's id is its position."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        return self._insert(stored_events, kwargs.get("tracking"))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        with errors_are_the_librarys():
            rows = self.log.stored.notifications(after=max(after, 0), limit=limit, up_to=stop, types=topics)
        return [
            Notification(self._originator_id(stream), version, topic, state, position)
            for position, stream, version, topic, state in rows
        ]

    def max_notification_id(self) -> int | None:
        with errors_are_the_librarys():
            return self.log.head() or None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        return LogSubscription(self, self.log, gt=gt, topics=topics)


class LogTrackingRecorder(TrackingRecorder):
    """How far this application has come in others' logs."""

    def __init__(self, log: PostgresLog) -> None:
        self.log = log

    def insert_tracking(self, tracking: Tracking) -> None:
        with errors_are_the_librarys():
            if self.log.insert_events([], (tracking.application_name, tracking.notification_id)) is None:
                raise IntegrityError(f"{tracking} is not above what is recorded")

    def max_tracking_id(self, application_name: str) -> int | None:
        with errors_are_the_librarys():
            return self.log.tracked(application_name)


class LogProcessRecorder(LogApplicationRecorder, LogTrackingRecorder, ProcessRecorder):
    """Events and the tracking position they follow from, written together."""
