"""A new kind of process is a file that keeps the protocol: here goods ordered anew, and a daily round."""

import asyncio
from datetime import timedelta

from aggregates.inventory.events import StockReceived
from aggregates.orders.events import OrderConfirmed
from commands.handlers.inventory import ReceiveStock
from commands.processes.following import checkpoint_of
from commands.processes.kind import Closed, NotYet, Opened
from commands.processes.payment import Payment
from event_store.retries import RetryPolicy
from tests.shop.commands import eventually
from tests.shop.facts import NOON

DAY = timedelta(days=1)


class Reordering:
    """Orders a mug anew for each order that was confirmed since it is there."""

    name = "reordering"
    event_names = ("orders.order_confirmed", "inventory.stock_received")
    at_once_max = 1
    round_seconds = 0.01

    def __init__(self, *, away=0, wrong=0):
        self.away, self.wrong = away, wrong
        self.calls = []

    def starts_at(self, log):
        return log.head()

    def changes(self, recorded, event):
        match event:
            case OrderConfirmed(order_id=order_id):
                yield Opened(order_id)
            case StockReceived(source=source):
                yield Closed(source)

    async def do(self, due):
        self.calls.append(due.key)
        if len(self.calls) <= self.away:
            raise NotYet("the supplier does not answer")
        if len(self.calls) <= self.away + self.wrong:
            raise ZeroDivisionError
        return ReceiveStock(sku="MUG", quantity=1, reason="", source=due.event.order_id)


class Daily(Reordering):
    """Orders a mug anew each day, from the first receipt on."""

    name = "daily"
    event_names = ("inventory.stock_received",)

    def starts_at(self, log):
        return 0

    def changes(self, recorded, event):
        day = int(event.source.removeprefix("day-")) if event.source.startswith("day-") else 0
        yield Closed("day", day)
        yield Opened("day", day + 1, due_at=NOON + (day + 1) * DAY)

    async def do(self, due):
        assert due.now >= NOON + due.work.number * DAY
        return ReceiveStock(sku="MUG", quantity=1, reason="", source=f"day-{due.work.number}")


def received(shop):
    return [e.source for e in shop.story()["stock-MUG"] if isinstance(e, StockReceived)][1:]


def test_a_kind_that_must_not_act_on_history_does_not(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell("1" * 32)
            async with open_shop.managers():
                await open_shop.until("confirmed", "authorized", order_id="1" * 32)
            kinds = [Reordering(), Payment(shop.gateway, clock=lambda: NOON)]
            async with open_shop.managers(kinds=kinds):
                await eventually(lambda: shop.log.tracked("process reordering") is not None, lambda: None)
                await open_shop.sell("2" * 32)
                await eventually(lambda: received(shop) == ["2" * 32], lambda: received(shop))

    asyncio.run(run())


def test_work_that_cannot_be_done_yet_or_fails_is_tried_until_an_event_closes_it(shop):
    kind = Reordering(away=2, wrong=2)

    async def run():
        async with shop.open() as open_shop, open_shop.managers(kinds=[kind]):
            await eventually(lambda: shop.log.tracked("process reordering") is not None, lambda: None)
            await open_shop.sell("1" * 32)
            async with open_shop.managers(kinds=[Payment(shop.gateway, clock=lambda: NOON)]):
                await eventually(lambda: received(shop) == ["1" * 32], lambda: received(shop))
            await asyncio.sleep(0.2)  # Absence: it is not tried again.

    asyncio.run(run())
    assert kind.calls == [f"{'1' * 32}/0"] * 5


def test_a_schedule_is_work_whose_end_opens_the_next(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell()
            for days in (0, 1, 3):
                open_shop.now = NOON + days * DAY
                async with open_shop.managers(kinds=[Daily()]):  # begun anew each time
                    expected = [f"day-{day}" for day in range(1, days + 1)]
                    await eventually(
                        lambda expected=expected: received(shop) == expected, lambda: received(shop)
                    )
                    await asyncio.sleep(0.1)  # Absence: no other day is done.
                    assert received(shop) == expected

    asyncio.run(run())


def test_each_kind_may_run_in_a_process_of_its_own(shop):
    async def run():
        async with (
            shop.open() as one,
            shop.open() as other,
            one.managers(kinds=[Payment(shop.gateway, clock=lambda: NOON)]),
            other.managers(kinds=[Reordering()]),
        ):
            await eventually(lambda: shop.log.tracked("process reordering") is not None, lambda: None)
            await one.sell("1" * 32)
            await eventually(lambda: received(shop) == ["1" * 32], lambda: received(shop))

    asyncio.run(run())


def test_an_operator_ends_the_pause_of_work_that_failed(shop):
    kind = Reordering(away=1)
    hours = RetryPolicy(pause_first=7200, pause_max=7200)
    name = checkpoint_of(kind)

    def tried():
        return [(work.queue, work.tries, work.failure) for work in shop.log.listed_work(name, limit=9)]

    async def run():
        async with shop.open() as open_shop, open_shop.managers(kinds=[kind], retry_policy=hours):
            await eventually(lambda: shop.log.tracked(name) is not None, lambda: None)
            await open_shop.sell("1" * 32)
            async with open_shop.managers(kinds=[Payment(shop.gateway, clock=lambda: NOON)]):
                expected = [("1" * 32, 1, "the supplier does not answer")]
                await eventually(lambda: tried() == expected, tried)
            assert received(shop) == []
            assert shop.log.request_retry(name, "1" * 32, 0)
            await eventually(lambda: received(shop) == ["1" * 32], lambda: received(shop))

    asyncio.run(run())
