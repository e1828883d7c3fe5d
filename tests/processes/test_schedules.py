"""Prices start and end at their moments, once each, whenever the process dies; promotions are reported so."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from aggregates.catalog.events import PriceChanged, PriceScheduled, PriceWithdrawn
from aggregates.pricing.rules import Action, PriceList, Promotion
from aggregates.terms.events import PromotionEnded, PromotionStarted
from aggregates.terms.promotions import Units
from commands.codec import CODEC
from commands.handlers.catalog import (
    CancelPriceSchedule,
    ChangeListPrices,
    ChangePrice,
    DelistProduct,
    ListProduct,
    NewPrice,
)
from commands.handlers.schedules import RunSchedules
from commands.handlers.terms import DefinePriceList, DefinePromotion
from commands.loop.snapshots import Snapshots
from commands.loop.state_cache import Missing, StateCache
from commands.processes.following import PREPARED_AHEAD, checkpoint_of
from commands.processes.kind import AT_ONCE
from commands.processes.manager import utc_now
from commands.processes.schedules import Schedules
from tests.processes.test_progress import Workers, postgres_shop, workers  # noqa: F401 - fixtures
from tests.shop.commands import eventually
from tests.shop.facts import NOON, listed
from tests.shop.log import decoded

HOUR = timedelta(hours=1)
SPRING = PriceList(list_id="spring", currency="GBP", kind="sale")
EIGHT, NINE = ((1, 8),), ((1, 9),)


async def shop_with(shop, count):
    """A shop with a price list and so many products: their SKUs."""
    skus = [f"P{n}" for n in range(count)]
    await shop.do(DefinePriceList(price_list=SPRING, at=shop.now))
    await asyncio.gather(*(shop.do(ListProduct(product=listed(sku))) for sku in skus))
    return skus


async def schedule(shop, skus, schedule_id, starts_at, ends_at=None, tiers=EIGHT):
    for n in range(0, len(skus), 1_000):
        prices = tuple(NewPrice(sku=sku, currency="GBP", tiers=tiers) for sku in skus[n : n + 1_000])
        await shop.do(
            ChangeListPrices(
                prices=prices,
                now=shop.now,
                schedule_id=schedule_id,
                list_id="spring",
                starts_at=starts_at,
                ends_at=ends_at,
            )
        )


def happened(shop, *kinds):
    """How often, by kind of event, SKU and schedule."""
    return Counter((type(event), event.sku, event.schedule_id) for _, event in decoded(shop.log, *kinds))


def once(kind, skus, schedule_id="a"):
    return Counter({(kind, sku, schedule_id): 1 for sku in skus})


def test_prices_start_at_their_moment_and_end_at_theirs_and_not_before(shop):
    async def run():
        async with shop.open() as it, it.managers(kinds=[Schedules()]):
            skus = await shop_with(it, 3)
            await schedule(it, skus, "a", NOON + HOUR, NOON + 2 * HOUR)
            for moment, kind in ((NOON + HOUR, PriceChanged), (NOON + 2 * HOUR, PriceWithdrawn)):
                it.now = moment - timedelta(milliseconds=1)
                await asyncio.sleep(0.3)  # Absence: several rounds do nothing.
                assert not happened(it, kind)
                it.now = moment
                await eventually(lambda kind=kind: happened(it, kind) == once(kind, skus), it.names)
            head = it.log.head()
            tracked = checkpoint_of(Schedules())
            await eventually(lambda: it.log.tracked(tracked) == head, lambda: it.log.tracked(tracked))
            assert it.log.open_work(tracked, due_from=AT_ONCE, due_before=NOON + 9 * HOUR) == []

    asyncio.run(run())


def test_a_window_that_passed_while_nobody_looked_opens_and_closes(shop):
    async def run():
        async with shop.open() as it:
            skus = await shop_with(it, 2)
            await schedule(it, skus, "a", NOON + HOUR, NOON + 2 * HOUR)
            it.now = NOON + 3 * HOUR
            async with it.managers(kinds=[Schedules()]):
                both = once(PriceChanged, skus) + once(PriceWithdrawn, skus)
                await eventually(lambda: happened(it, PriceChanged, PriceWithdrawn) == both, it.names)

    asyncio.run(run())


def test_where_one_window_ends_and_the_next_begins_the_next_price_holds(shop):
    async def run():
        async with shop.open() as it, it.managers(kinds=[Schedules()]):
            skus = await shop_with(it, 2)
            await schedule(it, skus, "a", NOON, NOON + HOUR)
            await schedule(it, skus, "0", NOON + HOUR, NOON + 3 * HOUR, tiers=NINE)
            await schedule(it, skus, "b", NOON + 3 * HOUR, NOON + 4 * HOUR)
            for moment, tiers in ((1, NINE), (3, EIGHT), (4, None)):
                it.now = NOON + moment * HOUR

                def prices():
                    states = [it.state(f"product-{sku}").prices.get("spring GBP") for sku in skus]
                    return [price and price.tiers for price in states]

                await eventually(lambda tiers=tiers, prices=prices: prices() == [tiers] * 2, prices)

    asyncio.run(run())


def test_what_was_canceled_never_starts_and_what_was_delisted_is_priced_all_the_same(shop):
    async def run():
        async with shop.open() as it:
            skus = await shop_with(it, 3)
            await schedule(it, skus, "a", NOON + HOUR)
            await it.do(CancelPriceSchedule(sku="P0", schedule_id="a"))
            await it.do(DelistProduct(sku="P1", reason="sold out"))
            it.now = NOON + HOUR
            async with it.managers(kinds=[Schedules()]):
                await eventually(lambda: bool(happened(it, PriceChanged)), it.names)
            assert happened(it, PriceChanged) == once(PriceChanged, ["P1", "P2"])

    asyncio.run(run())


def test_a_base_price_of_later_takes_the_place_of_the_one_before(shop):
    async def run():
        async with shop.open() as it, it.managers(kinds=[Schedules()]):
            await shop_with(it, 1)
            price = NewPrice(sku="P0", currency="GBP", tiers=NINE)
            await it.do(ChangePrice(price=price, now=NOON, schedule_id="a", starts_at=NOON + HOUR))
            it.now = NOON + HOUR
            await eventually(lambda: happened(it, PriceChanged) == once(PriceChanged, ["P0"]), it.names)
            assert it.state("product-P0").prices["base GBP"].tiers == NINE
            assert it.state("product-P0").schedules == {}

    asyncio.run(run())


class Noting:
    """The handling loop, with what it is given to run; refuses what is for more than `at_most`."""

    def __init__(self, handling, at_most):
        self.handling, self.at_most = handling, at_most
        self.sizes = []

    async def handle(self, command, context):
        if isinstance(command, RunSchedules):
            self.sizes.append(len(command.prices))
            if len(command.prices) > self.at_most:
                raise ZeroDivisionError
        return await self.handling.handle(command, context)

    async def prepare(self, streams):
        await self.handling.prepare(streams)


@pytest.mark.parametrize(
    ("at_most", "sizes"), [(1_000, {1_000: 2, 500: 1}), (1, {1_000: 2, 500: 1, 1: 2_500})]
)
def test_many_are_done_together_and_one_by_one_where_that_fails(shop, at_most, sizes):
    async def run():
        async with shop.open() as it:
            skus = await shop_with(it, 2_500)
            await schedule(it, skus, "a", NOON + HOUR)
            it.now = NOON + HOUR
            it.handling, handling = Noting(it.handling, at_most), it.handling
            noted = it.handling
            async with it.managers(kinds=[Schedules()]):
                await eventually(
                    lambda: len(happened(it, PriceChanged)) == len(skus), lambda: noted.sizes, seconds=60
                )
            it.handling = handling
            assert happened(it, PriceChanged) == once(PriceChanged, skus)
            assert Counter(noted.sizes) == sizes

    asyncio.run(run())


@pytest.mark.parametrize("changed", [False, True])
def test_products_are_read_before_their_moment_and_what_changes_meanwhile_counts(shop, monkeypatch, changed):
    read = []
    read_streams = shop.log.read_streams

    def noting(streams, **more):
        read.extend(streams)
        return read_streams(streams, **more)

    monkeypatch.setattr(shop.log, "read_streams", noting)

    async def run():
        async with shop.open() as elsewhere:
            skus = await shop_with(elsewhere, 5)
            await schedule(elsewhere, skus, "a", NOON + HOUR)
            async with shop.open() as it, it.managers(kinds=[Schedules()]):
                prepared = [f"product-{sku}" for sku in skus]
                read.clear()
                it.now = NOON + HOUR - PREPARED_AHEAD
                await eventually(lambda: set(prepared) <= set(read), lambda: read)
                if changed:
                    price = NewPrice(sku="P0", currency="GBP", tiers=NINE)
                    await elsewhere.do(ChangePrice(price=price, now=NOON, schedule_id="b"))
                read.clear()
                it.now = NOON + HOUR
                started = once(PriceChanged, skus) + once(PriceChanged, skus[:changed], None)
                await eventually(lambda: happened(it, PriceChanged) == started, it.names)
                assert [it.state(name).prices["spring GBP"].tiers for name in prepared] == [EIGHT] * 5
                if changed:
                    assert it.state("product-P0").prices["base GBP"].tiers == NINE
                assert any(name.startswith("product-") for name in read) == changed, read

    asyncio.run(run())


def test_what_is_prepared_takes_no_room_from_what_is_in_use(shop):
    async def run():
        async with shop.open() as it:
            skus = await shop_with(it, 10)
            cache = StateCache(CODEC, streams_max=3)
            in_use = [f"product-{sku}" for sku in skus[:3]]
            snapshots = Snapshots(it.log, CODEC)
            cache.put(snapshots.load(in_use))
            others = cache.unprepared(f"product-{sku}" for sku in skus)
            assert others == [f"product-{sku}" for sku in skus[3:6]]
            cache.prepare(snapshots.load(others))
            assert cache.unprepared(f"product-{sku}" for sku in skus) == []
            cache.touch(in_use)
            assert [cache.state(name).facts.sku for name in (*in_use, *others)] == skus[:6]
            cache.touch(in_use)
            cache.drop(others)
            with pytest.raises(Missing):
                cache.state(others[0])

    asyncio.run(run())


def test_a_promotion_is_reported_when_its_window_opens_and_ended_when_it_closes(shop):
    spring = Promotion(
        promotion_id="spring",
        label="Spring",
        action=Action(kind="percent_off", percent=100_000),
        starts_at=NOON + HOUR,
        ends_at=NOON + 2 * HOUR,
    )

    def reported(it):
        return [e for _, e in decoded(it.log, PromotionStarted, PromotionEnded)]

    async def run():
        async with shop.open() as it, it.managers(kinds=[Schedules()]):
            units = Units(line=10, cart=100)
            always = replace(spring, promotion_id="always", starts_at=None, ends_at=None)
            for promotion in (spring, always):
                await it.do(DefinePromotion(promotion=promotion, units=units, at=NOON))
            expected = []
            for moment, event in (
                (NOON + HOUR, PromotionStarted(promotion_id="spring")),
                (NOON + 2 * HOUR, PromotionEnded(promotion_id="spring", reason="window over")),
            ):
                it.now = moment
                expected.append(event)
                await eventually(lambda: reported(it) == expected, lambda: reported(it))
            assert "spring" not in it.state("terms-main").rules.promotions

    asyncio.run(run())


PRODUCTS = 600
KILLED_AFTER = (-0.5, 0.0, 0.1, 0.2, 0.4, 0.8)
"""Seconds after the moment at which the prices are due: before it, amid the work, and after it."""


@pytest.mark.parametrize(
    ("checkpoint_seconds", "killed_after"),
    [
        (0.05, KILLED_AFTER[::2]),
        (1e9, KILLED_AFTER[1::2]),
        *(pytest.param(seconds, KILLED_AFTER, marks=pytest.mark.proof) for seconds in (0.05, 1e9)),
    ],
)
def test_killed_at_any_step_each_price_is_effective_once(
    postgres_shop,  # noqa: F811
    workers,  # noqa: F811
    checkpoint_seconds,
    killed_after,
):
    async def run():
        async with postgres_shop.open() as it:
            skus = await shop_with(it, PRODUCTS)
            names = [f"s{n}" for n in range(len(killed_after))]
            ended = names[len(names) % 2 :: 2]  # Every other one; the last one stays.
            for n, seconds in enumerate(killed_after):
                it.now = utc_now()
                due = it.now + timedelta(seconds=2)
                ends_at = due + timedelta(seconds=1) if f"s{n}" in ended else None
                await schedule(it, skus, f"s{n}", due, ends_at)
                with workers.one(checkpoint_seconds=checkpoint_seconds) as killed:
                    await asyncio.sleep(max(0.0, (due - utc_now()).total_seconds() + seconds))
                    killed.kill()
                    killed.wait()
            with workers.one():
                expected = sum((once(PriceChanged, skus, name) for name in names), Counter())

                def are_all():
                    return happened(it, PriceChanged) == expected

                await eventually(are_all, lambda: len(happened(it, PriceChanged)), seconds=120)
                work = it.log.open_work
                await eventually(
                    lambda: (
                        it.log.tracked(checkpoint_of(Schedules())) == it.log.head()
                        and not work(checkpoint_of(Schedules()), due_from=AT_ONCE, due_before=utc_now())
                    ),
                    lambda: it.log.tracked(checkpoint_of(Schedules())),
                    seconds=60,
                )
            over = Counter()
            for _, event in decoded(it.log):
                if not isinstance(event, PriceScheduled | PriceChanged) and hasattr(event, "schedule_id"):
                    over[event.sku, event.schedule_id] += 1
            assert over == Counter({(sku, name): 1 for sku in skus for name in ended})

    asyncio.run(run())
