"""The library's subscription, woken by the log."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from eventsourcing.persistence import ApplicationRecorder, ListenNotifySubscription

from event_store.errors import AnotherHistory, LogGap, StoreUnavailable
from event_store.history import checkpoint_at, has
from event_store.postgres.log import PostgresLog
from event_store.records import START, Checkpoint

_LOOK_SECONDS = 0.25


class LogSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """Pulls when the log's head moves. Ends when it is stopped; raises what the pulling raised.

    Ends with AnotherHistory where the log no longer has what was its head: positions alone
        would look complete.
    """

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
        seen = START
        while not self._has_been_stopped:
            try:
                moved_to, seen = self._look(head, seen)
            except (StoreUnavailable, AnotherHistory, LogGap) as error:
                self._thread_error = self._thread_error or error
                self.stop()
                return
            if moved_to > head:
                head = moved_to
                self._has_been_notified.set()

    def _look(self, head: int, seen: Checkpoint) -> tuple[int, Checkpoint]:
        """The head, once it has moved or after a while, and what stands there."""
        moved_to = self._log.wait(after=head, timeout_seconds=_LOOK_SECONDS)
        if not has(self._log, seen):
            raise AnotherHistory(f"position {seen.position} has another event now, or none")
        return moved_to, checkpoint_at(self._log, moved_to) or seen
