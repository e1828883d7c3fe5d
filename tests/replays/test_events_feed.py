"""`/api/v1/events`: the log as CloudEvents, in order, personal data left out."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from event_store.memory_log import MemoryLog
from event_store.postgres_log import PostgresLog
from event_store.records import EventReader
from replays.feed import LOOKED_AT_MAX, HeadWatch, read_page
from replays.http import events_router
from tests.replays.shop import ANNA, CODEC, EMAIL, Shop

EVENTS = "/api/v1/events"


@pytest.fixture
def shop() -> Shop:
    return Shop(MemoryLog())


class Served:
    """The feed on a real server, in a thread of its own."""

    def __init__(self, log: EventReader, **options: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        app = FastAPI()
        app.include_router(events_router(log, CODEC, stopping=lambda: self.server.should_exit, **options))
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=self.port,
            log_level="error",
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> Served:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)
        assert not self.thread.is_alive(), "an open event stream kept the server from stopping"

    def get(self, query: str = "", **headers: str | bytes) -> httpx.Response:
        """A page."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"http://127.0.0.1:{self.port}{EVENTS}{query}", headers=given)  # type: ignore[arg-type]

    def stream(self, query: str = "", **headers: str) -> Any:
        """An open event stream."""
        return httpx.stream(
            "GET",
            f"http://127.0.0.1:{self.port}{EVENTS}{query}",
            headers={"Accept": "text/event-stream", **headers},
            timeout=10,
        )


@pytest.fixture
def feed(shop: Shop) -> Iterator[Served]:
    with Served(shop.log) as served:
        yield served


def test_pages_follow_each_other_until_nothing_is_new(shop: Shop, feed: Served) -> None:
    shop.whole_story()
    seen, after = [], 0
    while True:
        page = feed.get(f"?after={after}&limit=7").json()
        if page["next"] == after:
            break
        seen += [event["position"] for event in page["events"]]
        after = page["next"]

    assert seen == list(range(1, shop.log.head() + 1))
    assert page["events"] == []


def test_an_event_is_a_cloud_event_without_personal_data(shop: Shop, feed: Served) -> None:
    shop.whole_story()

    answer = feed.get("?types=orders.order_placed&limit=1")

    (event,) = answer.json()["events"]
    (recorded,) = shop.log.read_stream(f"order-{ANNA}", limit=1)
    data = event.pop("data")
    assert event.pop("time") == event.pop("recordedat")
    assert event == {
        "specversion": "1.0",
        "id": str(recorded.position),
        "source": "/daybook",
        "type": "orders.order_placed",
        "subject": ANNA,
        "datacontenttype": "application/json",
        "position": recorded.position,
        "stream": f"order-{ANNA}",
        "streamversion": 1,
        "schemanumber": 1,
        "correlation": "0af7651916cd43dd8448eb211c80319c",
    }
    assert data["email"] is None
    assert data["shipping_address"] is None
    assert data["total"] == {"amount": 2998, "currency": "GBP"}
    assert EMAIL not in answer.text


def test_by_types_next_is_the_last_position_looked_at(shop: Shop, feed: Served) -> None:
    shop.whole_story()

    page = feed.get("?types=cart.cart_opened,inventory.stock_received").json()

    assert [event["type"] for event in page["events"]] == [
        "inventory.stock_received",
        "cart.cart_opened",
        "cart.cart_opened",
    ]
    assert page["next"] == shop.log.head()


