"""The routes on webhook endpoints: whose they are, what they show, and what they refuse."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from event_store.memory.log import MemoryLog
from event_store.records import EventLog
from tests.shop.http import Shop, key, open_shop
from tests.webhooks.receivers import in_turn, receiving, response, until
from tests.webhooks.sending import QUICK, receive, sending

ENDPOINTS = "/webhook-endpoints"
HOOK = {"url": "https://example.com/hook?token=t0p", "events": ["orders.*", "catalog.product_listed"]}


async def get(shop: Shop, path: str = "", **parameters: Any) -> Any:
    return await shop.client.get(f"/api/v1{ENDPOINTS}{path}", params=parameters)


async def registered(shop: Shop, **body: Any) -> Any:
    answer = await shop.post(ENDPOINTS, HOOK | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_an_endpoint_is_registered_shown_changed_and_deleted(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            made = await registered(shop)
            path = f"/{made['id']}"
            shown = (await get(shop, path)).json()
            assert (shown["url"], shown["events"]) == (HOOK["url"], HOOK["events"])
            assert (shown["status"], shown["ordering"], shown["pending"]) == ("enabled", "stream", 0)
            assert (await get(shop)).json() == {"items": [shown]}
            changed = {
                "url": "https://example.org/",
                "events": ["*"],
                "ordering": "none",
                "description": "All",
            }
            answer = await shop.client.put(f"/api/v1{ENDPOINTS}{path}", json=changed)
            assert answer.status_code == 200, answer.text
            shown = (await get(shop, path)).json()
            assert {name: shown[name] for name in changed} == changed
            disabled = await shop.post(f"{ENDPOINTS}{path}/disable", {"reason": "It moves"})
            assert disabled.status_code == 200, disabled.text
            shown = (await get(shop, path)).json()
            assert (shown["status"], shown["disabled"]["cause"]) == ("disabled", "operator")
            assert shown["disabled"]["detail"] == "It moves"
            await shop.post(f"{ENDPOINTS}{path}/enable")
            assert (await get(shop, path)).json()["status"] == "enabled"
            gone = await shop.client.delete(f"/api/v1{ENDPOINTS}{path}")
            assert gone.status_code == 200, gone.text
            assert (await get(shop, path)).status_code == 404
            assert (await get(shop)).json() == {"items": []}
            again = await shop.client.delete(f"/api/v1{ENDPOINTS}{path}")
            assert again.status_code == 200, again.text

    asyncio.run(scenario())


def test_the_secret_is_answered_once_and_to_a_retry_and_stands_nowhere_in_plain(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path) as shop:
            named = key()
            made = await shop.post(ENDPOINTS, HOOK, **named)
            secret = made.json()["secret"]
            assert secret.startswith("whsec_")
            assert made.headers["cache-control"] == "no-store"
            path = f"{ENDPOINTS}/{made.json()['id']}"
            rotated = await shop.post(f"{path}/rotate-secret", {"overlap_seconds": 60})
            assert rotated.json()["secret"] not in {"", secret}
            retried = await shop.post(ENDPOINTS, HOOK, **named)
            assert (retried.json(), retried.headers["idempotency-replayed"]) == (made.json(), "true")
            shown = (await get(shop, f"/{made.json()['id']}")).text
            assert secret not in shown
            assert rotated.json()["secret"] not in shown
            events = log.read_all(after=0, limit=100)
            rows = log.journal_rows(first_position=1, last_position=100)
            kept = [*(one.data for one in events), *(row.arguments + row.answer for row in rows)]
            stored = b"".join(kept)
            for plain in (secret, rotated.json()["secret"], "t0p"):
                assert plain.encode() not in stored
            assert {row.name for row in rows} == {"register_webhook_endpoint", "rotate_webhook_secret"}

    asyncio.run(scenario())


def test_with_a_token_the_routes_are_the_operators(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path, operator_token="t0ken") as shop:
            for method, path in (
                *(("GET", ""), ("POST", ""), ("GET", "/e"), ("PUT", "/e"), ("DELETE", "/e")),
                *(
                    ("POST", f"/e/{name}")
                    for name in ("disable", "enable", "replay", "rotate-secret", "ping")
                ),
                ("GET", "/e/deliveries"),
            ):
                answer = await shop.client.request(method, f"/api/v1{ENDPOINTS}{path}", json=HOOK)
                assert answer.status_code == 401, (method, path)
            bearer = {"Authorization": "Bearer t0ken"}
            assert (await shop.client.get(f"/api/v1{ENDPOINTS}", headers=bearer)).status_code == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        ({"url": "http://example.com/"}, "webhook-url-unfit", "body.url"),
        ({"url": "https://127.0.0.1/"}, "webhook-url-unfit", "body.url"),
        ({"url": "https://anna:b@example.com/"}, "webhook-url-unfit", "body.url"),
        ({"url": "https://example.com:0/"}, "webhook-url-unfit", "body.url"),
        ({"url": "https://example.com/" + "a" * 2_000}, "invalid-request", "body.url"),
        ({"url": 7}, "invalid-request", "body.url"),
        ({"events": []}, "invalid-request", "body.events"),
        ({"events": ["orders.order_eaten"]}, "invalid-request", "body.events.0"),
        ({"events": ["orders"]}, "invalid-request", "body.events.0"),
        ({"events": "orders.*"}, "invalid-request", "body.events"),
        ({"ordering": "some"}, "invalid-request", "body.ordering"),
        ({"from_position": 0}, "invalid-request", "body.from_position"),
        ({"from_position": 99}, "position-beyond-head", "body.from_position"),
        ({"secret": "mine"}, "invalid-request", "body.secret"),
    ],
)
def test_what_can_be_no_endpoint_is_told_why_and_changes_nothing(
    body: dict[str, Any], kind: str, field: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with open_shop(log, tmp_path) as shop:
            answer = await shop.post(ENDPOINTS, HOOK | body)
            assert answer.status_code == 422, answer.text
            assert answer.json()["type"] == f"/problems/{kind}"
            assert [one["field"] for one in answer.json()["errors"]] == [field]
            assert log.head() == 0

    asyncio.run(scenario())


def test_an_endpoint_that_is_not_there_is_unknown_on_every_route(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG")
            for method, path, body in (
                ("GET", "", None),
                ("PUT", "", HOOK),
                ("POST", "/disable", None),
                ("POST", "/enable", None),
                ("POST", "/replay", {"from_position": 1}),
                ("POST", "/rotate-secret", None),
                ("POST", "/ping", None),
                ("GET", "/deliveries", None),
            ):
                answer = await shop.client.request(method, f"/api/v1{ENDPOINTS}/nobody{path}", json=body)
                assert answer.status_code == 404, (path, answer.text)
                assert answer.json()["type"] == "/problems/unknown-webhook-endpoint"

    asyncio.run(scenario())


def test_there_are_as_many_endpoints_as_there_can_be(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            for _ in range(100):
                made = await registered(shop)
            answer = await shop.post(ENDPOINTS, HOOK)
            assert (answer.status_code, answer.json()["limit"]) == (409, 100)
            await shop.client.delete(f"/api/v1{ENDPOINTS}/{made['id']}")
            await registered(shop)

    asyncio.run(scenario())


def test_a_ping_tells_what_came_of_it_and_is_signed(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = MemoryLog()
        async with (
            receiving(in_turn(response(200))) as receiver,
            open_shop(log, tmp_path, webhook_networks="127.0.0.0/8") as shop,
        ):
            made = await registered(shop, url=receiver.url())
            answer = await shop.post(f"{ENDPOINTS}/{made['id']}/ping")
            assert (answer.json()["outcome"], answer.json()["status"]) == ("delivered", 200)
            (received,) = receiver.received
            assert Webhook(made["secret"]).verify(received.body, received.headers) == received.event
            assert (received.event["type"], received.id) == ("webhooks.ping", answer.json()["webhook_id"])
            assert log.head() == 1  # the registration: a ping is no event

    asyncio.run(scenario())


def test_deliveries_are_listed_page_by_page_with_their_attempts(log: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            receiving(in_turn(response(500, b"not now"), response(200))) as receiver,
            sending(log, retries=QUICK),
            open_shop(log, tmp_path, webhook_networks="127.0.0.0/8") as shop,
        ):
            made = await registered(shop, url=receiver.url(), events=["inventory.*"])
            positions = receive(log, "stock-A", "stock-B", "stock-C")
            path = f"/{made['id']}/deliveries"
            await until(lambda: set(receiver.positions) == set(positions))
            await until(lambda: log.pending_deliveries(made["id"]) == [])
            page = (await get(shop, path, limit=2)).json()
            assert [one["position"] for one in page["items"]] == [positions[2], positions[1]]
            rest = (await get(shop, path, limit=2, cursor=page["next"])).json()
            assert ([one["position"] for one in rest["items"]], rest["next"]) == ([positions[0]], None)
            (item,) = rest["items"]
            assert (item["state"], item["stream"], item["next_attempt_at"]) == ("delivered", "stock-A", None)
            tried = [(one["outcome"], one["status"], one["detail"]) for one in item["attempts"]]
            assert tried == [("status", 500, "not now"), ("delivered", 200, "")]
            assert item["webhook_id"] in {one.id for one in receiver.taken}
            assert (await get(shop, path, state="pending")).json() == {"items": [], "next": None}
            assert (await get(shop, path, state="lost")).status_code == 422
            assert (await get(shop, path, page=1)).status_code == 400
            shown = (await get(shop, f"/{made['id']}")).json()
            assert (shown["position"], shown["failing_since"]) == (positions[2], None)

    asyncio.run(scenario())
