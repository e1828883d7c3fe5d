"""The processes beside the calls: holds about to lapse, payments of nobody's, news that never came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aggregates.kernel import Money, Rejected
from aggregates.payments import gateway as gateway_kind
from aggregates.payments import process
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, Books, SandboxGateway
from commands.gateways.stripe_amounts import chargeable
from commands.gateways.stripe_events import API_VERSION, news_of
from commands.handlers.chargeable import AmountNotChargeable
from commands.handlers.payments import RecordNewsFetched
from commands.handlers.registry import handlers
from commands.processes.gateway_news import NewsFetching, command_of
from event_store.memory.log import MemoryLog
from tests.payments.deciding import Desk
from tests.shop.commands import ORDER, DyingHandling, Shop, eventually
from tests.shop.facts import NOON
from tests.waiting import SECONDS_MAX


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose gateway and processes share its clock."""
    shop = Shop(MemoryLog(), None)  # type: ignore[arg-type]  # set below: the gateway needs its clock
    shop.gateway = SandboxGateway(Books(tmp_path / "sandbox.sqlite", clock=lambda: shop.now), echoes=True)
    yield shop
    shop.gateway.close()


@asynccontextmanager
async def working(shop: Shop, **options: Any) -> AsyncIterator[Shop]:
    """The shop with its processes at work, by the clock of `shop`."""
    async with shop.open() as one:
        one.gateway = shop.gateway
        async with one.managers(clock=lambda: shop.now, **options):
            yield one


def concerns(shop: Shop) -> set[str]:
    """What an operator is to look at."""
    state: process.Process = shop.state(process.stream(ORDER))
    return set(state.concerns)


def test_a_day_before_a_hold_lapses_it_is_on_the_list(shop: Shop) -> None:
    async def run() -> None:
        async with working(shop) as one:
            await one.sell()
            await one.until("confirmed", "authorized")
            shop.now = NOON + timedelta(days=6, minutes=-1)
            await one.settled()
            assert concerns(one) == set()
            shop.now = NOON + timedelta(days=6, minutes=1)
            await eventually(lambda: concerns(one) == {"hold_lapses"}, lambda: concerns(one))
            owed = one.state(process.stream(ORDER)).owed
            assert owed.concerns == ("hold_lapses",)

    asyncio.run(run())


def _created(shop: Shop, metadata: dict[str, str]) -> str:
    parameters: dict[str, Any] = {
        "amount": "2900",
        "currency": "gbp",
        "capture_method": "manual",
        "confirm": "true",
        "payment_method": "pm_card_visa",
        "metadata": metadata,
    }
    return str(shop.gateway.books.request("payment_intents.create", parameters).body["id"])


async def _tell(shop: Shop, reference: str) -> None:
    """News of the payment come, stripped of what tells the order."""
    for event in shop.gateway.books.events(NOON - timedelta(days=1)):
        news = news_of(event, livemode=False, api_version=API_VERSION)
        if news.reference == reference and news.standing is not None:
            nameless = command_of(news, received_on=shop.now)
            assert nameless is not None and nameless.standing is not None
            await shop.do(nameless)


def test_news_of_a_payment_that_is_not_ours_are_closed_as_foreign(shop: Shop) -> None:
    async def run() -> None:
        async with working(shop) as one:
            reference = _created(shop, {"order": "another-shops", "step": "1"})
            await _tell(one, reference)
            stream = gateway_kind.payment_stream(reference)
            assert one.state(stream).parked and not one.state(stream).foreign
            shop.now = datetime.now(UTC) + timedelta(minutes=6)  # The log has a clock of its own.
            await eventually(lambda: one.state(stream).foreign, lambda: one.state(stream))
            assert one.state(stream).parked == []

    asyncio.run(run())


def test_news_that_never_came_are_fetched(shop: Shop) -> None:
    async def run() -> None:
        async with working(shop) as one:
            await one.sell(method=AUTHENTICATION_REQUIRED)
            await one.until("placed", "action_required")
            (charge,) = one.gateway.charges()
            fetching = NewsFetching(one.gateway, one.do, clock=lambda: shop.now, every=timedelta(minutes=5))
            await one.do(RecordNewsFetched(gateway="sandbox", up_to=shop.now, first=True))
            await one.do(RecordNewsFetched(gateway="sandbox", up_to=shop.now + timedelta(1), first=True))
            async with one.managers(clock=lambda: shop.now, kinds=[fetching]):
                one.gateway.books.shopper_passes(charge.reference)
                shop.now = NOON + timedelta(minutes=6)
                await one.until("confirmed", "authorized")
                news = one.log.read_stream("gateway_news-sandbox")
                await eventually(lambda: len(one.log.read_stream("gateway_news-sandbox")) > 1, lambda: news)

    asyncio.run(run())


