"""One sink on its way along the log: opened, away for a while, or standing still."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from event_store.history import has
from event_store.records import EventReader
from projections.engine.sink import Sink, SinkDamaged, SinkMoved, SinkUnavailable

_PAUSE_SECONDS_FIRST = 0.1
_PAUSE_SECONDS_MAX = 5.0

logger = structlog.get_logger(__name__)


class Lane:
    """Keeps a sink going: opens it again when its store moved, and after a growing pause when it is away."""

    def __init__(self, sink: Sink, log: EventReader, *, is_rebuild: bool = False) -> None:
        """`is_rebuild`: it comes opened, and is published by whoever asked for it, once compared."""
        self.sink = sink
        self._log = log
        self.is_rebuild = is_rebuild
        self.is_open = is_rebuild
        self.is_held = False
        self.has_moved = False
        self._publish_at: int | None = None
        self._retry_at = 0.0
        self._pause_seconds = _PAUSE_SECONDS_FIRST

    @property
    def is_moving(self) -> bool:
        """Whether it takes events now."""
        return self.is_open and not self.is_held

    @property
    def is_current_view(self) -> bool:
        """Whether readers see what it writes."""
        return self.is_open and self.sink.is_published

    @property
    def is_due(self) -> bool:
        """Whether it is to be opened: it takes its view over then."""
        return not self.is_open and time.monotonic() >= self._retry_at

    def open_when_due(self) -> None:
        """Opens the sink, unless it is open or its pause lasts. Raises StoreUnavailable."""
        if not self.is_due:
            return
        head = self._log.head()

        def opened() -> None:
            self.sink.open()
            if not self.is_of_this_history():
                self._redraw(head)
            self._publish_at = None if self.is_rebuild or self.sink.is_published else head
            self.is_open = True
            logger.info(
                "view opened",
                view=self.sink.name,
                version=self.sink.version,
                position=self.sink.position,
                published=self.sink.is_published,
            )
            self._publish_if_due()

        self.guard(opened)

    def is_of_this_history(self) -> bool:
        """Whether the log has every event that a checkpoint of the sink names. Raises StoreUnavailable."""
        return all(has(self._log, checkpoint) for checkpoint in set(self.sink.checkpoints))

    def doubt(self) -> None:
        """What the sink has taken in may not be the log's: opened anew, it is looked at."""
        logger.warning("the log has another history than the view", view=self.sink.name)
        self.has_moved = True
        self._away(0.0)

    def settle(self, *, may_hold_back: bool) -> None:
        """Ends the writes under way; publishes a view that has reached the head it was to reach."""
        if not self.is_open:
            return
        self.guard(lambda: self.sink.settle(may_hold_back=may_hold_back))
        if self.is_open:
            self.guard(self._publish_if_due)

    def guard(self, step: Callable[[], None]) -> None:
        """Does the step; where the store moved or is away, the sink is closed until it is due again."""
        try:
            step()
        except SinkDamaged as error:
            reason = str(error)
            logger.error("view is damaged: drawn up anew", view=self.sink.name, reason=reason)  # noqa: TRY400
            self.has_moved = True
            self._away(0.0)
            if not self.is_rebuild:
                self.guard(self.sink.discard)
        except SinkMoved as error:
            logger.warning("view moved", view=self.sink.name, reason=str(error))
            self.has_moved = True
            self._away(0.0)
        except SinkUnavailable as error:
            logger.warning("view's store is away", view=self.sink.name, reason=str(error))
            self._away(self._pause_seconds)
            self._pause_seconds = min(self._pause_seconds * 2, _PAUSE_SECONDS_MAX)
        else:
            self._pause_seconds = _PAUSE_SECONDS_FIRST

    def close(self) -> None:
        """Gives back what the sink holds."""
        self.is_open = False
        self.sink.close()

    def _redraw(self, head: int) -> None:
        if self.is_rebuild:
            raise SinkMoved(f"{self.sink.name}: the log has another history than what was drawn up")
        logger.error(
            "view is of another history of the log, or does not say of which: drawn up anew beside",
            view=self.sink.name,
            version=self.sink.version,
            position=self.sink.position,
            head=head,
        )
        self.has_moved = True
        # Where no event is noted it may well be of this history: code of before has left it.
        says_which = all(checkpoint.event for checkpoint in self.sink.checkpoints if checkpoint.position)
        self.sink.redraw(past=says_which)

    def _publish_if_due(self) -> None:
        if self._publish_at is not None and self.sink.position >= self._publish_at:
            self.sink.settle(may_hold_back=False)
            self.sink.publish()
            self._publish_at = None
            logger.info("view published", view=self.sink.name, version=self.sink.version)

    def _away(self, seconds: float) -> None:
        self.is_open = False
        self._retry_at = time.monotonic() + seconds
