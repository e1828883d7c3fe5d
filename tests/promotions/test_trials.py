"""Trying a promotion on a cart: what it costs with it and without it, and why it does not apply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aggregates.kernel import Rejected
from aggregates.terms.reasons import UnknownRule
from commands.trial import try_promotion
from event_store.memory.log import MemoryLog
from tests.commands.test_priced_carts import MARKET, opened, rules
from tests.shop.facts import CODEC
from tests.shop.http import Shop, open_shop

TEN = {"promotion_id": "ten", "label": "10 % off", "action": {"kind": "percent_off", "percent": 10}}
LATER = datetime(2199, 1, 1, tzinfo=UTC)


def in_a_shop(folder: Path, scenario: Callable[[Shop], Awaitable[None]], **settings: Any) -> None:
    """Mugs cost 10.00, cups 5.00."""

    async def run() -> None:
        async with open_shop(MemoryLog(), folder, **settings) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await shop.product("CUP", units=1, pence=500)
            await rules(shop, markets=[MARKET])
            await scenario(shop)

    asyncio.run(run())


async def tried(shop: Shop, promotion_id: str, cart_id: str) -> dict[str, Any]:
    """The answer; nothing was appended for it."""
    head = shop.log.head()
    answer = await shop.post(f"/promotions/{promotion_id}/try", {"cart_id": cart_id})
    assert answer.status_code == 200, answer.text
    assert shop.log.head() == head
    found: dict[str, Any] = answer.json()
    return found


def outcome(trial: dict[str, Any]) -> tuple[bool, str | None, list[str], int, int]:
    """Whether it applies, why not, what was assumed; the total with it and without it."""
    totals = [trial[name]["total"]["amount"] for name in ("with_promotion", "without_promotion")]
    return trial["applies"], trial["why"], trial["assumes"], totals[0], totals[1]


def test_a_running_promotion_is_shown_with_every_step_and_without_it(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(shop, promotions=[TEN, TEN | {"promotion_id": "other", "priority": 1}])
        trial = await tried(shop, "ten", await opened(shop, "uk", MUG=2))
        assert outcome(trial) == (True, None, [], 1620, 1800)
        steps = trial["with_promotion"]["explanation"]["steps"]
        assert [(step["rule"], step["amount"]) for step in steps] == [("ten", -200), ("other", -180)]
        steps = trial["without_promotion"]["explanation"]["steps"]
        assert [(step["rule"], step["amount"]) for step in steps] == [("other", -200)]

    in_a_shop(tmp_path, scenario)


def test_a_promotion_by_coupon_is_tried_as_if_the_cart_had_one(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(
            shop,
            promotions=[TEN | {"automatic": False}],
            coupons=[{"code": "TEN-1", "promotion_id": "ten"}],
        )
        cart_id = await opened(shop, "uk", MUG=1)
        assert outcome(await tried(shop, "ten", cart_id)) == (True, None, ["coupon"], 900, 1000)
        await shop.post(f"/carts/{cart_id}/coupons", {"code": "TEN-1"})
        assert outcome(await tried(shop, "ten", cart_id)) == (True, None, [], 900, 1000)

    in_a_shop(tmp_path, scenario)


def test_a_promotion_that_is_to_start_is_tried_as_of_its_start(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        starts = LATER.isoformat().replace("+00:00", "Z")
        await rules(
            shop,
            promotions=[
                TEN | {"starts_at": starts},
                TEN | {"promotion_id": "too", "starts_at": starts, "priority": 1},
                TEN | {"promotion_id": "before", "ends_at": starts},
            ],
        )
        cart_id = await opened(shop, "uk", MUG=1)
        trial = await tried(shop, "ten", cart_id)
        assert outcome(trial) == (True, None, ["started"], 810, 900)
        assert trial["at"] == starts == trial["with_promotion"]["explanation"]["at"]

    in_a_shop(tmp_path, scenario)


def test_a_promotion_that_is_over_is_tried_as_if_it_were_not(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        ends = datetime.now(UTC) + timedelta(days=1)
        await rules(shop, promotions=[TEN | {"ends_at": ends.isoformat()}])
        cart_id = await opened(shop, "uk", MUG=1)
        trial = try_promotion(shop.log, CODEC, promotion_id="ten", cart_id=cart_id, at=ends)
        assert (trial.applies, trial.assumes, trial.at) == (True, ("not_over",), ends)
        await shop.post("/promotions/ten/end")
        assert outcome(await tried(shop, "ten", cart_id)) == (True, None, ["not_ended"], 900, 1000)

    in_a_shop(tmp_path, scenario)


GIFT = {"kind": "gift", "skus": ["CUP"], "quantity": 2}
VAIN: list[tuple[dict[str, Any], str]] = [
    ({"conditions": [{"kind": "amount_at_least", "amount": {"GBP": 1001}}]}, "conditions"),
    ({"action": {"kind": "percent", "percent": 10, "selector": {"skus": ["CUP"]}}}, "nothing_selected"),
    ({"markets": ["us"]}, "market"),
    ({"cap": {"USD": 100}}, "currency"),
    ({"budget": {"GBP": 79}}, "over_budget"),
    ({"group": "one", "priority": 1}, "better_in_group"),
    ({"action": GIFT}, "gift_unavailable"),
    ({"exclusive": True}, "exclusive"),
]


@pytest.mark.parametrize(("part", "why"), VAIN, ids=[why for _, why in VAIN])
def test_why_a_promotion_gives_the_cart_nothing_is_said(
    tmp_path: Path, part: dict[str, Any], why: str
) -> None:
    async def scenario(shop: Shop) -> None:
        us = {"market_id": "us", "countries": ["US"], "currencies": ["USD"]}
        better = TEN | {
            "promotion_id": "better",
            "group": "one",
            "action": {"kind": "percent_off", "percent": 20},
        }
        await rules(shop, markets=[us], promotions=[better])
        await shop.product("PLATE", pence=300, currency="USD")
        await rules(shop, promotions=[TEN | part])
        trial = await tried(shop, "ten", await opened(shop, "uk", MUG=1))
        assert outcome(trial) == (False, why, [], 800, 800)

    in_a_shop(tmp_path, scenario)


def test_a_gift_that_the_promotion_would_give_is_in_the_cart_that_has_it(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        cart_id = await opened(shop, "uk", MUG=1)
        gift = TEN | {"action": {"kind": "gift", "skus": ["CUP"]}}
        await rules(shop, promotions=[gift])
        trial = await tried(shop, "ten", cart_id)
        assert outcome(trial) == (True, None, [], 1000, 1000)
        (step,) = trial["with_promotion"]["explanation"]["steps"]
        assert (step["step"], step["amount"]) == ("gift", -500)
        assert trial["without_promotion"]["explanation"]["steps"] == []

    in_a_shop(tmp_path, scenario)


def test_what_is_unknown_is_not_tried(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(shop, promotions=[TEN])
        cart_id = await opened(shop, "uk", MUG=1)
        for promotion_id, cart, kind in (("gone", cart_id, "unknown-rule"), ("ten", "gone", "unknown-cart")):
            refused = await shop.post(f"/promotions/{promotion_id}/try", {"cart_id": cart})
            assert (refused.status_code, refused.json()["type"]) == (404, f"/problems/{kind}")
        with pytest.raises(Rejected) as rejected:
            try_promotion(shop.log, CODEC, promotion_id="gone", cart_id=cart_id, at=LATER)
        assert rejected.value.reason == UnknownRule("promotion", "gone")

    in_a_shop(tmp_path, scenario)


def test_only_the_operator_tries_promotions(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path, operator_token="t" * 32) as shop:
            refused = await shop.post("/promotions/ten/try", {"cart_id": "c"})
            assert refused.json()["type"] == "/problems/operator-token-required"

    asyncio.run(scenario())
