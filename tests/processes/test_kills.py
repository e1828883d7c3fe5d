"""SIGKILL at each step of each process, and of an operator's commands: whoever does it
after that ends it as if nobody had died, and no card is charged twice."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from aggregates.catalog import product
from aggregates.credit import account
from aggregates.kernel import Money
from aggregates.payments import gateway, process
from aggregates.pricing.rules import PriceList
from aggregates.terms.terms import MAIN_TERMS
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, Books, SandboxGateway
from commands.gateways.stripe_events import API_VERSION, news_of
from commands.handlers.catalog import ChangeListPrices, ListProduct, NewPrice
from commands.handlers.credit import IssueGiftCard
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.payments import RecordNewsFetched
from commands.handlers.refunds import RefundOrder
from commands.handlers.terms import DefinePriceList, DefinePromotion
from commands.processes.gateway_news import command_of
from commands.processes.manager import utc_now
from commands.processes.payment import Payment
from event_store.postgres.log import PostgresLog
from replays.verification.verify import verify
from tests.processes.dying import Dying, clock_of, kind_of
from tests.promotions.given import PROMOTION, UNITS
from tests.shop.commands import ORDER, Shop, eventually
from tests.shop.facts import listed
from tests.shop.log import decoded

pytestmark = pytest.mark.slow

Charges = list[tuple[str, int, int]]


@dataclass(frozen=True)
class Case:
    """What is done before, how it stands once the work is done, and what the gateway's books then say."""

    prepare: Callable[[Shop], Awaitable[None]]
    is_done: Callable[[Shop], bool]
    charged: Charges
    leaves_a_step: bool = False  # which is the payment process's to end


async def authorized(shop: Shop) -> None:
    await shop.sell()
    await shop.until("confirmed", "authorized")


async def proved_unheard(shop: Shop) -> None:
    """The shopper has proved who they are, and no news of it came; news were asked for two hours ago."""
    await shop.sell(method=AUTHENTICATION_REQUIRED)
    await shop.until("placed", "action_required")
    await shop.do(RecordNewsFetched(gateway="sandbox", up_to=shop.now - timedelta(hours=2), first=True))
    (charge,) = shop.gateway.charges()
    shop.gateway.books.shopper_passes(charge.reference)


async def made_and_lost(shop: Shop) -> None:
    """A process died with the answer to an authorization, and nameless news of it wait for their order."""
    await shop.sell()
    key = f"{process.stream(ORDER)}/1"
    await shop.gateway.authorize(key=key, method="pm_card_visa", amount=Money(2900, "GBP"), order_id=ORDER)
    await tell(shop, nameless=True)


async def not_ours(shop: Shop) -> None:
    """News of a payment that somebody made by hand."""
    elsewhere = {"key": "by hand", "method": "pm_card_visa", "order_id": "another-shops"}
    await shop.gateway.authorize(amount=Money(2900, "GBP"), **elsewhere)
    await tell(shop, nameless=True)


async def refund_came_back(shop: Shop) -> None:
    """The customer is owed 9.00."""
    await shop.sell(method="pm_card_pendingRefund", capture="checkout")
    await shop.until("confirmed", "captured")
    await shop.do(
        RefundOrder(
            order_id=ORDER,
            credit_note_id="n1",
            reason="late",
            issued_on=shop.now.date(),
            amount=Money(900, "GBP"),
        )
    )
    await shop.settled()
    (charge,) = shop.gateway.charges()
    (made,) = shop.gateway.books.objects(charge.reference, "refund")
    shop.gateway.books.refund_fails(made["id"])
    await tell(shop)
    await eventually(lambda: owed(shop) == (0, 900), lambda: owed(shop))


