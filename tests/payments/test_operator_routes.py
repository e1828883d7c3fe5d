"""The operator's routes: what is owed is listed, and each order on the list has an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from commands.operator.gauges import counting_owed
from commands.operator.owed import OwedTotals, read_owed
from commands.processes.owed import CONCERN, STUCK, TO_CUSTOMER, TO_SHOP
from event_store.records import EventLog
from tests.payments.owing import (
    TOTAL,
    disputed,
    reference,
    refund,
    sold,
    take_news,
    unpaid_though_sent,
    unreturned,
)
from tests.shop.http import Shop, key, open_shop

NOTHING: dict[str, Any] = {"items": [], "next": None}


def gbp(pence: int) -> dict[str, Any]:
    return {"amount": pence, "currency": "GBP"}


def in_shop(
    log: EventLog, folder: Path, scenario: Callable[[Shop], Awaitable[None]], **settings: Any
) -> None:
    async def run() -> None:
        async with open_shop(log, folder, **settings) as shop:
            await shop.product("MUG", units=9)
            await scenario(shop)

    asyncio.run(run())


async def owed(shop: Shop, **query: Any) -> Any:
    answer = await shop.client.get("/api/v1/payments/owed", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(shop: Shop, count: int = 1) -> list[Any]:
    """The list, once it has so many: a look may follow what was answered."""
    async with asyncio.timeout(20):
        while len(items := (await owed(shop))["items"]) != count:
            await asyncio.sleep(0.02)
    return list(items)


async def settled(shop: Shop) -> None:
    """Waits until nothing is listed."""
    assert await listed(shop, 0) == []


def status(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("type", "").rpartition("/")[2]


def calls(shop: Shop, call: str) -> int:
    return sum(event.call == call for event in shop.events("payments.step_begun"))


def test_a_capture_refused_after_sending_is_listed_with_its_code_and_request(
    log: EventLog, tmp_path: Path
) -> None:
    async def scenario(shop: Shop) -> None:
        begun = datetime.now(UTC)
        order_id = await sold(shop, "pm_card_captureRefused")
        (item,) = await listed(shop)
        (stuck,) = item["stuck"]
        assert (item["order_id"], item["to_shop"], item["to_customer"]) == (order_id, gbp(TOTAL), gbp(0))
        assert (stuck["call"], stuck["outcome"], stuck["code"]) == (
            "capture",
            "refused",
            "capture_charge_authorization_expired",
        )
        ended = shop.events("payments.step_ended")
        assert stuck["request_id"] in {event.request_id for event in ended if event.outcome == "refused"}
        assert begun <= datetime.fromisoformat(item["since"]) <= datetime.now(UTC)
        (placed,) = shop.events("orders.order_placed")
        assert (item["number"], item["concerns"]) == (placed.number, [])

    in_shop(log, tmp_path, scenario)


def test_what_the_shop_is_owed_is_asked_for_anew_by_another_card(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await unpaid_though_sent(shop)
        (item,) = await listed(shop)
        assert (item["to_shop"], item["stuck"]) == (gbp(TOTAL), [])
        answer = await shop.post(f"/payments/{order_id}/retry", {"method": "pm_card_visa"})
        assert answer.status_code == 200, answer.text
        await settled(shop)
        assert [charge.captured for charge in shop.gateway.charges(order_id)] == [0, TOTAL]

    in_shop(log, tmp_path, scenario)


def test_what_the_customer_is_owed_is_given_back_once(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await unreturned(shop, 500)
        (item,) = await listed(shop)
        assert (item["order_id"], item["to_customer"]) == (order_id, gbp(500))
        assert (await shop.post(f"/payments/{order_id}/retry")).status_code == 200
        await settled(shop)
        assert [charge.refunded for charge in shop.gateway.charges(order_id)] == [500]
        assert status(await shop.post(f"/payments/{order_id}/retry")) == (409, "nothing-to-retry")

    in_shop(log, tmp_path, scenario)


def test_a_refund_that_the_gateway_refused_is_asked_for_again(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await sold(shop)
        shop.gateway.books.dispute(reference(shop.gateway, order_id), 1000)
        await refund(shop, order_id, 300)
        (item,) = await listed(shop)
        (stuck,) = item["stuck"]
        assert (stuck["call"], stuck["code"]) == ("refund", "charge_disputed")
        (dispute,) = shop.gateway.books.objects(reference(shop.gateway, order_id), "dispute")
        shop.gateway.books.dispute_won(dispute["id"])
        await take_news(shop)
        assert (await shop.post(f"/payments/{order_id}/retry")).status_code == 200
        async with asyncio.timeout(20):
            while not shop.events("orders.order_refunded"):
                await asyncio.sleep(0.02)
        (refunded,) = shop.events("orders.order_refunded")
        first, second = (e.refund for e in shop.events("payments.step_begun") if e.call == "refund")
        assert (refunded.amount.amount, refunded.credit_note_id) == (300, first.credit_note_id)
        assert first == second
        assert [charge.refunded for charge in shop.gateway.charges(order_id)] == [300]

    in_shop(log, tmp_path, scenario)


def test_what_is_written_off_is_listed_no_more(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for bring_about in (unpaid_though_sent, unreturned, disputed):
            order_id = await bring_about(shop)
            (item,) = await listed(shop)
            assert item["order_id"] == order_id
            answer = await shop.post(f"/payments/{order_id}/write-off", {"reason": "seen to"})
            assert answer.status_code == 200, answer.text
            await settled(shop)
        given_up = shop.events("payments.payment_written_off")
        assert [(e.to_shop.amount, e.to_customer.amount) for e in given_up] == [(TOTAL, 0), (0, 500), (0, 0)]

    in_shop(log, tmp_path, scenario)


def test_the_metrics_have_what_is_owed_by_currency(log: EventLog, tmp_path: Path) -> None:
    totals = OwedTotals(log)

    async def read(counts: dict[int, int], to_shop: int, to_customer: int) -> None:
        async with asyncio.timeout(20):
            while True:
                found = await asyncio.to_thread(totals.read)
                amounts = {"GBP": to_shop}, {"GBP": to_customer}
                if found.orders == counts and (found.to_shop, found.to_customer) == amounts:
                    return
                await asyncio.sleep(0.02)

    async def scenario(shop: Shop) -> None:
        first = await unpaid_though_sent(shop)
        for pence in (500, 300):
            await unreturned(shop, pence)
        await read({TO_SHOP: 1, TO_CUSTOMER: 2, STUCK: 0, CONCERN: 0}, TOTAL, 800)
        assert (await shop.post(f"/payments/{first}/write-off")).status_code == 200
        await read({TO_SHOP: 0, TO_CUSTOMER: 2, STUCK: 0, CONCERN: 0}, 0, 800)
        async with counting_owed(log, seconds=0.02):
            async with asyncio.timeout(20):
                while _gauge("to_customer") != 800:
                    await asyncio.sleep(0.02)
        assert _gauge("to_shop") == 0

    in_shop(log, tmp_path, scenario)


def _gauge(what: str) -> float | None:
    labels = {"what": what, "currency": "GBP"}
    return REGISTRY.get_sample_value("daybook_payments_owed_minor", labels)


def test_a_dispute_is_a_concern(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await disputed(shop)
        (item,) = await listed(shop)
        assert (item["order_id"], item["concerns"], item["to_customer"]) == (order_id, ["dispute"], gbp(0))

    in_shop(log, tmp_path, scenario)


def test_the_list_comes_page_by_page_the_oldest_first(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        orders = []
        for count in range(1, 6):
            orders.append(await sold(shop, "pm_card_captureRefused"))
            await listed(shop, count)
        seen, cursor = [], {}
        for count in (2, 2, 1):
            page = await owed(shop, limit=2, **cursor)
            seen += [item["order_id"] for item in page["items"]]
            assert len(page["items"]) == count
            cursor = {"cursor": page["next"]}
        assert (seen, page["next"]) == (orders, None)
        # What is read from the saved work is what is read from the events alone.
        async with asyncio.timeout(20):
            while len(log.listed_work("process owed", limit=99)) < 10:
                await asyncio.sleep(0.05)
        saved = log.listed_work("process owed", limit=99)
        assert {(work.queue, work.number) for work in saved} == {(o, n) for o in orders for n in (1, 3)}
        assert [item.order_id for item in read_owed(log, limit=9).items] == orders

    in_shop(log, tmp_path, scenario)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": 0}, (422, "invalid-request")),
        ({"limit": 1001}, (422, "invalid-request")),
        ({"limit": "many"}, (422, "invalid-request")),
        ({"cursor": "-1"}, (422, "invalid-request")),
        ({"cursor": "9" * 19}, (422, "invalid-request")),
        ({"page": 2}, (400, "unknown-parameter")),
    ],
)
def test_a_list_that_nobody_could_mean_is_refused(
    log: EventLog, tmp_path: Path, query: dict[str, Any], expected: tuple[int, str]
) -> None:
    async def scenario(shop: Shop) -> None:
        assert status(await shop.client.get("/api/v1/payments/owed", params=query)) == expected

    in_shop(log, tmp_path, scenario)


def test_what_cannot_be_settled_is_refused_and_changes_nothing(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await sold(shop)
        head = log.head()
        expected = {
            ("nobody", "retry"): (404, "unknown-order"),
            ("nobody", "write-off"): (404, "unknown-order"),
            ("no%20id", "retry"): (422, "invalid-request"),
            (order_id, "retry"): (409, "nothing-to-retry"),
            (order_id, "write-off"): (409, "nothing-to-write-off"),
        }
        for (order, action), problem in expected.items():
            answer = await shop.post(f"/payments/{order}/{action}")
            assert status(answer) == problem, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        for action, body in {"retry": {"method": "a card"}, "write-off": {"reason": 1}}.items():
            answer = await shop.post(f"/payments/{order_id}/{action}", body)
            assert status(answer) == (422, "invalid-request")
        assert log.head() == head

    in_shop(log, tmp_path, scenario)


def test_the_list_is_the_operators_alone(log: EventLog, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(log, tmp_path, operator_token="t" * 32) as shop:
            answers = [
                await shop.client.get("/api/v1/payments/owed"),
                await shop.post("/payments/o/retry"),
                await shop.post("/payments/o/write-off"),
            ]
            assert [status(answer) for answer in answers] == [(401, "operator-token-required")] * 3
            shop.client.headers["Authorization"] = f"Bearer {'t' * 32}"
            assert await owed(shop) == NOTHING

    asyncio.run(scenario())


def test_two_operators_who_retry_at_once_ask_for_the_money_once(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await unpaid_though_sent(shop)
        body = {"method": "pm_card_visa"}
        answers = await asyncio.gather(*(shop.post(f"/payments/{order_id}/retry", body) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        await settled(shop)
        assert (calls(shop, "authorize"), len(shop.events("payments.payment_retried"))) == (2, 1)
        assert [charge.captured for charge in shop.gateway.charges(order_id)] == [0, TOTAL]

    in_shop(log, tmp_path, scenario)


def test_of_two_operators_who_write_off_at_once_one_does(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await unreturned(shop)
        answers = await asyncio.gather(*(shop.post(f"/payments/{order_id}/write-off") for _ in range(4)))
        assert sorted(map(status, answers)) == [(200, "")] + [(409, "nothing-to-write-off")] * 3
        (given_up,) = shop.events("payments.payment_written_off")
        assert given_up.to_customer.amount == 500

    in_shop(log, tmp_path, scenario)


def test_nothing_is_written_off_while_the_gateway_is_asked_for_it(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await unreturned(shop)
        shop.gateway.books.plant("refunds.create", "slow", seconds=2)
        retry = asyncio.create_task(shop.post(f"/payments/{order_id}/retry"))
        async with asyncio.timeout(20):
            while calls(shop, "refund") < 2:
                await asyncio.sleep(0.01)
        answer = await shop.post(f"/payments/{order_id}/write-off")
        assert status(answer) == (409, "call-under-way")
        assert (await retry).status_code == 200
        await settled(shop)
        assert not shop.events("payments.payment_written_off")
        assert [charge.refunded for charge in shop.gateway.charges(order_id)] == [500]

    in_shop(log, tmp_path, scenario)


def test_a_retry_under_a_key_is_done_once(log: EventLog, tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id = await unpaid_though_sent(shop)
        headers = key()
        body = {"method": "pm_card_visa"}
        first = await shop.post(f"/payments/{order_id}/retry", body, **headers)
        await settled(shop)
        again = await shop.post(f"/payments/{order_id}/retry", body, **headers)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        assert again.headers["Idempotency-Replayed"] == "true"
        assert calls(shop, "authorize") == 2

    in_shop(log, tmp_path, scenario)
