"""What is paid depends on where it goes, and not on how that is written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregates.orders.events import OrderPlaced
from commands.regions import region_code
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.commands.test_priced_carts import opened, rules, shown
from tests.shop.facts import CODEC
from tests.shop.http import CHECKOUT, Shop, key, open_shop

MARKET = {"market_id": "us", "countries": ["US", "GB"], "currencies": ["GBP"], "tax_pricing": "exclusive"}


def rates(percent: int) -> list[dict[str, Any]]:
    return [{"tax_category": "standard", "components": [{"name": "Tax", "percent": percent}]}]


NEW_YORK = {"area_id": "ny", "country": "US", "regions": ["New York"], "rates": rates(4)}
CITY = NEW_YORK | {"area_id": "nyc", "postal_prefixes": ["112"], "rates": rates(9)}


def in_a_shop(folder: Path, scenario: Callable[[Shop], Awaitable[None]]) -> list[OrderPlaced]:
    """Mugs cost 10.00 without tax; the orders."""
    log = MemoryLog()

    async def run() -> None:
        async with open_shop(log, folder) as shop:
            home = await shop.client.put("/api/v1/home", json={"country": "US", "tax_included": False})
            assert home.status_code == 201, home.text
            await shop.product("MUG", units=99, pence=1000)
            await rules(shop, markets=[MARKET], tax_areas=[NEW_YORK, CITY])
            await scenario(shop)

    asyncio.run(run())
    found: list[str] = []
    verify(log, CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []
    events = [CODEC.decode(one) for one in log.read_all(after=0, limit=10_000)]
    return [one for one in events if isinstance(one, OrderPlaced)]


async def deliver(shop: Shop, cart_id: str, **where: str) -> httpx.Response:
    return await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json={"country": "US"} | where)


async def check_out(shop: Shop, cart_id: str, **where: str) -> httpx.Response:
    address = CHECKOUT["shipping_address"] | {"country": "US"} | where  # type: ignore[operator]
    agreed = {"amount": 100_000, "currency": "GBP"}
    body = CHECKOUT | {"shipping_address": address, "total": agreed}
    return await shop.post(f"/carts/{cart_id}/checkout", body, **key())


@pytest.mark.parametrize("region", ["NY", "ny", "New York", "NEW-YORK", "US-NY", "\uff2e\uff39"])
@pytest.mark.parametrize(
    ("postal_code", "total"), [("11201", 1090), ("\uff11\uff11\uff12 01", 1090), ("12201", 1040)]
)
def test_however_a_place_is_written_its_tax_is_due(
    tmp_path: Path, region: str, postal_code: str, total: int
) -> None:
    async def scenario(shop: Shop) -> None:
        cart_id = await opened(shop, "us", MUG=1)
        chosen = await deliver(shop, cart_id, region=region)
        assert chosen.status_code == 200, chosen.text
        assert shown(shop, cart_id)["total"]["amount"] == 1040
        placed = await check_out(shop, cart_id, region=region, postal_code=postal_code)
        assert placed.status_code == 201, placed.text

    (order,) = in_a_shop(tmp_path, scenario)
    assert order.total.amount == total
    assert order.context is not None
    assert order.context.destination is not None
    assert order.context.destination.region == "NY"


def test_a_region_that_there_is_not_is_refused_where_a_price_depends_on_it(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        cart_id = await opened(shop, "us", MUG=1)
        head = shop.log.head()
        for refused, field in (
            (await deliver(shop, cart_id, region="Nowhere"), "region"),
            (await check_out(shop, cart_id, region="N/A"), "shipping_address.region"),
        ):
            problem = refused.json()
            assert (refused.status_code, problem["type"]) == (422, "/problems/region-unfit")
            assert problem["errors"] == [{"field": f"body.{field}", "message": "is no region of US"}]
        assert shop.log.head() == head
        unknown = await deliver(shop, "0" * 40, region="Nowhere")
        assert unknown.json()["type"] == "/problems/unknown-cart"

    assert in_a_shop(tmp_path, scenario) == []


def test_regions_that_no_rule_names_are_taken_as_they_are_written(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        cart_id = await opened(shop, "us", MUG=1)
        chosen = await deliver(shop, cart_id, country="GB", region="the north")
        assert chosen.status_code == 200, chosen.text
        assert shown(shop, cart_id)["delivery"]["region"] == "the north"
        chosen = await deliver(shop, cart_id, region="california")  # named by none, and yet one
        assert chosen.status_code == 200, chosen.text
        assert (await check_out(shop, cart_id, region="california")).status_code == 201

    (order,) = in_a_shop(tmp_path, scenario)
    assert order.total.amount == 1000


def test_regions_have_their_codes_by_any_name() -> None:
    named = [("US", "texas", "TX"), ("CA", "Québec", "QC"), ("CA", "quebec", "QC"), ("ES", "álava", "VI")]
    named += [("IT", "IT-AG", "AG"), ("JP", "hokkaido", "北海道")]
    assert [region_code(country, written) for country, written, _ in named] == [code for *_, code in named]
    assert region_code("US", "Ontario") is None
    assert region_code("GB", "North Wales") == region_code("GB", "north-wales")


def test_a_cart_of_a_market_that_was_retired_is_not_checked_out(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        cart_id = await opened(shop, "us", MUG=1)
        await deliver(shop, cart_id, region="NY")
        await shop.post("/markets/us/retire")
        head = shop.log.head()
        refused = await check_out(shop, cart_id, region="NY")
        assert (refused.status_code, refused.json()["type"]) == (404, "/problems/unknown-market")
        assert shop.log.head() == head
        await rules(shop, markets=[MARKET])
        assert (await check_out(shop, cart_id, region="NY")).status_code == 201

    (order,) = in_a_shop(tmp_path, scenario)
    assert order.total.amount == 1040
