"""The library's subscription, woken by the log."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from eventsourcing.persistence import ApplicationRecorder, ListenNotifySubscription

from event_store.errors import StoreUnavailable
from event_store.postgres_log import PostgresLog

_LOOK_SECONDS = 0.25


class LogSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """Pulls when the log's head moves. Ends when it is stopped; raises what the pulling raised."""

    def __init__(
        self,
        recorder: ApplicationRecorder,
        log: PostgresLog,
        gt: int | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._log = log
        self._listening = threading.Thread(target=self._listen, name="subscription", daemon=True)
        self._listening.start()

    def __exit__(self, *args: object, **kwargs: object) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._listening.join()

    def _listen(self) -> None:
        head = self._last_notification_id or 0
        while not self._has_been_stopped:
            try:
                moved_to = self._log.wait(after=head, timeout_seconds=_LOOK_SECONDS)
            except StoreUnavailable as error:
                self._thread_error = self._thread_error or error
                self.stop()
                return
            if moved_to > head:
                head = moved_to
                self._has_been_notified.set()