async def refunding_card_and_credit(shop: Shop) -> None:
    """25.00 of an order are to go back: 19.00 to the card, all that it gave, and 6.00 to the gift card."""
    async with shop.managers(kinds=[payment_of(shop)]):
        await shop.sell(capture="checkout", gift=1_000)
        await shop.until("confirmed", "captured")
    await shop.do(
        RefundOrder(
            order_id=ORDER,
            credit_note_id="n1",
            reason="late",
            issued_on=shop.now.date(),
            amount=Money(2_500, "GBP"),
        )
    )


async def sent_and_unpaid(shop: Shop) -> None:
    """The goods are gone, the capture was refused, and the hold has lapsed: the shop is owed 29.00."""
    await shop.sell(method="pm_card_captureRefused")
    await shop.until("confirmed", "authorized")
    await shop.do(FulfilOrder(order_id=ORDER, fulfilment_id="f1", sent_at=shop.now))
    await shop.settled()
    (charge,) = shop.gateway.charges()
    shop.gateway.books.hold_lapses(charge.reference)
    await tell(shop)
    await eventually(lambda: owed(shop) == (2900, 0), lambda: owed(shop))


async def scheduled(shop: Shop) -> None:
    """Three products have a price for an hour, and one of them another for good; a promotion runs for an
    hour, another from then on."""
    await shop.do(DefinePriceList(price_list=SPRING, at=shop.now))
    soon, late = shop.now + timedelta(hours=1), shop.now + timedelta(hours=2)
    for promotion in (
        replace(PROMOTION, promotion_id="hour", starts_at=soon, ends_at=late),
        replace(PROMOTION, promotion_id="then", starts_at=late),
    ):
        await shop.do(DefinePromotion(promotion=promotion, units=UNITS, at=shop.now))
    for n in range(3):
        await shop.do(ListProduct(product=listed(f"P{n}")))
    for schedule_id, count, hours in (("a", 3, (1, 2)), ("b", 1, (2, None))):
        starts_at, ends_at = (None if n is None else shop.now + timedelta(hours=n) for n in hours)
        prices = tuple(NewPrice(sku=f"P{n}", currency="GBP", tiers=((1, Decimal(8)),)) for n in range(count))
        await shop.do(
            ChangeListPrices(
                prices=prices,
                now=shop.now,
                schedule_id=schedule_id,
                list_id=SPRING.list_id,
                starts_at=starts_at,
                ends_at=ends_at,
            )
        )


async def issued_until_today(shop: Shop) -> None:
    """A gift card that pays until today."""
    today = shop.now.date()
    amount = Money(1_000, "GBP")
    await shop.do(IssueGiftCard(account_id="card", amount=amount, expires_on=today, today=today))


async def tell(shop: Shop, *, nameless: bool = False) -> None:
    """All news come; `nameless`: those that tell a part of a payment, without what names its order."""
    for event in shop.gateway.books.events(utc_now() - timedelta(hours=1)):
        news = news_of(event, livemode=False, api_version=API_VERSION)
        command = command_of(news, received_on=shop.now)
        if command is not None and nameless:
            told = command.standing
            command = None if told is None else replace(command, standing=replace(told, order_id=None))
        if command is not None:
            await shop.do(command)


def owed(shop: Shop) -> tuple[int, int]:
    """To the shop, to the customer."""
    said = shop.state(process.stream(ORDER)).owed
    return (0, 0) if said is None else (said.to_shop.amount, said.to_customer.amount)


def is_listed_as_lapsing(shop: Shop) -> bool:
    return bool(shop.state(process.stream(ORDER)).concerns == {"hold_lapses"})


def is_closed_as_foreign(shop: Shop) -> bool:
    (charge,) = shop.gateway.charges()
    return bool(shop.state(gateway.payment_stream(charge.reference)).foreign)


def is_authorized(shop: Shop) -> bool:
    return shop.statuses() == ("confirmed", "authorized")


def is_fetched(shop: Shop) -> bool:
    return is_authorized(shop) and len(shop.log.read_stream("gateway_news-sandbox")) > 1


