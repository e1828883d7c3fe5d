"""An order whose payment is undecided gives its units back when their time is over; no other does."""

import asyncio
from datetime import timedelta

from aggregates.orders import order
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED
from commands.handlers.payments import ExpireOrder
from tests.shop.commands import KEPT, ORDER
from tests.shop.facts import NOON
from tests.shop.gateways import AwayGateway


def test_an_undecided_payment_gives_its_units_back_when_the_time_is_over_and_not_before(shop):
    async def run():
        async with shop.open() as open_shop, open_shop.managers():
            await open_shop.sell(method=AUTHENTICATION_REQUIRED)
            await open_shop.until("placed", "action_required")
            open_shop.now = NOON + KEPT - timedelta(milliseconds=1)
            await asyncio.sleep(0.3)  # Absence: several rounds do nothing.
            assert open_shop.statuses() == ("placed", "action_required")
            open_shop.now = NOON + KEPT
            await open_shop.until("canceled", "voided")

    asyncio.run(run())
    assert shop.stock("MUG") == shop.stock("PAN") == (10, 0)
    assert {e.cause for e in shop.story()["stock-MUG"] if hasattr(e, "cause")} == {"expired"}
    assert shop.story()[order.stream(ORDER)][-1].cause == "expired"
    assert shop.charged() == [("voided", 0, 0)]


def test_an_expiry_is_decided_at_the_moment_that_was_read_though_the_clock_steps_back(shop):
    read = iter([NOON, NOON + KEPT])  # and then the clock is set back

    def clock():
        return next(read, NOON) if "reservation_expiry" in asyncio.current_task().get_name() else NOON

    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell(method=AUTHENTICATION_REQUIRED)
            async with open_shop.managers(clock=clock):
                await open_shop.until("canceled", "voided")

    asyncio.run(run())
    assert shop.stock("MUG") == shop.stock("PAN") == (10, 0)


def test_an_authorization_that_comes_after_the_time_was_over_is_voided(shop):
    away = AwayGateway(shop.gateway, times=1_000_000)

    async def run():
        async with shop.open() as open_shop, open_shop.managers(away):
            await open_shop.sell()
            open_shop.now = NOON + KEPT
            await open_shop.until("canceled", "pending")
            away.left = 0
            await open_shop.until("canceled", "voided")

    asyncio.run(run())
    assert shop.charged() == [("voided", 0, 0)]
    assert shop.stock() == (10, 0)


def test_a_confirmed_order_expires_no_more(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell()
            async with open_shop.managers():
                await open_shop.until("confirmed", "authorized")
            before = open_shop.log.head()
            await open_shop.do(ExpireOrder(order_id=ORDER, now=NOON + 2 * KEPT))
            assert open_shop.log.head() == before

    asyncio.run(run())


def test_an_order_is_not_expired_early_even_if_asked(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell()
            before = open_shop.log.head()
            await open_shop.do(ExpireOrder(order_id=ORDER, now=NOON + KEPT - timedelta(microseconds=1)))
            assert open_shop.log.head() == before

    asyncio.run(run())
