"""Deliveries: queued with the cursor in one step, noted once each, begun again where an operator says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from event_store.deliveries import Attempt, Delivery, DeliveryLog
from event_store.records import START, Checkpoint, RecordedEvent
from tests.event_store.given import adding, append

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def logged(log: DeliveryLog, count: int = 3) -> list[RecordedEvent]:
    append(log, *[adding(f"cart-{n}") for n in range(count)])
    return log.read_all(after=0, limit=100)


def begun(log: DeliveryLog, endpoint: str = "e", *, version: int = 1, at: Checkpoint | None = START) -> None:
    log.begin_deliveries(endpoint, version=version, at=at, now=NOON)


def queued(
    log: DeliveryLog,
    events: list[RecordedEvent],
    *,
    after: Checkpoint = START,
    endpoint: str = "e",
    version: int = 1,
) -> bool:
    to = events[-1].checkpoint
    return log.queue_deliveries(endpoint, version=version, after=after, to=to, events=events, now=NOON)


def attempt(position: int, outcome: str = "status", *, at: datetime = NOON) -> Attempt:
    return Attempt(position, at, 12, outcome, 500 if outcome == "status" else 204, "detail")


def positions(found: list[Delivery]) -> list[int]:
    return [one.position for one in found]


def test_an_endpoint_begins_where_it_is_told_and_its_cursor_moves_with_what_is_queued(
    log: DeliveryLog,
) -> None:
    events = logged(log)
    assert log.delivery_cursor("e") is None
    begun(log, at=events[0].checkpoint)
    cursor = log.delivery_cursor("e")
    assert cursor is not None
    assert (cursor.checkpoint, cursor.version, cursor.failing_since) == (events[0].checkpoint, 1, None)
    assert queued(log, events[1:], after=events[0].checkpoint)
    moved = log.delivery_cursor("e")
    assert moved is not None
    assert moved.checkpoint == events[2].checkpoint
    (first, _) = log.pending_deliveries("e")
    assert first == Delivery("e", 2, "cart-1", events[1].type, events[1].identity, "pending", 0, NOON)


def test_who_goes_on_from_another_cursor_or_turn_queues_nothing(log: DeliveryLog) -> None:
    events = logged(log)
    assert not queued(log, events)  # never begun
    begun(log)
    assert not queued(log, events, after=events[0].checkpoint)
    assert not queued(log, events, version=2)
    assert queued(log, events[:1])
    assert not queued(log, events[1:], after=Checkpoint(1, "another"))
    assert positions(log.pending_deliveries("e")) == [1]


def test_an_attempt_is_noted_once_and_tells_since_when_all_failed(log: DeliveryLog) -> None:
    events = logged(log)
    begun(log)
    queued(log, events)
    first, second, _ = log.pending_deliveries("e")
    assert log.note_attempt(first, attempt(1), state="pending", due_at=LATER)
    assert not log.note_attempt(first, attempt(1), state="delivered", due_at=LATER)  # a twin's, of the same
    (again, *_) = log.pending_deliveries("e")
    assert (again.attempts, again.due_at, again.ended_at) == (1, LATER, None)
    assert log.note_attempt(second, attempt(2, at=LATER), state="pending", due_at=LATER)
    cursor = log.delivery_cursor("e")
    assert cursor is not None
    assert cursor.failing_since == NOON
    assert log.note_attempt(again, attempt(1, "delivered", at=LATER), state="delivered", due_at=LATER)
    cursor = log.delivery_cursor("e")
    assert cursor is not None
    assert cursor.failing_since is None
    assert not log.note_attempt(again, attempt(1), state="pending", due_at=LATER)  # it has ended
    assert positions(log.pending_deliveries("e")) == [2, 3]
    assert [(one.position, one.outcome) for one in log.attempts("e", [1, 3])] == [
        (1, "status"),
        (1, "delivered"),
    ]
    assert log.attempts("e", [2]) == [attempt(2, at=LATER)]


def test_a_later_turn_makes_all_that_is_pending_due_as_if_it_was_never_tried(log: DeliveryLog) -> None:
    events = logged(log)
    begun(log)
    queued(log, events)
    first, *_ = log.pending_deliveries("e")
    log.note_attempt(first, attempt(1), state="pending", due_at=LATER)
    begun(log, version=1, at=None)  # the same turn again
    assert log.pending_deliveries("e")[0].due_at == LATER
    begun(log, version=4, at=None)
    assert [(one.attempts, one.due_at) for one in log.pending_deliveries("e")] == [(0, NOON)] * 3
    cursor = log.delivery_cursor("e")
    assert cursor is not None
    assert (cursor.checkpoint, cursor.version, cursor.failing_since) == (events[2].checkpoint, 4, None)


def test_a_replay_moves_the_cursor_back_and_never_forward(log: DeliveryLog) -> None:
    events = logged(log)
    begun(log)
    queued(log, events[:2])
    for one in log.pending_deliveries("e"):
        log.note_attempt(one, attempt(one.position, "delivered"), state="delivered", due_at=NOON)
    begun(log, version=2, at=events[2].checkpoint)
    cursor = log.delivery_cursor("e")
    assert cursor is not None
    assert cursor.checkpoint == events[1].checkpoint
    assert queued(log, events[2:], after=events[1].checkpoint, version=2)
    begun(log, version=3, at=events[0].checkpoint)
    assert log.pending_deliveries("e") == []  # found again, in order, from there on
    assert queued(log, events[1:], after=events[0].checkpoint, version=3)
    assert [(one.position, one.attempts) for one in log.pending_deliveries("e")] == [(2, 0), (3, 0)]
    assert [one.outcome for one in log.attempts("e", [2])] == ["delivered"]  # of before


def test_a_cursor_of_another_history_goes_wherever_it_is_told(log: DeliveryLog) -> None:
    events = logged(log)
    begun(log, at=Checkpoint(1, "another history's"))
    begun(log, version=2, at=events[1].checkpoint)
    cursor = log.delivery_cursor("e")
    assert cursor is not None
    assert cursor.checkpoint == events[1].checkpoint


def test_deliveries_are_listed_the_latest_first_page_by_page_and_by_state(log: DeliveryLog) -> None:
    events = logged(log, 5)
    begun(log)
    begun(log, "other")
    queued(log, events)
    queued(log, events[:1], endpoint="other")
    first, second, *_ = log.pending_deliveries("e")
    log.note_attempt(first, attempt(1, "delivered"), state="delivered", due_at=NOON)
    log.note_attempt(second, attempt(2), state="failed", due_at=NOON)
    assert positions(log.listed_deliveries("e", limit=2)) == [5, 4]
    assert positions(log.listed_deliveries("e", before=4, limit=9)) == [3, 2, 1]
    assert positions(log.listed_deliveries("e", state="delivered", limit=9)) == [1]
    (failed,) = log.listed_deliveries("e", state="failed", limit=9)
    assert (failed.position, failed.ended_at) == (2, NOON)
    assert positions(log.listed_deliveries("e", state="pending", before=5, limit=9)) == [4, 3]
    assert [log.pending_count(name) for name in ("e", "other", "nobody")] == [3, 1, 0]


def test_what_has_ended_is_kept_for_a_time_and_what_is_pending_for_ever(log: DeliveryLog) -> None:
    events = logged(log)
    begun(log)
    queued(log, events)
    first, second, third = log.pending_deliveries("e")
    log.note_attempt(first, attempt(1, "delivered"), state="delivered", due_at=NOON)
    log.note_attempt(second, attempt(2, "delivered", at=LATER), state="delivered", due_at=NOON)
    log.note_attempt(third, attempt(3), state="pending", due_at=LATER)
    assert log.prune_deliveries(NOON) == 0
    assert log.prune_deliveries(LATER) == 3  # a delivery, and two attempts
    assert log.prune_deliveries(LATER) == 0
    assert positions(log.listed_deliveries("e", limit=9)) == [3, 2]
    assert [one.position for one in log.attempts("e", [1, 2, 3])] == [2]


def test_of_endpoints_that_are_no_more_nothing_is_kept(log: DeliveryLog) -> None:
    events = logged(log)
    for name in ("e", "other"):
        begun(log, name)
        queued(log, events, endpoint=name)
        log.note_attempt(log.pending_deliveries(name)[0], attempt(1), state="pending", due_at=NOON)
    log.forget_endpoints(["other", "never there"])
    assert log.delivery_cursor("e") is None
    assert (log.listed_deliveries("e", limit=9), log.attempts("e", [1])) == ([], [])
    assert len(log.pending_deliveries("other")) == 3
    log.forget_endpoints([])
    assert log.pending_count("other") == 0


def test_a_name_that_no_database_can_hold_is_no_endpoints(log: DeliveryLog) -> None:
    assert log.delivery_cursor("a\0b") is None
    assert log.listed_deliveries("a\ud800", limit=1) == []
