"""What of the log is asked for: by type, stream, subject and time, and all of it together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from event_store.memory.log import MemoryLog
from replays.feed.feed_request import BATCH, LINES, PAGE
from tests.replays.served import Served
from tests.replays.test_events_stream import messages
from tests.replays.test_feed_forms import events_in
from tests.shop.facts import NOON, received
from tests.shop.story import ANNA, MUG, Story
from tests.waiting import SECONDS_MAX

FORMS = (PAGE, BATCH, LINES)


class Clock:
    """A minute later each time."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def shop() -> Story:
    shop = Story(MemoryLog(clock=Clock()))
    shop.whole_story()
    return shop


@pytest.fixture
def feed(shop: Story) -> Iterator[Served]:
    with Served(shop.log, heartbeat_seconds=0.1) as served:
        yield served


def told(feed: Served, query: str) -> list[dict[str, Any]]:
    """What all forms tell alike."""
    answers = [events_in(feed.get(f"?limit=1000&{query}", Accept=form)) for form in FORMS]
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


def positions(feed: Served, query: str) -> list[int]:
    return [one["position"] for one in told(feed, query)]


def test_a_stream_is_told_alone(shop: Story, feed: Served) -> None:
    wanted = [one.position for one in shop.log.read_stream(f"order-{ANNA}")]
    assert len(wanted) > 3
    assert positions(feed, f"stream=order-{ANNA}") == wanted
    assert positions(feed, f"stream=order-{ANNA}&after={wanted[1]}") == wanted[2:]
    assert positions(feed, "stream=order-nobody") == []


def test_a_subjects_streams_are_told_together(feed: Served) -> None:
    found = told(feed, f"subject={ANNA}")
    assert {one["subject"] for one in found} == {ANNA}
    assert {one["stream"].partition("-")[0] for one in found} >= {"order", "payment", "checkout"}
    assert {one["stream"] for one in told(feed, f"subject={MUG}")} >= {f"stock-{MUG}"}


def test_conditions_are_joined(shop: Story, feed: Served) -> None:
    stock = [one for one in shop.log.read_stream(f"stock-{MUG}") if one.type == "inventory.stock_reserved"]
    query = f"subject={MUG}&types=inventory.stock_reserved"
    assert positions(feed, query) == [one.position for one in stock]
    assert positions(feed, f"{query}&stream=stock-{MUG}") == [one.position for one in stock]
    assert positions(feed, f"{query}&stream=order-{ANNA}") == []


def test_times_of_recording_are_spans_of_the_log(shop: Story, feed: Served) -> None:
    events = shop.log.read_all(after=0, limit=1_000)
    third, seventh = events[2].recorded_at, events[6].recorded_at
    wanted = [one.position for one in events if third <= one.recorded_at < seventh]
    span = f"recorded_from={_text(third)}&recorded_to={_text(seventh)}"
    assert 0 < len(wanted) < len(events)
    assert positions(feed, span) == wanted
    assert positions(feed, f"{span}&after={wanted[0]}") == wanted[1:]
    page = feed.get(f"?{span}").json()
    assert page["next"] == wanted[-1]
    assert feed.get(f"?{span}&after={page['next']}").json() == {"events": [], "next": page["next"]}
    assert positions(feed, "recorded_from=2100-01-01") == []
    assert positions(feed, "recorded_to=2000-01-01") == []


def test_times_of_validity_find_what_was_true_then(shop: Story, feed: Served) -> None:
    long_ago = NOON.replace(year=2011)
    shop.write("import", received("OLD", 1), valid_at=long_ago)
    shop.receive(sku="NEW")
    head = shop.log.head()
    assert positions(feed, "valid_to=2012-01-01") == [head - 1]
    assert positions(feed, f"valid_from={_text(long_ago)}&valid_to=2011-12-31") == [head - 1]
    assert head - 1 not in positions(feed, "valid_from=2012-01-01T00:00:00%2B01:00")
    assert positions(feed, "valid_to=2012-01-01&recorded_to=2012-01-01") == []


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_what_is_rare_is_found_by_looks_of_bounded_length(
    shop: Story, feed: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replays.feed.feed.LOOKED_AT_MAX", 3)
    last = shop.log.read_all(after=shop.log.head() - 1, limit=1)[0]
    page = feed.get(f"?types={last.type}").json()
    assert page["next"] == 3
    assert events_in(feed.get(f"?types={last.type}&after=3", Accept=LINES))[-1]["position"] == last.position


def test_an_event_stream_tells_what_comes_of_what_was_asked_for(shop: Story, feed: Served) -> None:
    head = shop.log.head()
    query = f"?after={head}&stream=stock-{MUG}&types=inventory.stock_received"
    with feed.stream(query) as answer:
        lines = answer.iter_lines()
        shop.receive("OTHER")
        shop.receive(MUG)
        shop.receive("OTHER")
        shop.receive(MUG)
        found = messages(lines, 2)
    assert [position for position, _ in found] == [head + 2, head + 4]


def test_what_was_not_asked_for_is_not_even_a_heartbeat(shop: Story) -> None:
    with Served(shop.log, heartbeat_seconds=10 * SECONDS_MAX) as feed:
        head = shop.log.head()
        with feed.stream(f"?after={head}&valid_to=2012-01-01") as answer:
            lines = answer.iter_lines()
            assert [next(lines), next(lines)] == ["retry: 2000", ""]
            for number in range(20):
                shop.receive(f"NEW-{number}")
            shop.write("import", received("OLD", 1), valid_at=NOON.replace(year=2011))
            assert next(lines) == f"id: {head + 21}"


def test_an_event_stream_begins_at_a_time(shop: Story, feed: Served) -> None:
    fifth = shop.log.read_all(after=4, limit=1)[0]
    events = shop.log.read_all(after=0, limit=99)
    earliest = min(one.position for one in events if one.recorded_at >= fifth.recorded_at)
    with feed.stream(f"?recorded_from={_text(fifth.recorded_at)}") as answer:
        ((position, event),) = messages(answer.iter_lines(), 1)
    assert position == event["position"] == earliest


@pytest.mark.parametrize(
    ("query", "accept", "parameter"),
    [
        ("recorded_from=yesterday", PAGE, "recorded_from"),
        ("recorded_to=2026-01-01T12:00", PAGE, "recorded_to"),
        ("valid_from=2026-02-30", LINES, "valid_from"),
        ("valid_to=", BATCH, "valid_to"),
        ("recorded_from=2026-02-01&recorded_to=2026-02-01", LINES, "recorded_from"),
        ("valid_from=2026-02-02&valid_to=2026-02-01", PAGE, "valid_from"),
        ("recorded_to=2026-02-01", "text/event-stream", "recorded_to"),
        ("stream=", PAGE, "stream"),
        ("subject=" + "a" * 256, PAGE, "subject"),
        ("stream=a%00b", PAGE, "stream"),
        ("stream=a&stream=b", PAGE, "stream"),
    ],
)
def test_a_filter_out_of_form_is_a_problem_that_names_it(
    feed: Served, query: str, accept: str, parameter: str
) -> None:
    answer = feed.get(f"?{query}", Accept=accept)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter")
    assert answer.json()["parameter"] == parameter
    assert json.loads(answer.text)["detail"]
