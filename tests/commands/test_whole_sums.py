"""Everything is said, not meant: what a refund pays back, and that `all` goes with nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from event_store.memory.log import MemoryLog
from tests.shop.http import Shop, key, open_shop

ONE = {"line_id": "1", "quantity": 1}
PENNY = {"amount": 1, "currency": "GBP"}


async def sold(shop: Shop) -> str:
    """An order of three mugs."""
    await shop.product("MUG", units=5)
    order_id: str = (await shop.checkout(await shop.cart(MUG=3))).json()["id"]
    return order_id


NOT_ALONE: list[Any] = [
    {"all": True, "lines": [ONE]},
    {"all": "true"},
    {"all": 1},
    {"all": None},
    {"lines": []},
    {"lines": [ONE], "amount": PENNY, "all": True},
]
NOTHING_SAID: list[Any] = [
    None,
    {},
    {"all": False},
    {"reason": "late"},
    {"lines": None},
    {"all": True, "amount": PENNY},
]


@pytest.mark.parametrize(
    ("path", "bodies"),
    [
        ("refunds", NOT_ALONE + NOTHING_SAID),
        ("fulfilments", [*NOT_ALONE, {"all": False}]),
        ("returns", [*NOT_ALONE, {"all": False}]),
    ],
)
def test_all_goes_with_nothing_else_and_a_refund_says_what_it_pays_back(
    tmp_path: Path, path: str, bodies: list[Any]
) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            order_id = await sold(shop)
            head = shop.log.head()
            for body in bodies:
                answer = await shop.post(f"/orders/{order_id}/{path}", body, **key())
                problem = (answer.status_code, answer.json()["type"])
                assert problem == (422, "/problems/invalid-request"), (body, answer.text)
            assert shop.log.head() == head

    asyncio.run(scenario())


@pytest.mark.parametrize("body", [None, {}, {"all": True}, {"lines": [ONE, ONE, ONE], "all": False}])
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
