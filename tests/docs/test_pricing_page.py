"""docs/pricing.md: its carts cost in the sample shop what it shows, every body in it is accepted by a
shop, and every action and condition has one."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import date
from pathlib import Path
from typing import Any, get_args

import msgspec

from aggregates.kernel import Money
from aggregates.pricing.rules import ActionKind, ConditionKind
from commands.gift_codes import GiftCodes
from commands.handlers.credit import IssueGiftCard
from commands.loop.decision import ANONYMOUS, Context
from deploy.sample.filling import fill_shop
from deploy.sample.gift_cards import issued_account
from event_store.memory.log import MemoryLog
from projections.views import cart as cart_view
from tests.projections.memory_views import MemoryView
from tests.shop.facts import CODEC, DAY
from tests.shop.http import Shop, key, open_shop
from tests.shop.log import decoded

PAGE = Path(__file__).parents[2] / "docs" / "pricing.md"


def bodies() -> list[dict[str, Any]]:
    """The JSON blocks of the page, in its order."""
    found = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [json.loads(block) for block in found]


def carts() -> list[tuple[str, dict[str, Any]]]:
    """The commands that fill each of its carts, and what it shows of the cart's document."""
    found = re.findall(
        r"^```sh\n(CART=.*?)^```$.*?^```text\n(.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return [(commands, json.loads(shown)) for commands, shown in found]


async def filled(shop: Shop, commands: str) -> str:
    """The id of the cart that these commands fill."""
    opened, delivery = (
        json.loads(re.findall(rf"{name} '(.*?)'", commands)[0]) for name in ("cart", "deliver")
    )
    path = f"/carts/{(await shop.post('/carts', opened)).json()['id']}"
    for sku, quantity in re.findall(r"add (\S+) (\d+)", commands):
        added = await shop.post(f"{path}/items", {"sku": sku, "quantity": int(quantity)})
        assert added.status_code == 201, added.text
    chosen = await shop.client.put(f"/api/v1{path}/delivery", json=delivery)
    assert chosen.status_code == 200, chosen.text
    for body in re.findall(r"/coupons .*-d '(.*?)'", commands):
        entered = await shop.post(f"{path}/coupons", json.loads(body))
        assert entered.status_code == 200, entered.text
    return path.removeprefix("/carts/")


def without_times(part: Any) -> Any:
    """The part without what is another each time."""
    if isinstance(part, list):
        return [without_times(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {name: without_times(one) for name, one in part.items() if name != "locked_until"}


def test_the_carts_of_the_page_cost_in_the_sample_shop_what_it_shows(tmp_path: Path) -> None:
    async def fill_carts() -> None:
        log = MemoryLog()
        await fill_shop(log, CODEC, today=date(2026, 3, 1))
        async with open_shop(log, tmp_path) as shop:
            ids = [await filled(shop, commands) for commands, _ in carts()]
        view = MemoryView(cart_view.VIEW)
        view.apply(decoded(log))
        assert len(ids) == 3
        for cart_id, (_, shown) in zip(ids, carts(), strict=True):
            document = without_times(msgspec.json.decode(view.documents[cart_id]))
            names = shown.keys() - {"id", "position", "quote"}
            assert {name: document.get(name) for name in names} == {
                name: without_times(shown[name]) for name in names
            }

    asyncio.run(fill_carts())


def test_a_code_that_was_used_before_is_refused_as_the_page_shows(tmp_path: Path) -> None:
    async def pay_twice() -> None:
        log = MemoryLog()
        await fill_shop(log, CODEC, today=date(2026, 3, 1))
        async with open_shop(log, tmp_path) as shop:
            placed, refused = [
                await shop.checkout(await filled(shop, CANDLES_WITH_THE_CODE), wait=False) for _ in range(2)
            ]
        assert placed.status_code == 201, placed.text
        answered = refused.json()
        assert answered.pop("detail")
        assert answered == refusal()

    asyncio.run(pay_twice())


def refusal() -> dict[str, Any]:
    """The problem that the page shows."""
    found = re.findall(r'^```text\n(\{"type".*?)^```$', PAGE.read_text(encoding="utf-8"), re.M | re.DOTALL)
    assert len(found) == 1
    problem: dict[str, Any] = json.loads(found[0])
    return problem


CANDLES_WITH_THE_CODE = """
CART=$(cart '{"currency":"GBP","market":"uk"}')
add CANDLE-FIG 2
deliver '{"country":"GB","postal_code":"YO1 7EP","method_id":"uk-post"}'
curl -s -X POST $C/carts/$CART/coupons -H "$JSON" -d '{"code":"WELCOME10"}'
"""


def conditions(body: dict[str, Any]) -> list[str]:
    """The kinds of its conditions, those within `any_of` too."""
    listed = body.get("conditions", [])
    return [one["kind"] for each in listed for one in (each, *each.get("any_of", []))]


async def path_of(shop: Shop, body: dict[str, Any]) -> str:
    """The route that the body is for."""
    if "credits" in body:
        codes = GiftCodes(shop.log.installation_secret())
        worth = Money(10_000, "GBP")
        card = IssueGiftCard(account_id=issued_account(codes), amount=worth, expires_on=None, today=DAY)
        await shop.handling.handle(card, Context(actor=ANONYMOUS, channel="test"))
        return f"/carts/{await shop.cart(MUG=2)}/checkout"
    if "amount" in body:
        return "/customers/17850/credit" if "reason" in body else "/gift-cards"
    return "/coupons" if "code" in body else "/promotions"


def test_every_body_of_the_page_is_accepted(tmp_path: Path) -> None:
    async def post_all() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=9, pence=1000)
            for body in bodies():
                response = await shop.post(await path_of(shop, body), body, **key())
                assert response.status_code == 201, (body, response.text)

    asyncio.run(post_all())


def test_every_action_and_every_condition_has_a_body() -> None:
    promotions = [body for body in bodies() if "action" in body]
    assert {body["action"]["kind"] for body in promotions} == set(get_args(ActionKind))
    assert {kind for body in promotions for kind in conditions(body)} == set(get_args(ConditionKind))
