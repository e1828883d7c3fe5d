"""Reading on from a checkpoint, in the history that it was taken in and in no other.

Positions alone look complete after a failover that lost events or a restore: the event that stood at the
checkpoint is read again with those that follow it, in one statement.
"""

from __future__ import annotations

from collections.abc import Collection

from event_store.errors import AnotherHistory
from event_store.records import START, Checkpoint, EventReader, OrderedEvents, RecordedEvent

LIMIT_MAX = 9_999
SPAN_SMALL = 200


def checkpoint_at(log: OrderedEvents, position: int) -> Checkpoint | None:
    """The checkpoint of who has read that far; None where the log does not reach so far."""
    if position == 0:
        return START
    events = log.read_all(after=position - 1, limit=1, up_to=position)
    return events[0].checkpoint if events else None


def has(log: OrderedEvents, checkpoint: Checkpoint) -> bool:
    """Whether the log has the event that the checkpoint names, and so every one before it."""
    return checkpoint_at(log, checkpoint.position) == checkpoint


def read_types_on(
    log: EventReader, after: Checkpoint, *, types: Collection[str], limit: int, up_to: int
) -> tuple[list[RecordedEvent], Checkpoint]:
    """Events of these types, and how far the log was looked at for them: to `up_to`, or the last of `limit`.

    Raises AnotherHistory where the log does not have the checkpoint's event, or ends before `up_to`. What was
    read stands as long as the log has the event of the checkpoint given: the next call looks.
    """
    span = up_to - after.position
    if 0 < span <= min(limit, SPAN_SMALL):  # All of it in one statement takes less than three.
        all_events = read_on(log, after, limit=span, up_to=up_to)
        if len(all_events) < span:
            raise AnotherHistory(f"the log ends before position {up_to}")
        return [event for event in all_events if event.type in types], all_events[-1].checkpoint
    end = checkpoint_at(log, up_to)
    events = log.read_all(after=after.position, limit=limit, types=types, up_to=up_to)
    if end is None or not has(log, after):
        raise AnotherHistory(f"position {after.position} or {up_to} has another event now, or none")
    return events, events[-1].checkpoint if len(events) == limit else end


def read_on(
    log: OrderedEvents, after: Checkpoint, *, limit: int, up_to: int | None = None
) -> list[RecordedEvent]:
    """As `EventReader.read_all`, `limit` being 1 to LIMIT_MAX.

    Raises AnotherHistory where the log does not have the checkpoint's event.
    """
    if after.position == 0:
        return log.read_all(after=0, limit=limit, up_to=up_to)
    events = log.read_all(after=after.position - 1, limit=limit + 1, up_to=up_to)
    if not events or events[0].checkpoint != after:
        raise AnotherHistory(f"position {after.position} has another event now, or none")
    return events[1:]