def is_run(shop: Shop) -> bool:
    states = [shop.state(product.stream(f"P{n}")) for n in range(3)]
    are_on_the_list = ["spring GBP" in state.prices for state in states]
    rules = shop.state(MAIN_TERMS)
    promotions_are_run = rules.started == {"then"} and rules.retired.promotions == {"hour"}
    prices_are_run = are_on_the_list == [True, False, False] and not any(one.schedules for one in states)
    return promotions_are_run and prices_are_run


def is_even(shop: Shop) -> bool:
    return owed(shop) == (0, 0) and not shop.open_steps()


def is_refunded_to_both(shop: Shop) -> bool:
    held = shop.state(account.stream("gift"))
    return bool(held.balance == 600) and shop.statuses() == ("confirmed", "refunded")


def is_expired(shop: Shop) -> bool:
    held = shop.state(account.stream("card"))
    return bool(held.expired) and held.balance == 0


SPRING = PriceList(list_id="spring", currency="GBP", kind="sale")
HELD, TAKEN = [("authorized", 0, 0)], [("captured", 2900, 0)]
PROCESSES = {
    "hold_expiry": Case(authorized, is_listed_as_lapsing, HELD),
    "gateway_payments": Case(made_and_lost, is_authorized, HELD, leaves_a_step=True),
    "gateway_payments, foreign": Case(not_ours, is_closed_as_foreign, HELD),
    "schedules": Case(scheduled, is_run, []),
    "credit_expiry": Case(issued_until_today, is_expired, []),
    "gateway_news": Case(proved_unheard, is_fetched, HELD),
    "payment": Case(refunding_card_and_credit, is_refunded_to_both, [("captured", 1900, 1900)]),
}
OPERATORS = {
    f"retry {ORDER}": Case(refund_came_back, is_even, [("captured", 2900, 900)]),
    f"retry {ORDER} --method pm_card_visa": Case(sent_and_unpaid, is_even, [("lapsed", 0, 0), *TAKEN]),
    f"write-off {ORDER} --yes": Case(sent_and_unpaid, is_even, [("lapsed", 0, 0)]),
    "catch-up": Case(proved_unheard, is_fetched, HELD),
}


class Lives:
    """The same story on a fresh log and ledger each time; its deaths one step later each time."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._count = 0

    @contextmanager
    def fresh(self) -> Iterator[tuple[Shop, Dying]]:
        self._count += 1
        name = f"{self._folder.name}_{self._count}"
        folder = self._folder / str(self._count)
        folder.mkdir()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            url = psycopg.conninfo.make_conninfo(self._server, dbname=name)
            log = PostgresLog.open(url)
            books = Books(folder / "sandbox.sqlite")
            shop = Shop(log, SandboxGateway(books, echoes=True), now=utc_now())
            try:
                yield shop, Dying(url, folder)
            finally:
                shop.gateway.close()
                log.close()
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def lives(postgres_url: str, tmp_path: Path) -> Lives:
    """On the session's server."""
    return Lives(postgres_url, tmp_path)


def payment_of(shop: Shop) -> Payment:
    return Payment(shop.gateway, clock=lambda: shop.now)


def story(shop: Shop) -> list[str]:
    """The order's events and the gateway's in words; names that are random numbered, moments left out.

    That news were asked for is one line, however often they were.
    """
    lines = [
        f"{recorded.stream} {event}"
        for recorded, event in decoded(shop.log)
        if recorded.stream.startswith(
            ("order-", "payment-", "checkout-", "gateway_", "product-", "terms-", "credit-")
        )
    ]
    words = re.sub(r"datetime\.datetime\([^()]*\)", "then", "\n".join(lines))
    found = dict.fromkeys(re.findall(r"\b(?:pi|ch|re|req|evt|txn)_\w+", words))
    names = {name: f"{name.split('_')[0]} {number}" for number, name in enumerate(found)}
    words = re.sub("|".join(names) or "$^", lambda one: names[one[0]], words)
    told = re.sub(r"number='[\d-]+'", "number", words).splitlines()
    asked = [line for line in told if line.startswith("gateway_news-")]
    return [line for line in told if line not in asked] + list(dict.fromkeys(asked))


