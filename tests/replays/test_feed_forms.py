"""`/api/v1/events` in each of its forms: the same events, and the same problems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cloudevents.core.formats.json import JSONFormat

from deploy.edge.event_streams import EVENT_STREAM
from replays.feed.feed_request import BATCH, FORMS, LINES, PAGE
from tests.replays.served import Served
from tests.replays.test_another_log import goes_on_otherwise
from tests.restored import RestoredLog
from tests.shop.facts import EMAIL
from tests.shop.story import Story

ENDING = (PAGE, BATCH, LINES)
"""The forms whose answers end."""


@pytest.fixture
def shop() -> Story:
    shop = Story(RestoredLog())
    shop.whole_story()
    return shop


@pytest.fixture
def feed(shop: Story) -> Iterator[Served]:
    with Served(shop.log) as served:
        yield served


def events_in(answer: httpx.Response) -> list[dict[str, Any]]:
    """What the answer tells, whatever its form."""
    assert answer.status_code == 200, answer.text
    match answer.headers["content-type"]:
        case "application/json":
            found: list[dict[str, Any]] = answer.json()["events"]
        case "application/cloudevents-batch+json":
            found = answer.json()
        case "application/x-ndjson":
            found = [json.loads(line) for line in answer.text.splitlines()]
    return found


def test_every_form_tells_the_same_events(shop: Story, feed: Served) -> None:
    head = shop.log.head()
    page, batch, lines = (feed.get("?limit=1000", Accept=form) for form in ENDING)
    with feed.stream("?limit=1000") as answer:
        sent = [line.removeprefix("data: ") for line in _lines(answer.iter_lines(), head)]

    assert [one["position"] for one in events_in(page)] == list(range(1, head + 1))
    assert events_in(page) == events_in(batch) == events_in(lines) == [json.loads(one) for one in sent]
    for answered in (page, batch, lines):
        assert answered.headers["daybook-view-position"] == str(head)
        assert answered.headers["daybook-log"] == shop.log.log_id()
        assert answered.headers["vary"] == "Accept, Authorization"
        assert EMAIL not in answered.text
    assert page.headers["daybook-next"] == batch.headers["daybook-next"] == str(head)


def _lines(lines: Iterator[str], count: int) -> Iterator[str]:
    data = (line for line in lines if line.startswith("data: "))
    return (line for _, line in zip(range(count), data, strict=False))


def test_the_clients_own_library_reads_what_is_sent(shop: Story, feed: Served) -> None:
    recorded = shop.log.read_all(after=0, limit=1_000)
    for form in (BATCH, LINES):
        told = [
            JSONFormat().read(None, json.dumps(one))
            for one in events_in(feed.get("?limit=1000", Accept=form))
        ]
        assert len(told) == len(recorded)
        for event, one in zip(told, recorded, strict=True):
            assert (event.get_id(), event.get_type()) == (str(one.position), one.type)
            assert event.get_source() == "/daybook"
            assert event.get_time() == one.valid_at
            assert event.get_dataschema() == (
                f"urn:daybook:event:{one.type}:{event.get_attributes()['schemanumber']}"
            )
            assert isinstance(event.get_data(), dict)


def test_lines_go_on_to_the_head_however_long_the_log_is(
    shop: Story, feed: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replays.feed.feed_request.LINES_AT_ONCE", 3)
    told = events_in(feed.get(Accept=LINES))
    assert [one["position"] for one in told] == list(range(1, shop.log.head() + 1))
    assert len(events_in(feed.get("?limit=2", Accept=LINES))) == 2
    assert events_in(feed.get(f"?after={shop.log.head()}", Accept=LINES)) == []


@pytest.mark.parametrize("form", ENDING)
def test_every_form_is_taken_up_where_it_was_left(feed: Served, form: str) -> None:
    whole = events_in(feed.get("?limit=1000", Accept=form))
    for left in (0, 4, len(whole)):
        rest = events_in(feed.get(f"?limit=1000&after={left}", Accept=form))
        by_header = events_in(feed.get("?limit=1000&after=1", Accept=form, Last_Event_ID=str(left)))
        assert whole[:left] + rest == whole
        assert by_header == rest


def test_a_batch_says_where_the_next_one_begins(shop: Story, feed: Served) -> None:
    told, after = [], 0
    while after < shop.log.head():
        answer = feed.get(f"?limit=4&after={after}", Accept=BATCH)
        told += events_in(answer)
        after = int(answer.headers["daybook-next"])
    assert [one["position"] for one in told] == list(range(1, shop.log.head() + 1))


@pytest.mark.parametrize("form", FORMS)
def test_what_this_log_does_not_have_is_a_problem_in_every_form(shop: Story, feed: Served, form: str) -> None:
    first = feed.get("?limit=1000")
    head = shop.log.head()
    seen = f"?after={head}&event={first.headers['daybook-event']}"
    goes_on_otherwise(shop, lost=2, added=5)
    for query, problem in (
        (f"?after={head + 10}", "position-beyond-head"),
        (f"?log={uuid4()}", "another-log"),
        (seen, "another-history"),
    ):
        answer = feed.get(query, Accept=form)
        assert (answer.status_code, answer.json()["type"]) == (409, f"/problems/{problem}")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["log"] == shop.log.log_id()
    beyond = feed.get(Accept=form, Last_Event_ID=str(head + 10))
    assert (beyond.status_code, beyond.json()["type"]) == (409, "/problems/position-beyond-head")


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/cloudevents+json"])
def test_a_form_that_there_is_not_is_refused_and_those_that_there_are_named(
    feed: Served, accept: str
) -> None:
    answer = feed.get(Accept=accept)
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")
    assert answer.json()["offered"] == [PAGE, BATCH, LINES, EVENT_STREAM]
