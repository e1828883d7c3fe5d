"""A list's end ends its prices: product by product, each once, whenever the process dies; and page, cart and
log agree at every position."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aggregates.catalog import price_list
from aggregates.catalog.events import (
    ListPricesWithdrawn,
    PriceChanged,
    PriceScheduleCanceled,
    PriceWithdrawn,
)
from aggregates.pricing.rules import PriceList
from commands.handlers import cart
from commands.handlers.catalog import ChangeListPrices, ListProduct, NewPrice, WithdrawListPrices
from commands.handlers.inventory import ReceiveStock
from commands.handlers.terms import DefinePriceList, EndPriceList
from commands.processes.price_list_ends import PRODUCTS_AT_ONCE, PriceListEnds
from commands.processes.schedules import Schedules
from projections.views import catalog, price_history
from projections.views.view import DocumentView
from tests.processes.test_kills import Lives
from tests.shop.commands import Shop, eventually
from tests.shop.facts import ADDING, NOON, listed
from tests.shop.log import decoded

HOUR = timedelta(hours=1)
SPRING = PriceList(list_id="spring", currency="GBP", kind="sale")
TRADE = PriceList(list_id="trade", currency="GBP", customer_groups=("trade",))
EIGHT = ((1, Decimal(8)),)


async def on_lists(shop: Shop, count: int) -> list[str]:
    """So many products, which are on both lists; their SKUs."""
    skus = [f"P{n}" for n in range(count)]
    for n in range(0, len(skus), 100):
        some = skus[n : n + 100]
        await asyncio.gather(*(shop.do(ListProduct(product=listed(sku, price="10.00"))) for sku in some))
    for head in (SPRING, TRADE):
        await shop.do(DefinePriceList(price_list=head, at=NOON))
        await price(shop, skus, list_id=head.list_id)
    return skus


async def price(shop: Shop, skus: list[str], schedule_id: str = "none", **window: Any) -> None:
    for n in range(0, len(skus), 1_000):
        prices = tuple(NewPrice(sku=sku, currency="GBP", tiers=EIGHT) for sku in skus[n : n + 1_000])
        await shop.do(
            ChangeListPrices(
                prices=prices, now=shop.now, schedule_id=schedule_id, **({"list_id": "spring"} | window)
            )
        )


def happened(shop: Shop, *kinds: type[Any]) -> list[Any]:
    return [event for _, event in decoded(shop.log, *kinds)]


def is_done(shop: Shop, list_id: str = "spring") -> bool:
    return any(event.done and event.list_id == list_id for event in happened(shop, ListPricesWithdrawn))


def withdrawals(shop: Shop) -> Counter[tuple[str, str]]:
    return Counter((event.sku, event.list_id) for event in happened(shop, PriceWithdrawn))


def at_every_position(shop: Shop, view: DocumentView[Any], sku: str) -> list[Any]:
    """The document after each event that names it."""
    document, found = None, []
    for recorded, event in decoded(shop.log):
        if type(event) in view.events and event.sku == sku:
            document = view.evolve(sku, document, event, recorded)
            found.append((recorded.position, deepcopy(document)))
    return found


def test_the_prices_of_an_ended_list_are_withdrawn_in_parts_and_no_others(shop: Shop) -> None:
    async def run() -> None:
        async with shop.open() as it:
            skus = await on_lists(it, 2_500)
            await it.do(EndPriceList(list_id="spring"))
            async with it.managers(kinds=[PriceListEnds(it.log)]):
                await eventually(lambda: is_done(it), lambda: happened(it, ListPricesWithdrawn), seconds=60)
            assert withdrawals(it) == Counter((sku, "spring") for sku in skus)
            parts = happened(it, ListPricesWithdrawn)
            assert [part.done for part in parts] == [False] * (len(skus) // PRODUCTS_AT_ONCE) + [True]
            assert list(it.state("product-P0").prices) == ["base GBP", "trade GBP"]

    asyncio.run(run())


def test_a_list_without_prices_ends_too(shop: Shop) -> None:
    async def run() -> None:
        async with shop.open() as it, it.managers(kinds=[PriceListEnds(it.log)]):
            await it.do(DefinePriceList(price_list=SPRING, at=NOON))
            await it.do(EndPriceList(list_id="spring"))
            await eventually(lambda: is_done(it), it.log.head)

    asyncio.run(run())


def test_what_is_scheduled_on_an_ended_list_never_starts_and_what_runs_ends(shop: Shop) -> None:
    async def run() -> None:
        async with shop.open() as it:
            skus = await on_lists(it, 3)
            await price(it, skus[:1], "runs", starts_at=NOON, ends_at=NOON + 3 * HOUR)
            await price(it, skus[:2], "waits", starts_at=NOON + 4 * HOUR)
            await it.do(EndPriceList(list_id="spring"))
            async with it.managers(kinds=[PriceListEnds(it.log), Schedules()]):
                await eventually(lambda: is_done(it), it.log.head)
                it.now = NOON + 5 * HOUR
            assert withdrawals(it) == Counter((sku, "spring") for sku in skus)
            canceled = [event.sku for event in happened(it, PriceScheduleCanceled)]
            assert sorted(canceled) == ["P0", "P1"]
            assert all(not it.state(f"product-{sku}").schedules for sku in skus)
            async with it.managers(kinds=[Schedules()]):
                await eventually(lambda: it.log.tracked("process schedules") == it.log.head(), lambda: None)
            assert not [event for event in happened(it, PriceChanged) if event.schedule_id == "waits"]

    asyncio.run(run())


def test_a_part_that_another_process_has_done_does_nothing(shop: Shop) -> None:
    part = WithdrawListPrices(list_id="spring", skus=("P0",), after=0, upto=5, done=False)

    async def run() -> None:
        async with shop.open() as it:
            await on_lists(it, 1)
            await it.do(EndPriceList(list_id="spring"))
            await it.do(part)
            head = it.log.head()
            await it.do(part)
            assert it.log.head() == head
            assert it.state(price_list.stream("spring")).upto == 5

    asyncio.run(run())


def test_page_history_and_cart_have_the_price_until_its_event_and_none_after(shop: Shop) -> None:
    async def added(it: Shop, cart_id: str) -> Decimal:
        await it.do(cart.OpenCart(cart_id=cart_id, currency="GBP", customer_id=None))
        await it.do(cart.AddItem(cart_id=cart_id, sku="P0", quantity=1, **ADDING))
        (line,) = it.state(f"cart-{cart_id}").lines.values()
        exact: Decimal = line.unit_price.exact
        return exact

    async def run() -> None:
        async with shop.open() as it:
            await on_lists(it, 1)
            await it.do(ReceiveStock(sku="P0", quantity=9, reason="", source="first"))
            await it.do(EndPriceList(list_id="spring"))
            before = await added(it, "1" * 32)
            async with it.managers(kinds=[PriceListEnds(it.log)]):
                await eventually(lambda: is_done(it), it.log.head)
            after = await added(it, "2" * 32)
            assert (before, after) == (Decimal(8), Decimal(10))

    asyncio.run(run())
    events = decoded(shop.log)
    (withdrawn,) = (recorded.position for recorded, event in events if type(event) is PriceWithdrawn)
    (priced,) = (
        recorded.position
        for recorded, event in events
        if type(event) is PriceChanged and event.list == SPRING
    )
    pages = at_every_position(shop, catalog.VIEW, "P0")
    for position, page in pages:
        on_sale = priced <= position < withdrawn
        assert page.price.amount == (800 if on_sale else 1_000), position
        assert (page.was is None) == (not on_sale), position
    assert [point.amount for point in pages[-1][1].price_points] == [1_000, 800, 1_000]
    ((last, history),) = at_every_position(shop, price_history.VIEW, "P0")[-1:]
    spring = next(series for series in history.series if series.list_id == "spring")
    assert (last, [point.amount for point in spring.points]) == (withdrawn, [800, None])


STEPS = (1, 2, 3, 4, 5, 6)
"""Three commands, and each append has a before and an after."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps",
    [pytest.param((1, 2, 5), id="some"), pytest.param(STEPS, id="all", marks=pytest.mark.proof)],
)
def test_killed_at_any_step_each_price_is_withdrawn_once(
    postgres_url: str, tmp_path: Path, steps: tuple[int, ...]
) -> None:
    lives = Lives(postgres_url, tmp_path)

    async def run(die_at: int) -> None:
        with lives.fresh() as (shop, dying):
            async with shop.open() as it:
                skus = await on_lists(it, 2_500)
                await it.do(EndPriceList(list_id="spring"))
                with dying.working("price_list_ends", die_at=die_at) as process:
                    await asyncio.to_thread(process.join, 60)
                    assert process.exitcode == -signal.SIGKILL, dying.steps
                assert len(withdrawals(it)) == min(len(skus), die_at // 2 * PRODUCTS_AT_ONCE)
                with dying.working("price_list_ends"):
                    await eventually(lambda: is_done(it), lambda: len(withdrawals(it)))
                assert withdrawals(it) == Counter((sku, "spring") for sku in skus)

    for die_at in steps:
        asyncio.run(run(die_at))
