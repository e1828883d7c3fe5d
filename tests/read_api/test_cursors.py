"""Cursors of every list: read by any process of the API, before a rebuild of its view and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from aggregates.credit.events import AccountOpened, Credited
from aggregates.kernel import Money
from aggregates.terms.events import MarketDefined, PriceListDefined, PromotionDefined, ShippingMethodDefined
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.shop.facts import placed
from tests.shop.views import ViewShop
from tests.terms.samples import BRITAIN, POST, TRADE, ten_percent
from tests.waiting import SECONDS_MAX

LISTS = [
    "/api/v1/products",
    "/api/v1/products?sort=price_desc",
    "/api/v1/products?sort=newest",
    "/api/v1/search?q=mug",
    "/api/v1/search?q=mug&sort=price_asc",
    "/api/v1/bestsellers",
    "/api/v1/bestsellers?window=month",
    "/api/v1/markets",
    "/api/v1/shipping-methods",
    "/api/v1/promotions",
    "/api/v1/price-lists",
    "/api/v1/customers/anna/orders",
    "/api/v1/inventory?low=true",
    "/api/v1/credit/card",
]
SEVERAL = range(7)


@pytest.fixture
def processes(shop: ViewShop, query_settings: QuerySettings) -> Iterator[list[httpx.Client]]:
    """Two processes of the API over one shop, which has seven of everything."""
    skus = [f"MUG-{n}" for n in SEVERAL]
    for n, sku in enumerate(skus):
        shop.lists(sku, price=f"{n % 3 + 1}.00", quantity=n % 3 + 1)
    shop.happens(*(placed(f"o{n}", sku, n % 3 + 1, customer_id="anna") for n, sku in enumerate(skus)))
    shop.happens(
        *(MarketDefined(market=replace(BRITAIN, market_id=f"m{n}")) for n in SEVERAL),
        *(PriceListDefined(price_list=replace(TRADE, list_id=f"l{n}")) for n in SEVERAL),
        *(ShippingMethodDefined(method=replace(POST, method_id=f"s{n}", markets=())) for n in SEVERAL),
        *(PromotionDefined(promotion=ten_percent(f"p{n}", announce=True)) for n in SEVERAL),
        AccountOpened(account_id="card", kind="gift_card", currency="GBP"),
        *(Credited(account_id="card", amount=Money(n + 1, "GBP"), cause="issued") for n in SEVERAL),
    )
    with (
        running(build_query_app(query_settings, ready_position=lambda: 0)) as one,
        running(build_query_app(query_settings, ready_position=lambda: 0)) as another,
        httpx.Client(base_url=one, timeout=SECONDS_MAX) as first,
        httpx.Client(base_url=another, timeout=SECONDS_MAX) as second,
    ):
        yield [first, second]


def page(client: httpx.Client, path: str, **parameters: Any) -> tuple[list[Any], str | None]:
    """The items and the next cursor."""
    answer = client.get(httpx.URL(path).copy_merge_params(parameters))
    assert answer.status_code == 200, (path, answer.text)
    found = answer.json()
    return found["items"] if "items" in found else found["movements"], found["next"]


def identities(items: list[Any]) -> list[Any]:
    """What of each item no rebuild changes."""
    return [{name: value for name, value in item.items() if name != "position"} for item in items]


@pytest.mark.parametrize("path", LISTS)
def test_a_walk_over_two_processes_and_a_rebuild_meets_each_item_once(
    shop: ViewShop, processes: list[httpx.Client], path: str
) -> None:
    everything, end = page(processes[0], path, limit=1_000)
    assert len(everything) >= len(SEVERAL), path
    assert end is None
    walked, cursor = page(processes[0], path, limit=2)
    turn = 0
    while cursor is not None:
        turn += 1
        if turn == 2:
            shop.rebuilds()
        items, cursor = page(processes[turn % 2], path, limit=2, cursor=cursor)
        walked += items
    assert identities(walked) == identities(everything)


def test_no_list_takes_another_lists_cursor(shop: ViewShop, processes: list[httpx.Client]) -> None:
    client = processes[0]
    cursors = {path: page(client, path, limit=2)[1] for path in LISTS}
    assert None not in cursors.values()
    for path in LISTS:
        for other, cursor in cursors.items():
            if other == path:
                continue
            answer = client.get(httpx.URL(path).copy_merge_params({"limit": 2, "cursor": cursor}))
            assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-cursor"), (
                path,
                other,
            )
