"""Gift cards under many buyers, in two command processes over one log: none is spent twice, all comes back
once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregates.credit import account
from aggregates.credit.events import Redeemed, RedemptionReleased
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, VISA
from event_store.records import EventLog
from tests.commands.test_claims import (
    DECLINED,
    Pair,
    canceled,
    declined,
    each,
    expired,
    logs,
    problem,
    state,
    two_processes,
    with_mugs,
)
from tests.shop.http import CHECKOUT, Shop, key
from tests.shop.log import decoded

__all__ = ["logs"]

Logs = tuple[EventLog, EventLog]


async def gift_card(shop: Shop, amount: int) -> dict[str, Any]:
    issued = await shop.post("/gift-cards", {"amount": {"amount": amount, "currency": "GBP"}}, **key())
    assert issued.status_code == 201, issued.text
    card: dict[str, Any] = issued.json()
    return card


async def pay(
    shop: Shop, cart_id: str, code: str, amount: int | None, *, method: str = VISA
) -> httpx.Response:
    named = {"code": code} | ({} if amount is None else {"amount": {"amount": amount, "currency": "GBP"}})
    body = CHECKOUT | {"payment": {"method": method}, "credits": [named]}
    return await shop.post(f"/carts/{cart_id}/checkout", body, **key())


@pytest.mark.parametrize("amount", [None, 300])
def test_fifty_checkouts_with_one_gift_card_spend_it_once(
    logs: Logs,
    tmp_path: Path,
    amount: int | None,
) -> None:
    """Of a card of 10.00, 3.00 each: three orders have them; as much as there is: one has all of it."""

    async def scenario() -> str:
        async with two_processes(logs, tmp_path) as pair:
            card = await gift_card(pair[0], 1_000)
            carts = await each(pair, 50, lambda shop, _: with_mugs(shop))
            answers = await each(pair, 50, lambda shop, n: pay(shop, carts[n], card["code"], amount))
            expected = {"201": 50} if amount is None else {"201": 3, "credit-insufficient": 47}
            assert Counter(map(problem, answers)) == expected
            account_id: str = card["id"]
            return account_id

    account_id = asyncio.run(scenario())
    balance, taken = 1_000, 0
    for _, event in decoded(logs[0]):
        if isinstance(event, Redeemed):
            balance, taken = balance - event.amount.amount, taken + 1
            assert balance >= 0
    assert (balance, taken) == ((0, 1) if amount is None else (100, 3))
    assert state(logs[0], account.stream(account_id)).balance == balance


@pytest.mark.parametrize(
    ("method", "give_up"),
    [(VISA, canceled), (DECLINED, declined), (AUTHENTICATION_REQUIRED, expired)],
    ids=["canceled", "declined", "expired"],
)
def test_the_credit_of_an_order_that_is_given_up_comes_back_once(
    method: str,
    give_up: Callable[[Pair, str], Awaitable[None]],
    logs: Logs,
    tmp_path: Path,
) -> None:
    async def scenario() -> tuple[str, str]:
        async with two_processes(logs, tmp_path) as pair:
            card = await gift_card(pair[0], 1_000)
            placed = await pay(pair[1], await with_mugs(pair[0]), card["code"], 600, method=method)
            assert placed.status_code == 201, placed.text
            await give_up(pair, placed.json()["id"])
            return card["id"], placed.json()["id"]

    account_id, order_id = asyncio.run(scenario())
    held = state(logs[0], account.stream(account_id))
    assert (held.balance, held.redeemed) == (1_000, {})
    released = [event for _, event in decoded(logs[0]) if isinstance(event, RedemptionReleased)]
    assert [(one.order_id, one.amount.amount) for one in released] == [(order_id, 600)]
