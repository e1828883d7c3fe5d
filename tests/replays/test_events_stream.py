"""`/api/v1/events` as a stream: what was, and then what comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from event_store.memory.log import MemoryLog
from tests.replays.served import Served
from tests.shop.story import Story


@pytest.fixture
def shop() -> Story:
    return Story(MemoryLog())


def messages(lines: Iterator[str], count: int) -> list[tuple[int, dict[str, Any]]]:
    """The next messages of a stream: their ids and data."""
    read: list[tuple[int, dict[str, Any]]] = []
    last_id = 0
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            last_id = int(value)
        elif name == "data":
            read.append((last_id, json.loads(value)))
            if len(read) == count:
                break
    return read


def test_a_stream_tells_what_was_and_then_what_comes(shop: Story) -> None:
    shop.whole_story()
    head = shop.log.head()
    with Served(shop.log) as served, served.stream(f"?after={head - 2}") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        before = messages(lines, 2)
        shop.receive()
        ((position, event),) = messages(lines, 1)

    assert [position for position, _ in before] == [head - 1, head]
    assert position == event["position"] == head + 1
    assert event["type"] == "inventory.stock_received"


def test_a_stream_is_taken_up_after_the_last_event_seen(shop: Story) -> None:
    shop.whole_story()
    last = str(shop.log.head() - 1)
    with Served(shop.log) as served, served.stream("?after=3", **{"Last-Event-ID": last}) as answer:
        ((position, _),) = messages(answer.iter_lines(), 1)

    assert position == shop.log.head()


def test_a_quiet_stream_is_kept_alive_and_tells_how_far_it_looked(shop: Story) -> None:
    shop.whole_story()
    with (
        Served(shop.log, heartbeat_seconds=0.1) as served,
        served.stream("?types=orders.order_canceled") as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        received = [next(lines) for _ in range(5)]

    assert f"id: {shop.log.head()}" in received
    assert ": still here" in received


def test_a_stream_ends_when_the_server_stops(shop: Story) -> None:
    shop.receive()
    with Served(shop.log) as served, served.stream() as answer:
        lines = answer.iter_lines()
        messages(lines, 1)
        served.server.should_exit = True
        list(lines)  # Ends, rather than wait for ever.
