"""Everything is said, not meant: what a refund pays back, and that `all` goes with nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from event_store.memory_log import MemoryLog
from tests.commands.shop import Shop, key, open_shop
from tests.processes.shop import eventually

ONE = {"line_id": "1", "quantity": 1}
PENNY = {"amount": 1, "currency": "GBP"}


async def sold(shop: Shop) -> str:
    """An order of three mugs, paid at checkout."""
    await shop.product("MUG", units=5)
    order_id: str = (await shop.checkout(await shop.cart(MUG=3))).json()["id"]
    return order_id


@pytest.mark.parametrize("path", ["refunds", "fulfilments", "returns"])
@pytest.mark.parametrize(
    "body",
    [
        {"all": True, "lines": [ONE]},
        {"all": "true"},
        {"all": 1},
        {"all": None},
        {"lines": []},
        {"lines": [ONE], "amount": PENNY, "all": True},
    ],
)
def test_all_goes_with_nothing_else(tmp_path: Path, path: str, body: dict[str, Any]) -> None:
    asyncio.run(refused(tmp_path, path, body))


@pytest.mark.parametrize(
    "body", [None, {}, {"all": False}, {"reason": "late"}, {"lines": None}, {"all": True, "amount": PENNY}]
)
def test_a_refund_says_what_it_pays_back(tmp_path: Path, body: dict[str, Any] | None) -> None:
    asyncio.run(refused(tmp_path, "refunds", body))


async def refused(tmp_path: Path, path: str, body: dict[str, Any] | None) -> None:
    async with open_shop(MemoryLog(), tmp_path, capture="checkout") as shop:
        order_id = await sold(shop)
        await eventually(lambda: bool(shop.events("payments.payment_captured")), lambda: "not captured")
        head = shop.log.head()
        answer = await shop.post(f"/orders/{order_id}/{path}", body, **key())
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request"), answer.text
        assert shop.log.head() == head


@pytest.mark.parametrize("body", [None, {}, {"all": True}, {"all": False}, {"lines": [ONE, ONE, ONE]}])
def test_a_fulfilment_and_a_return_of_nothing_named_are_of_all_that_remains(
    tmp_path: Path, body: dict[str, Any] | None
) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            order_id = await sold(shop)
            for path, event in (
                ("fulfilments", "orders.lines_fulfilled"),
                ("returns", "orders.lines_returned"),
            ):
                answer = await shop.post(f"/orders/{order_id}/{path}", body)
                assert answer.status_code == 201, answer.text
                ((part,),) = (moved.lines for moved in shop.events(event))
                assert part.quantity == 3

    asyncio.run(scenario())


def test_all_pays_back_all_that_remains(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path, capture="checkout") as shop:
            order_id = await sold(shop)
            for body in ({"lines": [ONE]}, {"all": True}):
                answer = await shop.post(f"/orders/{order_id}/refunds", body, **key())
                assert answer.status_code == 201, answer.text
            amounts = [paid_back.amount.amount for paid_back in shop.events("payments.payment_refunded")]
            assert amounts == [1299, 2598]

    asyncio.run(scenario())
