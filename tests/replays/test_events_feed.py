"""`/api/v1/events`: the log as CloudEvents, in order, personal data left out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.selection import Selection
from replays.feed.feed import LOOKED_AT_MAX, read_page
from replays.feed.feed_request import FORMS
from tests.replays.served import EVENTS, Served
from tests.shop.facts import EMAIL
from tests.shop.story import ANNA, Story


@pytest.fixture
def shop() -> Story:
    return Story(MemoryLog())


@pytest.fixture
def feed(shop: Story) -> Iterator[Served]:
    with Served(shop.log) as served:
        yield served


def test_pages_follow_each_other_until_nothing_is_new(shop: Story, feed: Served) -> None:
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


def test_an_event_is_a_cloud_event_without_personal_data(shop: Story, feed: Served) -> None:
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
        "dataschema": "urn:daybook:event:orders.order_placed:6",
        "position": recorded.position,
        "stream": f"order-{ANNA}",
        "streamversion": 1,
        "schemanumber": 6,
        "correlation": "0af7651916cd43dd8448eb211c80319c",
    }
    assert data["email"] is None
    assert data["shipping_address"] is None
    assert data["total"] == {"amount": 2998, "currency": "GBP"}
    assert EMAIL not in answer.text


def test_by_types_next_is_the_last_position_looked_at(shop: Story, feed: Served) -> None:
    shop.whole_story()

    page = feed.get("?types=cart.cart_opened,inventory.stock_received").json()

    assert [event["type"] for event in page["events"]] == [
        "inventory.stock_received",
        "cart.cart_opened",
        "cart.cart_opened",
    ]
    assert page["next"] == shop.log.head()


def test_a_rare_type_does_not_make_one_request_read_the_whole_log(
    shop: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.whole_story()
    monkeypatch.setattr("replays.feed.feed.LOOKED_AT_MAX", 5)

    page = read_page(
        shop.log, after=0, limit=100, selection=Selection(types=frozenset({"orders.credit_note_issued"}))
    )

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
        ("log=mine", "invalid-parameter"),
        ("event=12", "invalid-parameter"),
    ],
)
def test_what_the_route_does_not_know_is_a_400_problem(feed: Served, query: str, problem: str) -> None:
    answer = feed.get(f"?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{problem}"


def test_an_answer_says_where_the_log_stands_and_is_not_sent_twice(shop: Story, feed: Served) -> None:
    shop.whole_story()

    first = feed.get()
    again = feed.get(If_None_Match=first.headers["etag"])

    assert first.headers["daybook-view-position"] == str(shop.log.head())
    assert (again.status_code, again.content) == (304, b"")
    shop.receive()
    assert feed.get(If_None_Match=first.headers["etag"]).status_code == 200


def test_with_an_operator_token_set_only_its_bearer_reads_history(shop: Story) -> None:
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
    fresh_postgres: str, postgres_shop: Story
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
        "stream",
        "subject",
        "recorded_from",
        "recorded_to",
        "valid_from",
        "valid_to",
        "limit",
        "log",
        "event",
        "Last-Event-ID",
    ]
    assert set(route["responses"]["200"]["content"]) == set(FORMS)
    assert {"200", "304", "400", "401", "406", "409", "503"} <= set(route["responses"])


def test_hundreds_of_pages_at_once_wait_for_their_turn(fresh_postgres: str) -> None:
    log = PostgresLog.open(fresh_postgres)
    Story(log).whole_story()

    async def crowd(address: str) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            return await asyncio.gather(*(client.get(f"{address}?after={at % 9}") for at in range(200)))

    with Served(log) as served:
        answers = asyncio.run(crowd(f"http://127.0.0.1:{served.port}{EVENTS}"))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["events"][0]["position"] for answer in answers} == set(range(1, 10))
    log.close()