def check_books(shop: Shop, case: Case) -> None:
    assert shop.charged() == case.charged
    found: list[str] = []
    verify(shop.log, shop.codec, report=lambda finding: found.append(str(finding)))
    assert found == []


async def done_by_a_process(shop: Shop, dying: Dying, name: str, case: Case, die_at: int | None) -> list[str]:
    """The steps of the process that worked first."""
    kind = name.partition(",")[0]
    async with shop.open() as one:
        if case.prepare in {authorized, proved_unheard}:
            async with one.managers(kinds=[payment_of(one)]):
                await case.prepare(one)
        else:
            await case.prepare(one)
        with dying.working(kind, die_at=die_at) as process:
            if die_at is not None:
                await asyncio.to_thread(process.join, 30)
                assert process.exitcode == -signal.SIGKILL, dying.steps
            else:
                await eventually(
                    lambda: case.is_done(one) and dying.steps[-1:] == ["after append"], lambda: dying.steps
                )
        steps = dying.steps
        async with one.managers(kinds=[kind_of(kind, one.gateway, one.log, one.do)], clock=clock_of(kind)):
            await eventually(lambda: case.is_done(one), one.statuses)
        if case.leaves_a_step:
            async with one.managers(kinds=[payment_of(one)]):
                await one.settled()
    return steps


async def done_by_an_operator(
    shop: Shop, dying: Dying, words: str, case: Case, die_at: int | None
) -> list[str]:
    """The steps of the command that was given first; who sees it die gives it again."""
    async with shop.open() as one, one.managers(kinds=[payment_of(one)]):
        await case.prepare(one)
        ended = await asyncio.to_thread(dying.operate, *words.split(), die_at=die_at)
        steps = dying.steps
        assert ended == (0 if die_at is None else -signal.SIGKILL), (dying.folder / "out").read_text()
        if die_at is not None:
            again = await asyncio.to_thread(dying.operate, *words.split())
            assert again in {0, 1}, (dying.folder / "out").read_text()  # 1: nothing is left to be done
        await eventually(lambda: case.is_done(one), lambda: (one.statuses(), owed(one), one.open_steps()))
    return steps


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_killed_at_any_step_is_followed_by_one_that_ends_the_same(lives: Lives, name: str) -> None:
    case = PROCESSES[name]
    with lives.fresh() as (shop, dying):
        steps = asyncio.run(done_by_a_process(shop, dying, name, case, None))
        unharmed = story(shop)
        check_books(shop, case)
    assert {"before append", "after append"} <= set(steps)
    for die_at in range(1, len(steps) + 1):
        with lives.fresh() as (shop, dying):
            done = asyncio.run(done_by_a_process(shop, dying, name, case, die_at))
            assert done == steps[:die_at]
            assert story(shop) == unharmed, steps[die_at - 1]
            check_books(shop, case)


@pytest.mark.parametrize("words", OPERATORS)
def test_an_operators_command_killed_at_any_step_and_given_again_ends_the_same(
    lives: Lives, words: str
) -> None:
    case = OPERATORS[words]
    with lives.fresh() as (shop, dying):
        steps = asyncio.run(done_by_an_operator(shop, dying, words, case, None))
        unharmed = story(shop)
        check_books(shop, case)
    assert {"before append", "after append"} <= set(steps)
    for die_at in range(1, len(steps) + 1):
        with lives.fresh() as (shop, dying):
            done = asyncio.run(done_by_an_operator(shop, dying, words, case, die_at))
            assert done == steps[:die_at]
            assert story(shop) == unharmed, steps[die_at - 1]
            check_books(shop, case)
