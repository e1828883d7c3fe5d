"""What sold best in the newest days, over real stores."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from redis import Redis

from aggregates.catalog.events import ProductDelisted
from event_store.memory.log import MemoryLog
from projections.documents.redis_reader import RedisReader
from projections.redis.build import RedisBuild
from projections.views import bestseller_days
from read_api.bestseller_windows import DAYS, BestsellerWindows
from tests.read_api.test_lists import walk
from tests.shop.facts import given_up, listed, placed
from tests.shop.views import ViewShop

PATH = "/api/v1/bestsellers"
TODAY = date(2026, 3, 31)


def sold(order_id: str, sku: str, units: int = 1, *, days_ago: int = 0) -> Any:
    return placed(order_id, sku, units, placed_on=TODAY - timedelta(days=days_ago))


def ranked(api: httpx.Client, window: str, **parameters: Any) -> list[tuple[str, int]]:
    return [(item["sku"], item["units"]) for item in walk(api, PATH, window=window, **parameters)]


def test_a_window_ends_at_the_newest_day_and_has_so_many_days(shop: ViewShop, api: httpx.Client) -> None:
    ages = {"A": 0, "B": 1, "C": 6, "D": 7, "E": 29, "F": 30}
    shop.lists(*ages)
    shop.happens(*(sold(f"o{sku}", sku, 10 - n, days_ago=age) for n, (sku, age) in enumerate(ages.items())))
    assert ranked(api, "day") == [("A", 10)]
    assert ranked(api, "week") == [("A", 10), ("B", 9), ("C", 8)]
    assert ranked(api, "month") == [("A", 10), ("B", 9), ("C", 8), ("D", 7), ("E", 6)]
    assert len(walk(api, PATH)) == 6


def test_what_sold_only_earlier_falls_out_when_the_newest_day_moves_on(
    shop: ViewShop, api: httpx.Client
) -> None:
    shop.lists("MUG", "CUP")
    shop.happens(sold("o1", "MUG", 9, days_ago=6), sold("o2", "CUP", 1))
    assert ranked(api, "week") == [("MUG", 9), ("CUP", 1)]
    shop.happens(sold("o3", "CUP", 1, days_ago=-1))
    assert ranked(api, "week") == [("CUP", 2)]
    assert ranked(api, "month") == [("MUG", 9), ("CUP", 2)]


def test_a_canceled_order_leaves_every_window_that_had_it(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG", "CUP")
    old = sold("o1", "MUG", 5, days_ago=3)
    shop.happens(old, sold("o2", "CUP", 1))
    assert ranked(api, "week") == [("MUG", 5), ("CUP", 1)]
    shop.happens(given_up(old))
    assert ranked(api, "week") == [("CUP", 1)]


def test_delisted_products_are_passed_over_and_pages_stay_full(shop: ViewShop, api: httpx.Client) -> None:
    names = [f"S{n:03}" for n in range(150)]
    shop.happens(*(listed(sku) for sku in names))
    shop.happens(*(sold(f"o{sku}", sku, n + 1) for n, sku in enumerate(names)))
    shop.happens(*(ProductDelisted(sku=sku, reason="gone") for sku in names[1:140]))
    left = [(sku, n + 1) for n, sku in enumerate(names) if not 1 <= n < 140][::-1]
    assert ranked(api, "day", limit=4) == ranked(api, "day") == left
    first = api.get(PATH, params={"window": "day", "limit": 11}).json()
    assert len(first["items"]) == 11


def test_equal_units_are_in_one_order_in_every_window(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("A", "B", "C")
    shop.happens(*(sold(f"o{sku}", sku) for sku in "BCA"))
    ever = [(item["sku"], item["units"]) for item in walk(api, PATH)]
    assert ranked(api, "day") == ranked(api, "month", limit=1) == ever


def test_a_cursor_belongs_to_its_window(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("A", "B")
    shop.happens(sold("o1", "A"), sold("o2", "B"))
    following = api.get(PATH, params={"window": "day", "limit": 1}).json()["next"]
    for parameters in ({"window": "week"}, {}):
        answer = api.get(PATH, params={**parameters, "cursor": following})
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-cursor")


@pytest.mark.parametrize("parameters", [{}, {"window": "month"}])
def test_what_sells_or_leaves_while_somebody_pages_moves_no_other_product(
    shop: ViewShop, api: httpx.Client, parameters: dict[str, str]
) -> None:
    names = [f"S{n}" for n in range(9)]
    shop.lists(*names)
    shop.happens(*(sold(f"o{sku}", sku, 10 if n < 6 else 5) for n, sku in enumerate(names)))

    def page(cursor: str | None) -> dict[str, Any]:
        following = {} if cursor is None else {"cursor": cursor}
        answered: dict[str, Any] = api.get(PATH, params={**parameters, "limit": 2, **following}).json()
        return answered

    pages = [page(None)]
    assert [item["sku"] for item in pages[0]["items"]] == ["S5", "S4"]
    shop.happens(sold("o-late", "S0", 9), ProductDelisted(sku="S5", reason="gone"))
    while pages[-1]["next"]:
        pages.append(page(pages[-1]["next"]))
    after = [item["sku"] for one in pages[1:] for item in one["items"]]
    assert after == ["S3", "S2", "S1", "S8", "S7", "S6"]


def test_a_shop_that_sold_nothing_has_no_bestsellers(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("A")
    assert ranked(api, "month") == []


def test_a_view_that_is_built_anew_is_read_anew(shop: ViewShop, api: httpx.Client, fresh_redis: str) -> None:
    shop.lists("A", "B")
    shop.happens(sold("o1", "A", 2), sold("o2", "B", 1))
    assert ranked(api, "day") == [("A", 2), ("B", 1)]
    with Redis.from_url(fresh_redis) as redis:
        redis.flushdb()
    shop.begins_anew()
    shop.notices_losses()
    shop.lists("A", "B")
    shop.happens(sold("o1", "B", 7))
    assert ranked(api, "day") == [("B", 7)]


@pytest.fixture(params=[1, 3])
def days(fresh_redis: str, request: pytest.FixtureRequest) -> Iterator[ViewShop]:
    """The days alone, on so many shards."""
    shop = ViewShop(RedisBuild(bestseller_days.VIEW, fresh_redis, MemoryLog(), shards=request.param))
    shop.happens()
    yield shop
    shop.close()


def test_whatever_changes_between_two_requests_a_window_is_the_sum_of_its_days(
    days: ViewShop, fresh_redis: str
) -> None:
    chance = random.Random(4)
    stand: list[Any] = []

    async def check() -> None:
        documents = RedisReader(fresh_redis)
        windows = BestsellerWindows(documents)
        try:
            for number in range(150):
                if stand and chance.random() < 0.2:
                    days.happens(given_up(stand.pop(chance.randrange(len(stand)))))
                else:
                    ago = chance.choice([0, 0, 1, 5, 8, 28, 40]) - number // 3
                    stand.append(sold(f"o{number}", chance.choice("ABC"), chance.randint(1, 9), days_ago=ago))
                    days.happens(stand[-1])
                if chance.random() < 0.6:
                    window = chance.choice(list(DAYS))
                    found = await windows.sold(window)
                    assert found.position == days.position
                    assert found.ranked == added_up(days, stand, DAYS[window]), (number, window)
        finally:
            await documents.close()

    asyncio.run(check())


def added_up(days: ViewShop, stand: list[Any], count: int) -> list[tuple[str, int]]:
    """Counted from the orders that stand, up to the newest day of all orders."""
    newest = max(event.placed_on for event in days.events)
    sums: Counter[str] = Counter()
    for one in stand:
        if (newest - one.placed_on).days < count:
            sums.update({line.sku: line.quantity for line in one.lines})
    return sorted(sums.items(), key=lambda one: (one[1], one[0]), reverse=True)


def test_all_who_ask_at_the_same_time_share_what_is_read(days: ViewShop, fresh_redis: str) -> None:
    days.happens(sold("o1", "A", 2))

    async def crowd() -> int:
        documents = CountingReader(fresh_redis)
        windows = BestsellerWindows(documents)
        found = await asyncio.gather(*(windows.sold("week") for _ in range(50)))
        assert {tuple(one.ranked) for one in found} == {(("A", 2),)}
        await windows.sold("week")
        await documents.close()
        return documents.days_read

    assert asyncio.run(crowd()) == 1


class CountingReader(RedisReader):
    """Counts the documents that are read."""

    days_read = 0

    async def documents(self, view: str, document_keys: Any) -> Any:
        self.days_read += len(document_keys)
        return await super().documents(view, document_keys)