@pytest.mark.parametrize(("total", "code"), [(1001, "amount_has_too_many_digits"), (1000, None)])
def test_an_amount_that_the_gateway_cannot_take_is_refused_at_checkout(total: int, code: str | None) -> None:
    desk = Desk()
    desk.handlers = handlers(lambda amount: chargeable(Money(amount.amount, "KWD")))
    if code is None:
        desk.place(total=total)
        assert desk.steps("authorize")
        return
    with pytest.raises(Rejected) as refused:
        desk.place(total=total)
    assert refused.value.reason == AmountNotChargeable(amount=Money(total, "EUR"), code=code)


async def _dies_with_its_command(shop: Shop, **options: Any) -> None:
    """A process that does the work up to its command, and is gone before that is handled."""
    async with shop.open() as one:
        one.gateway = shop.gateway
        one.handling, handling = DyingHandling(), one.handling  # type: ignore[assignment]
        async with one.managers(clock=lambda: shop.now, **options):
            await asyncio.wait_for(one.handling.received.wait(), SECONDS_MAX)  # type: ignore[attr-defined]
        one.handling = handling


def test_a_process_that_dies_with_a_lapsing_hold_in_hand_is_followed_by_one_that_lists_it_once(
    shop: Shop,
) -> None:
    async def run() -> None:
        async with working(shop) as one:
            await one.sell()
            await one.until("confirmed", "authorized")
            await one.settled()
        shop.now = NOON + timedelta(days=6, minutes=1)
        await _dies_with_its_command(shop)
        assert concerns(shop) == set()
        async with working(shop) as one:
            await eventually(lambda: concerns(one) == {"hold_lapses"}, lambda: concerns(one))
        names = shop.names()
        assert names.count("payments.concern_raised") == 1

    asyncio.run(run())


def test_a_process_that_dies_with_a_foreign_payment_in_hand_is_followed_by_one_that_closes_it_once(
    shop: Shop,
) -> None:
    async def run() -> None:
        async with working(shop) as one:
            reference = _created(shop, {"order": "another-shops", "step": "1"})
            await _tell(one, reference)
        shop.now = datetime.now(UTC) + timedelta(minutes=6)
        await _dies_with_its_command(shop)
        stream = gateway_kind.payment_stream(reference)
        async with working(shop) as one:
            await eventually(lambda: one.state(stream).foreign, lambda: one.state(stream))
        assert shop.names().count("payments.gateway_payment_foreign") == 1

    asyncio.run(run())


@pytest.mark.parametrize("die_at", [1, 2, 3])
def test_a_fetching_of_news_that_dies_at_any_of_them_is_followed_by_one_that_records_each_once(
    shop: Shop, die_at: int
) -> None:
    async def run() -> None:
        async with working(shop) as one:
            await one.sell(method=AUTHENTICATION_REQUIRED)
            await one.until("placed", "action_required")
            await one.do(RecordNewsFetched(gateway="sandbox", up_to=shop.now, first=True))
            (charge,) = one.gateway.charges()
            one.gateway.books.shopper_passes(charge.reference)
        shop.now = NOON + timedelta(minutes=6)
        dead = asyncio.Event()
        async with shop.open() as first:
            taken = 0

            async def dying(command: Any) -> Any:
                nonlocal taken
                taken += 1
                if taken == die_at:
                    dead.set()
                    await asyncio.Event().wait()
                return await first.do(command)

            first.gateway = shop.gateway
            every = timedelta(minutes=5)
            fetching = NewsFetching(shop.gateway, dying, clock=lambda: shop.now, every=every)
            async with first.managers(clock=lambda: shop.now, kinds=[fetching]):
                await asyncio.wait_for(dead.wait(), SECONDS_MAX)
        async with shop.open() as second:
            second.gateway = shop.gateway
            fetching = NewsFetching(shop.gateway, second.do, clock=lambda: shop.now, every=every)
            async with second.managers(clock=lambda: shop.now, kinds=[fetching]):
                await second.until("confirmed", "authorized")
                await eventually(
                    lambda: second.names().count("payments.gateway_news_fetched") == 2, second.names
                )
        received = [
            recorded.stream
            for recorded in shop.log.read_all(after=0, limit=10_000)
            if recorded.type == "payments.gateway_news_received"
        ]
        sent = {one["id"] for one in shop.gateway.books.events(NOON - timedelta(days=1))}
        assert len(received) == len(set(received))
        assert {stream.removeprefix("gateway_event-") for stream in received} <= sent
        assert shop.names().count("payments.payment_authorized") == 1

    asyncio.run(run())
