"""A reader of what this log does not have gets an error: silence would look like an order of events."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.replays.served import Served
from tests.restored import RestoredLog
from tests.shop.story import Story


@pytest.fixture
def shop() -> Story:
    shop = Story(RestoredLog())
    shop.whole_story()
    return shop


@pytest.fixture
def feed(shop: Story) -> Iterator[Served]:
    with Served(shop.log, heartbeat_seconds=0.1) as served:
        yield served


def goes_on_otherwise(shop: Story, *, lost: int, added: int) -> None:
    """Another history: the last events were lost, and as many or more or fewer others came."""
    shop.log.lose(lost)
    for _ in range(added):
        Story(shop.log).receive(sku=uuid4().hex)


def test_a_position_beyond_the_head_is_a_problem_that_names_log_and_head(shop: Story, feed: Served) -> None:
    head = shop.log.head()

    at_head, beyond = feed.get(f"?after={head}"), feed.get(f"?after={head + 1}")

    assert (at_head.status_code, at_head.json()) == (200, {"events": [], "next": head})
    assert (beyond.status_code, beyond.headers["content-type"]) == (409, "application/problem+json")
    problem = beyond.json()
    assert problem["type"] == "/problems/position-beyond-head"
    assert (problem["head"], problem["log"]) == (head, shop.log.log_id())


def test_an_answer_names_its_log_and_who_has_read_another_is_told(shop: Story, feed: Served) -> None:
    named = feed.get("?limit=1").headers["daybook-log"]
    assert named == shop.log.log_id()

    assert feed.get(f"?after=1&log={named.upper()}").status_code == 200
    other = feed.get(f"?after=1&log={uuid4()}")

    assert (other.status_code, other.json()["type"]) == (409, "/problems/another-log")
    assert (other.json()["log"], other.json()["head"]) == (named, shop.log.head())


@pytest.mark.parametrize("added", [2, 5], ids=["as long", "longer"])
def test_who_names_the_event_last_seen_learns_of_another_history(
    shop: Story, feed: Served, added: int
) -> None:
    first = feed.get("?limit=1000")
    seen = f"?after={first.json()['next']}&event={first.headers['daybook-event']}"
    assert feed.get(seen).status_code == 200

    goes_on_otherwise(shop, lost=2, added=added)

    answer = feed.get(seen)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/another-history")
    assert (answer.json()["log"], answer.json()["head"]) == (shop.log.log_id(), shop.log.head())


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
def test_a_last_event_id_that_is_no_position_is_refused(feed: Served, accept: str) -> None:
    for garbage in ("abc", "-1", "1.5", "12 13", "9" * 20):
        answer = feed.get(Accept=accept, Last_Event_ID=garbage)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter"), garbage


def test_a_stream_is_not_taken_up_beyond_the_head(shop: Story, feed: Served) -> None:
    beyond = str(shop.log.head() + 1)
    with feed.stream(**{"Last-Event-ID": beyond}) as answer:
        answer.read()
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/position-beyond-head")


@pytest.mark.parametrize(
    ("lost", "added", "types"), [(3, 0, ""), (3, 3, "&types=inventory.stock_received"), (3, 6, "")]
)
def test_an_open_stream_ends_with_a_word_when_the_log_goes_on_otherwise(
    shop: Story, feed: Served, lost: int, added: int, types: str
) -> None:
    with feed.stream(f"?after={shop.log.head() - 1}{types}") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        while next(lines) != ": still here":
            pass
        goes_on_otherwise(shop, lost=lost, added=added)
        received = list(lines)

    assert "event: another-history" in received
    assert not any(line.startswith("id:") for line in received), "nothing of the other history"