def test_a_rare_type_does_not_make_one_request_read_the_whole_log(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.whole_story()
    monkeypatch.setattr("replays.feed.LOOKED_AT_MAX", 5)

    page = read_page(shop.log, after=0, limit=100, types={"orders.credit_note_issued"})

    assert (page.events, page.next) == ([], 5)
    assert LOOKED_AT_MAX > 1000


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("before=1", "unknown-parameter"),
        ("after=-1", "invalid-parameter"),
        ("after=one", "invalid-parameter"),
        ("after=", "invalid-parameter"),
        ("after=1&after=2", "invalid-parameter"),
        ("after=99999999999999999999", "invalid-parameter"),
        ("limit=0", "invalid-parameter"),
        ("limit=1001", "invalid-parameter"),
        ("types=cart.eaten", "unknown-event-type"),
    ],
)
def test_what_the_route_does_not_know_is_a_400_problem(feed: Served, query: str, problem: str) -> None:
    answer = feed.get(f"?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{problem}"


def test_an_answer_says_where_the_log_stands_and_is_not_sent_twice(shop: Shop, feed: Served) -> None:
    shop.whole_story()

    first = feed.get()
    again = feed.get(If_None_Match=first.headers["etag"])

    assert first.headers["daybook-view-position"] == str(shop.log.head())
    assert (again.status_code, again.content) == (304, b"")
    shop.receive()
    assert feed.get(If_None_Match=first.headers["etag"]).status_code == 200


def test_with_an_operator_token_set_only_its_bearer_reads_history(shop: Shop) -> None:
    with Served(shop.log, operator_token="sesame") as feed:
        refused = feed.get()
        wrong = feed.get(Authorization="Bearer sésame".encode())
        let_in = feed.get(Authorization="bearer sesame")

    assert (refused.status_code, wrong.status_code, let_in.status_code) == (401, 401, 200)
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["type"] == "/problems/operator-token-required"


def test_a_store_that_is_away_is_a_503_problem(fresh_postgres: str) -> None:
    PostgresLog.open(fresh_postgres).close()
    log = PostgresLog.open(fresh_postgres, read_only=True)
    with Served(log) as feed:
        assert feed.get().json() == {"events": [], "next": 0}
        log.close()
        answer = feed.get()

    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/store-unavailable"


def test_the_feed_reads_postgres_as_a_role_that_can_only_read(
    fresh_postgres: str, postgres_shop: Shop
) -> None:
    postgres_shop.whole_story()
    log = PostgresLog.open(fresh_postgres, read_only=True)
    try:
        with Served(log) as feed:
            page = feed.get("?limit=1000").json()
    finally:
        log.close()

    assert [event["position"] for event in page["events"]] == list(range(1, page["next"] + 1))


def test_the_openapi_document_tells_the_route(feed: Served) -> None:
    document = httpx.get(f"http://127.0.0.1:{feed.port}/openapi.json").json()
    route = document["paths"][EVENTS]["get"]

    assert [parameter["name"] for parameter in route["parameters"]] == [
        "after",
        "types",
        "limit",
        "Last-Event-ID",
    ]
    assert set(route["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert {"200", "304", "400", "401", "503"} <= set(route["responses"])


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


def test_a_stream_tells_what_was_and_then_what_comes(shop: Shop) -> None:
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


def test_a_stream_is_taken_up_after_the_last_event_seen(shop: Shop) -> None:
    shop.whole_story()
    last = str(shop.log.head() - 1)
    with Served(shop.log) as served, served.stream("?after=3", **{"Last-Event-ID": last}) as answer:
        ((position, _),) = messages(answer.iter_lines(), 1)

    assert position == shop.log.head()


def test_a_quiet_stream_is_kept_alive_and_tells_how_far_it_looked(shop: Shop) -> None:
    shop.whole_story()
    with (
        Served(shop.log, heartbeat_seconds=0.1) as served,
        served.stream("?types=orders.order_canceled") as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == "retry: 2000"
        heard = [next(lines) for _ in range(5)]

    assert f"id: {shop.log.head()}" in heard
    assert ": still here" in heard


def test_a_stream_ends_when_the_server_stops(shop: Shop) -> None:
    shop.receive()
    with Served(shop.log) as served, served.stream() as answer:
        lines = answer.iter_lines()
        messages(lines, 1)
        served.server.should_exit = True
        list(lines)  # Ends, rather than wait for ever.


def test_many_who_wait_share_one_wait(shop: Shop) -> None:
    calls = []

    class Counted(MemoryLog):
        def wait(self, *, after: int, timeout_seconds: float) -> int:
            calls.append(after)
            return super().wait(after=after, timeout_seconds=timeout_seconds)

    async def waited() -> list[int]:
        log = Counted()
        watch = HeadWatch(log)
        waiting = [asyncio.create_task(watch.wait(after=0)) for _ in range(50)]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(Shop(log).receive)
        return await asyncio.gather(*waiting)

    assert asyncio.run(waited()) == [1] * 50
    assert calls == [0]
