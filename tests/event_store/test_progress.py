"""How far a process got and what it has yet to do: kept in one step, by the one that follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from event_store.progress import OpenWork, TriedWork
from event_store.records import EventLog
from tests.event_store.given import adding

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVER = {"due_from": datetime.min.replace(tzinfo=UTC), "due_before": datetime(9000, 1, 1, tzinfo=UTC)}
NAME = "process payment"


def work(queue: str, number: int = 0, *, minutes: int = 0, position: int = 1) -> OpenWork:
    return OpenWork(queue, number, NOON + timedelta(minutes=minutes), position)


def test_a_process_begins_without_a_checkpoint_and_goes_on_from_the_one_it_saved(log: EventLog) -> None:
    assert log.tracked(NAME) is None
    assert log.save_progress(NAME, after=None, position=0, opened=[], closed=[])
    assert log.tracked(NAME) == 0
    assert log.save_progress(NAME, after=0, position=7, opened=[work("a", 1), work("a", 2)], closed=[])
    assert log.tracked(NAME) == 7
    assert set(log.open_work(NAME, **EVER)) == {work("a", 1), work("a", 2)}


def test_what_is_opened_again_is_that_instead_and_what_is_closed_is_gone(log: EventLog) -> None:
    log.save_progress(NAME, after=None, position=2, opened=[work("a"), work("b"), work("c", 3)], closed=[])
    later = work("a", minutes=5, position=4)
    log.save_progress(NAME, after=2, position=4, opened=[later], closed=[("b", 0), ("c", 2), ("d", 0)])
    assert set(log.open_work(NAME, **EVER)) == {later, work("c", 3)}


def test_work_is_found_by_the_time_at_which_it_is_due(log: EventLog) -> None:
    first = work("first", minutes=0)
    at_once = OpenWork("at once", 0, EVER["due_from"], 1)
    opened = [first, work("second", minutes=60), work("third", minutes=61), at_once]
    log.save_progress(NAME, after=None, position=1, opened=opened, closed=[])
    hour = {"due_from": NOON, "due_before": NOON + timedelta(minutes=60)}
    assert log.open_work(NAME, **hour) == [first]
    assert set(log.open_work(NAME, due_from=EVER["due_from"], due_before=NOON + timedelta(days=1))) == set(
        opened
    )


def test_who_goes_on_from_another_checkpoint_than_it_is_now_writes_nothing(log: EventLog) -> None:
    log.save_progress(NAME, after=None, position=5, opened=[work("a")], closed=[])
    for after in (None, 0, 4, 6):
        assert not log.save_progress(NAME, after=after, position=9, opened=[work("late")], closed=[("a", 0)])
    assert (log.tracked(NAME), log.open_work(NAME, **EVER)) == (5, [work("a")])


def test_kinds_of_process_do_not_see_each_others_work(log: EventLog) -> None:
    log.save_progress(NAME, after=None, position=5, opened=[work("a")], closed=[])
    log.save_progress("process mail", after=None, position=3, opened=[work("a", minutes=1)], closed=[])
    log.save_progress("process mail", after=3, position=4, opened=[], closed=[("a", 0)])
    assert log.open_work(NAME, **EVER) == [work("a")]
    assert log.open_work("process mail", **EVER) == []


def test_who_has_read_another_history_saves_nothing(log: EventLog) -> None:
    log.append([adding("cart-a"), adding("cart-b")])
    second = log.read_all(after=1, limit=1)[0]
    assert log.save_progress(NAME, after=None, position=2, opened=[], closed=[], event=second.identity)
    assert not log.save_progress(NAME, after=2, position=3, opened=[work("a")], closed=[], event="0" * 32)
    assert (log.resumed(NAME), log.open_work(NAME, **EVER)) == (2, [])


def test_progress_in_another_history_is_forgotten(log: EventLog) -> None:
    log.append([adding("cart-a"), adding("cart-b")])
    assert log.save_progress(NAME, after=None, position=2, opened=[work("a")], closed=[])
    assert (log.resumed(NAME), log.open_work(NAME, **EVER)) == (2, [work("a")])
    log.save_progress("process mail", after=None, position=3, opened=[work("a")], closed=[])
    assert (log.resumed("process mail"), log.open_work("process mail", **EVER)) == (0, [])
    assert log.save_progress("process mail", after=0, position=1, opened=[work("b")], closed=[])
    assert (log.resumed("process mail"), log.resumed("process none")) == (1, None)


def listed(work: OpenWork, tries: int = 0, failure: str | None = None) -> TriedWork:
    return TriedWork(work.queue, work.number, work.due_at, work.position, tries, failure)


def test_open_work_is_listed_page_by_page_from_the_oldest(log: EventLog) -> None:
    opened = [
        work("b", position=3),
        work("a", 2, position=3),
        work("a", 1, position=3),
        work("z", position=1),
    ]
    log.save_progress(NAME, after=None, position=3, opened=opened, closed=[])
    first = log.listed_work(NAME, limit=2)
    assert first == [listed(work("z", position=1)), listed(work("a", 1, position=3))]
    rest = log.listed_work(NAME, after=first[-1].place, limit=2)
    assert rest == [listed(work("a", 2, position=3)), listed(work("b", position=3))]
    assert log.listed_work(NAME, after=rest[-1].place, limit=2) == []
    assert log.listed_work("process mail", limit=2) == []
    assert [log.find_work(NAME, work.queue, work.number) for work in first] == first
    assert log.find_work(NAME, first[0].queue, 99) is None
    assert log.find_work("process mail", first[0].queue, first[0].number) is None
    assert log.find_work(NAME, "\0", 0) is None


def test_what_became_of_open_work_stands_beside_it_until_it_is_opened_again(log: EventLog) -> None:
    log.save_progress(NAME, after=None, position=2, opened=[work("a"), work("b")], closed=[])
    other = work("b", position=2)
    log.work_tried(NAME, [listed(work("a"), 3, "away"), listed(other, 1, "gone"), listed(work("c"), 1)])
    assert log.listed_work(NAME, limit=9) == [listed(work("a"), 3, "away"), listed(work("b"))]
    log.save_progress(NAME, after=2, position=3, opened=[work("a", position=3)], closed=[])
    assert log.listed_work(NAME, limit=9) == [listed(work("b")), listed(work("a", position=3))]


def test_a_retry_is_given_once_to_the_process_whose_work_it_is(log: EventLog) -> None:
    log.save_progress(NAME, after=None, position=2, opened=[work("a", 1), work("b")], closed=[])
    assert log.request_retry(NAME, "a", 1)
    assert not log.request_retry(NAME, "a", 2)
    assert not log.request_retry(NAME, "nothing\0", 1)
    assert not log.request_retry("process mail", "a", 1)
    assert log.take_retries("process mail") == []
    assert log.take_retries(NAME) == [("a", 1)]
    assert log.take_retries(NAME) == []
