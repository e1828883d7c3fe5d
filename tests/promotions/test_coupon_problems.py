"""Everything that a coupon can be refused for: when it is entered, and when the cart is checked out."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregates.kernel import Rejected
from aggregates.orders.events import OrderPlaced
from aggregates.promotions.coupon import UnknownCoupon
from commands.handlers.cart import EnterCoupon
from commands.loop.decision import ANONYMOUS, Context
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.commands.test_priced_carts import MARKET, opened, rules, shown
from tests.shop.facts import CODEC
from tests.shop.http import CHECKOUT, Shop, key, open_shop

BY_CODE = {
    "promotion_id": "ten",
    "label": "10 % off",
    "automatic": False,
    "action": {"kind": "percent_off", "percent": 10},
}
SOON = "2199-01-01T00:00:00Z"


def in_a_shop(folder: Path, scenario: Any, **settings: Any) -> MemoryLog:
    """Mugs cost 10.00; the log is sound in the end."""
    log = MemoryLog()

    async def run() -> None:
        async with open_shop(log, folder, **settings) as shop:
            await shop.product("MUG", units=99, pence=1000)
            await rules(shop, markets=[MARKET])
            await scenario(shop)

    asyncio.run(run())
    found: list[str] = []
    verify(log, CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []
    return log


async def enter(shop: Shop, cart_id: str, code: str) -> httpx.Response:
    return await shop.post(f"/carts/{cart_id}/coupons", {"code": code})


async def entered(shop: Shop, *codes: str, mugs: int = 1) -> str:
    """A cart that has the codes."""
    cart_id = await opened(shop, "uk", MUG=mugs)
    for code in codes:
        answer = await enter(shop, cart_id, code)
        assert answer.status_code == 200, answer.text
    return cart_id


async def refusal(shop: Shop, answer: httpx.Response, head: int) -> tuple[int, str, dict[str, Any]]:
    """The problem; nothing was written for it."""
    problem = answer.json()
    assert shop.log.head() == head
    facts = {name: problem[name] for name in problem.keys() - {"type", "title", "status", "detail"}}
    return answer.status_code, problem["type"].removeprefix("/problems/"), facts


def notices(shop: Shop, cart_id: str) -> list[tuple[str, str]]:
    return [(one["kind"], one["why"]) for one in shown(shop, cart_id)["notices"]]


def coupon(code: str, **facts: Any) -> dict[str, Any]:
    return {"code": code, "promotion_id": "ten", **facts}


def test_codes_that_do_not_count_are_refused_alike_when_they_are_entered(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(
            shop,
            promotions=[
                BY_CODE,
                BY_CODE | {"promotion_id": "ended"},
                BY_CODE | {"promotion_id": "over", "ends_at": SOON},
            ],
            coupons=[
                coupon("REVOKED"),
                coupon("LATER", starts_at=SOON),
                coupon("BRIEF", ends_at=SOON),
                coupon("OF-ENDED", promotion_id="ended"),
                coupon("OF-OVER", promotion_id="over"),
            ],
        )
        await shop.post("/coupons/REVOKED/revoke")
        await shop.post("/promotions/ended/end")
        cart_id = await opened(shop, "uk", MUG=1)
        head = shop.log.head()
        for code in ("NOBODYS", "REVOKED", "LATER", "OF-ENDED"):
            refused = await refusal(shop, await enter(shop, cart_id, code.lower()), head)
            assert refused == (404, "unknown-coupon", {"code": code})
        soon = datetime.fromisoformat(SOON)
        for code in ("BRIEF", "OF-OVER"):
            late = EnterCoupon(cart_id=cart_id, code=code, coupons_max=5, at=soon, locked_until=soon)
            with pytest.raises(Rejected) as rejected:
                await shop.handling.handle(late, Context(actor=ANONYMOUS, channel="api"))
            assert rejected.value.reason == UnknownCoupon(code)
        assert shop.log.head() == head

    in_a_shop(tmp_path, scenario)


def test_codes_that_can_never_apply_to_the_cart_or_are_too_many_are_refused_with_why(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        us = {"market_id": "us", "countries": ["US"], "currencies": ["USD"]}
        await shop.product("PLATE", pence=900, currency="USD")
        await rules(
            shop,
            markets=[us],
            promotions=[
                BY_CODE,
                BY_CODE | {"promotion_id": "american", "markets": ["us"]},
                BY_CODE | {"promotion_id": "dollars", "cap": {"USD": 100}},
            ],
            coupons=[
                coupon("US-ONLY", promotion_id="american"),
                coupon("DOLLARS", promotion_id="dollars"),
                *(coupon(f"TEN-{n}") for n in range(3)),
            ],
        )
        cart_id = await entered(shop, "TEN-0")
        head = shop.log.head()
        for code, why in (("US-ONLY", "market"), ("DOLLARS", "currency")):
            refused = await refusal(shop, await enter(shop, cart_id, code), head)
            assert refused == (409, "coupon-unfit", {"code": code, "why": why})
        assert (await enter(shop, cart_id, "TEN-1")).status_code == 200
        head = shop.log.head()
        refused = await refusal(shop, await enter(shop, cart_id, "TEN-2"), head)
        assert refused == (409, "coupon-limit", {"max": 2})
        again = await enter(shop, cart_id, "ten-1")
        assert (again.status_code, shop.log.head()) == (200, head)

    in_a_shop(tmp_path, scenario, coupons_max=2)


def test_why_a_code_in_the_cart_does_not_apply_stands_in_its_notices(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        conditions = [{"kind": "amount_at_least", "amount": {"GBP": 2000}}]
        await rules(
            shop,
            promotions=[
                BY_CODE | {"conditions": conditions},
                BY_CODE | {"promotion_id": "later", "starts_at": SOON},
                BY_CODE | {"promotion_id": "ended"},
            ],
            coupons=[
                coupon("BIG"),
                coupon("LATER", promotion_id="later"),
                coupon("GONE", promotion_id="ended"),
            ],
        )
        cart_id = await entered(shop, "BIG", "LATER", "GONE")
        await shop.post("/promotions/ended/end")
        await shop.post(f"/carts/{cart_id}/quote")
        whys = [("coupon_not_applied", why) for why in ("conditions", "window", "window")]
        assert notices(shop, cart_id) == whys
        placed = await shop.checkout(cart_id)  # what does not apply holds no order up
        assert placed.status_code == 201, placed.text

    (order,) = [one for one in _events(in_a_shop(tmp_path, scenario)) if isinstance(one, OrderPlaced)]
    assert (order.total.amount, order.claims) == (1000, ())


def _events(log: MemoryLog) -> list[Any]:
    return [CODEC.decode(one) for one in log.read_all(after=0, limit=10_000)]


def test_a_used_up_or_revoked_code_is_refused_by_name_at_checkout(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(shop, promotions=[BY_CODE], coupons=[coupon("ONCE", uses_max=1), coupon("FREE")])
        first, second, third = [await entered(shop, code) for code in ("ONCE", "ONCE", "FREE")]
        assert (await shop.checkout(first)).status_code == 201
        await shop.post("/coupons/FREE/revoke")
        head = shop.log.head()
        refused = await refusal(shop, await shop.checkout(second), head)
        assert refused == (409, "coupon-used-up", {"code": "ONCE"})
        refused = await refusal(shop, await enter(shop, third, "ONCE"), head)
        assert refused == (409, "coupon-used-up", {"code": "ONCE"})
        refused = await refusal(shop, await shop.checkout(third), head)
        assert refused == (404, "unknown-coupon", {"code": "FREE"})
        for cart_id, code in ((second, "ONCE"), (third, "FREE")):  # without it, they are checked out
            await shop.client.delete(f"/api/v1/carts/{cart_id}/coupons/{code}")
            assert (await shop.checkout(cart_id)).status_code == 201

    in_a_shop(tmp_path, scenario)


@pytest.mark.parametrize("spent", [[], ["ONE"], ["ONE", "TWO"]])
def test_of_two_codes_of_one_promotion_the_first_that_can_be_used_counts_and_is_claimed(
    tmp_path: Path, spent: list[str]
) -> None:
    async def scenario(shop: Shop) -> None:
        codes = ("ONE", "TWO", "THREE")
        await rules(shop, promotions=[BY_CODE], coupons=[coupon(code, uses_max=1) for code in codes])
        cart_id = await entered(shop, *codes)
        assert shown(shop, cart_id)["total"]["amount"] == 900  # once, however many codes
        for code in spent:
            assert (await shop.checkout(await entered(shop, code))).status_code == 201
        assert (await shop.checkout(cart_id)).status_code == 201

    log = in_a_shop(tmp_path, scenario)
    *_, order = [one for one in _events(log) if isinstance(one, OrderPlaced)]
    counted = ("ONE", "TWO", "THREE")[len(spent)]
    assert [one.key for one in order.claims] == [counted]
    assert order.context.codes == {counted: "ten"}
    assert order.total.amount == 900


def test_where_no_code_of_a_promotion_can_be_used_the_first_is_refused(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(shop, promotions=[BY_CODE], coupons=[coupon("ONE", uses_max=1), coupon("TWO")])
        cart_id = await entered(shop, "ONE", "TWO")
        assert (await shop.checkout(await entered(shop, "ONE"))).status_code == 201
        await shop.post("/coupons/TWO/revoke")
        head = shop.log.head()
        refused = await refusal(shop, await shop.checkout(cart_id), head)
        assert refused == (409, "coupon-used-up", {"code": "ONE"})

    in_a_shop(tmp_path, scenario)


def test_a_promotion_that_ended_meanwhile_shows_in_the_total_and_not_as_a_wrong_code(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(shop, promotions=[BY_CODE], coupons=[coupon("CODE", uses_max=1)])
        cart_id = await entered(shop, "CODE")
        await shop.post("/promotions/ten/end")
        head = shop.log.head()
        status, kind, facts = await refusal(shop, await shop.checkout(cart_id), head)
        assert (status, kind) == (409, "total-changed")
        assert [facts[name]["amount"] for name in ("quoted", "shown", "total")] == [900, 900, 1000]
        assert facts["differences"] == [{"kind": "discount", "label": "10 % off", "from": -100, "to": 0}]

    in_a_shop(tmp_path, scenario)


def test_a_refused_total_tells_what_was_agreed_to_from_what_the_cart_shows(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(shop, promotions=[BY_CODE], coupons=[coupon("CODE")])
        cart_id = await entered(shop, "CODE")
        await shop.post("/promotions/ten/end")
        agreed = CHECKOUT | {"total": {"amount": 950, "currency": "GBP"}}
        refused = (await shop.post(f"/carts/{cart_id}/checkout", agreed, **key())).json()
        assert [refused[name]["amount"] for name in ("quoted", "shown", "total")] == [950, 900, 1000]
        change = sum(one["to"] - one["from"] for one in refused["differences"])
        assert change == refused["total"]["amount"] - refused["shown"]["amount"]
        await shop.post(f"/carts/{cart_id}/quote")  # in another window, say
        refused = (await shop.post(f"/carts/{cart_id}/checkout", agreed, **key())).json()
        assert [refused[name]["amount"] for name in ("quoted", "shown", "total")] == [950, 1000, 1000]
        assert refused["differences"] == []

    in_a_shop(tmp_path, scenario)


async def answers(shop: Shop, cart_id: str, codes: list[str], client: str) -> Counter[int]:
    """What a client is answered who sends all these codes at once."""
    app = shop.client._transport.app  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app, client=(client, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as one:
        sent = [one.post(f"/api/v1/carts/{cart_id}/coupons", json={"code": code}) for code in codes]
        return Counter(answer.status_code for answer in await asyncio.gather(*sent))


def test_a_client_with_many_wrong_codes_is_refused_for_a_while_and_no_other_is(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await rules(shop, promotions=[BY_CODE], coupons=[coupon("RIGHT")])
        cart_id = await opened(shop, "uk", MUG=1)
        right, wrong = ["RIGHT"] * 30, [f"WRONG-{n}" for n in range(30)]
        assert await answers(shop, cart_id, right, "10.0.0.1") == {200: 30}
        assert await answers(shop, cart_id, wrong, "10.0.0.1") == {404: 5, 429: 25}
        assert await answers(shop, cart_id, right, "10.0.0.1") == {429: 30}
        assert await answers(shop, cart_id, right + wrong[:4], "10.0.0.2") == {200: 30, 404: 4}

    in_a_shop(tmp_path, scenario, wrong_codes_per_minute=5)
