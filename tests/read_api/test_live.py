"""Carts, orders and products as event streams: what is, and then what comes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from redis import Redis

from deploy.edge.event_streams import HEARTBEAT, RETRY, message
from projections.documents.redis_reader import RedisReader
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from read_api.watching import Watcher, position_of
from tests.read_api.conftest import running
from tests.shop.facts import added, listed, opened, placed, received
from tests.shop.views import ViewShop

SECRET = "5" * 64


@contextmanager
def stream(api: httpx.Client, path: str, **headers: str) -> Iterator[tuple[httpx.Response, Iterator[Any]]]:
    """The response and its messages: (id, document), or None for a heartbeat."""
    with api.stream("GET", path, headers=headers, timeout=20.0) as response:
        yield response, _messages(response.iter_lines())


def _messages(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    position = 0
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            position = int(value)
        elif name == "data":
            yield position, json.loads(value)


def test_a_cart_is_shown_as_it_is_and_at_each_change(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    first = shop.happens(opened("c1"))
    with stream(api, "/api/v1/carts/c1/live") as (response, messages):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert next(messages) == (first, api.get("/api/v1/carts/c1").json())
        second = shop.happens(added("MUG", 2, "c1"))
        position, cart = next(messages)
        assert position == second
        assert cart == api.get("/api/v1/carts/c1").json()
        assert cart["lines"][0]["quantity"] == 2


def test_a_stream_that_is_taken_up_shows_only_what_it_has_not_shown(
    shop: ViewShop, api: httpx.Client
) -> None:
    shop.lists("MUG")
    known = shop.happens(opened("c1"))
    with stream(api, "/api/v1/carts/c1/live", **{"Last-Event-ID": str(known)}) as (_, messages):
        changed = shop.happens(added("MUG", 1, "c1"))
        assert next(messages)[0] == changed
    with stream(api, "/api/v1/carts/c1/live", **{"Last-Event-ID": str(known)}) as (_, messages):
        assert next(messages)[0] == changed
    with stream(api, "/api/v1/carts/c1/live", **{"Last-Event-ID": "nonsense"}) as (_, messages):
        assert next(messages)[0] == changed


def test_a_products_stock_is_shown_to_all_who_watch_it(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(listed("MUG"), listed("TEA"), received("MUG", 3), received("TEA", 3))
    with (
        stream(api, "/api/v1/products/MUG/live") as (_, one),
        stream(api, "/api/v1/products/MUG/live") as (_, another),
        stream(api, "/api/v1/products/TEA/live") as (_, tea),
    ):
        assert [next(each)[1]["available"] for each in (one, another, tea)] == [3, 3, 3]
        shop.happens(received("MUG", 4))
        assert [next(each)[1]["available"] for each in (one, another)] == [7, 7]
        shop.happens(received("TEA", 1))
        assert next(tea)[1]["available"] == 4


def test_an_order_is_its_holders(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.happens(placed("o1", "MUG", secret_hash=hashlib.sha256(SECRET.encode()).hexdigest()))
    guarded = query_settings.model_copy(update={"operator_token": "t0ken"})
    app = build_query_app(guarded, ready_position=lambda: shop.head_at_start)
    with running(app) as address, httpx.Client(base_url=address) as api:
        path = "/api/v1/orders/o1/live"
        assert api.get(path).status_code == 401
        assert api.get(path, headers={"Daybook-Order-Secret": "6" * 64}).status_code == 401
        for shown in ({"Authorization": "Bearer t0ken"}, {"Daybook-Order-Secret": SECRET}):
            with stream(api, path, **shown) as (response, messages):
                assert next(messages)[1]["id"] == "o1"
                assert "Daybook-Order-Secret" in response.headers["vary"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/carts/none/live", "unknown-cart"),
        ("/api/v1/orders/none/live", "unknown-order"),
        ("/api/v1/products/NONE/live", "unknown-product"),
    ],
)
def test_what_is_not_there_is_no_stream(shop: ViewShop, api: httpx.Client, path: str, kind: str) -> None:
    shop.lists("MUG")
    refused = api.get(path)
    assert (refused.status_code, refused.json()["type"]) == (404, f"/problems/{kind}")


def test_a_stream_waits_for_what_its_client_has_just_written(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    position = shop.happens(opened("c1"), but_not_in=("cart",))
    headers = {"Daybook-Min-Position": str(position), "Prefer": "handling=strict"}
    refused = api.get("/api/v1/carts/c1/live", headers=headers)
    assert refused.status_code in (404, 412)
    shop.happens(received("MUG", 1))
    with stream(api, "/api/v1/carts/c1/live", **headers) as (_, messages):
        assert next(messages)[0] == position


def test_so_many_may_listen_and_who_leaves_makes_room(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.happens(opened("c1"))
    few = query_settings.model_copy(update={"live_clients_max": 1})
    app = build_query_app(few, ready_position=lambda: shop.head_at_start)
    with running(app) as address, httpx.Client(base_url=address) as api:
        with stream(api, "/api/v1/carts/c1/live") as (_, messages):
            next(messages)
            refused = api.get("/api/v1/carts/c1/live")
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/too-many-listeners")
            assert refused.headers["retry-after"] == "5"
        while (
            again := api.send(api.build_request("GET", "/api/v1/carts/c1/live"), stream=True)
        ).status_code == 503:
            again.close()
        assert again.status_code == 200
        again.close()


def test_a_store_that_forgets_and_is_built_anew_ends_no_stream(
    shop: ViewShop, api: httpx.Client, query_settings: QuerySettings
) -> None:
    shop.lists("MUG")
    shop.happens(opened("c1"))
    with stream(api, "/api/v1/carts/c1/live") as (_, messages):
        next(messages)
        with Redis.from_url(query_settings.redis_url) as redis:
            redis.flushall()
        shop.notices_losses()
        changed = shop.happens(added("MUG", 5, "c1"))
        position, cart = next(messages)
        assert (position, cart["lines"][0]["quantity"]) == (changed, 5)


def test_who_begins_with_another_document_than_the_others_have_is_shown_theirs(
    shop: ViewShop, query_settings: QuerySettings
) -> None:
    """It was read before the document changed, or before its view was switched."""
    shop.lists("MUG")
    shop.happens(opened("c1"))

    async def watch() -> None:
        reader = RedisReader(query_settings.redis_url)
        watcher = Watcher(reader, watches_max=3, stopping=lambda: False)
        before = (await reader.document("cart", "c1")).document
        assert before is not None
        shop.happens(added("MUG", 2, "c1"))
        now = (await reader.document("cart", "c1")).document
        assert now is not None
        with watcher.watch("cart", "c1", before) as first:
            messages = first.messages(is_known=True)
            assert [await anext(messages), await anext(messages)] == [RETRY, shown(now)]
            for other in (before, now.replace(b'"quantity":2', b'"quantity":9')):
                with watcher.watch("cart", "c1", other) as late:
                    messages = late.messages()
                    assert await anext(messages) == RETRY + shown(other)
                    assert await anext(messages) == shown(now)
        await watcher.close()
        await reader.close()

    asyncio.run(watch())


def test_a_stream_of_what_does_not_change_has_heartbeats(
    shop: ViewShop, query_settings: QuerySettings
) -> None:
    shop.happens(opened("c1"))

    async def watch() -> None:
        reader = RedisReader(query_settings.redis_url)
        watcher = Watcher(reader, watches_max=1, stopping=lambda: False, heartbeat_seconds=0.01)
        document = (await reader.document("cart", "c1")).document
        assert document is not None
        with watcher.watch("cart", "c1", document) as watch:
            messages = watch.messages(is_known=True)
            assert [await anext(messages) for _ in range(3)] == [RETRY, HEARTBEAT, HEARTBEAT]
        await watcher.close()
        await reader.close()

    asyncio.run(watch())


def shown(document: bytes) -> bytes:
    return message(position_of(document), document)


def test_streams_end_when_the_server_stops(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.happens(opened("c1"))
    stopping = threading.Event()
    app = build_query_app(query_settings, ready_position=lambda: shop.head_at_start, stopping=stopping.is_set)
    with (
        running(app) as address,
        httpx.Client(base_url=address) as api,
        stream(api, "/api/v1/carts/c1/live") as (_, messages),
    ):
        next(messages)
        stopping.set()
        assert list(messages) == []
