"""The payment process through the real library: what each card and each fault comes to, by both books."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from aggregates.kernel import Money
from aggregates.orders.events import CreditNoteIssued
from aggregates.payments import payment
from commands.gateways.stripe.gateway import StripeGateway
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.refunds import RefundOrder
from commands.loop.decision import Actor, Context
from commands.processes.gateway_news import catch_up
from event_store.memory.log import MemoryLog
from tests.shop.commands import ORDER, TRACE, Shop, eventually
from tests.stripe.face import KEY

TOTAL = 2900
PROOF = "pm_card_authenticationRequired"
MOVING = ("payment_intents.create", "payment_intents.capture", "payment_intents.cancel", "refunds.create")


@pytest.fixture
def shop(face):
    log = MemoryLog()
    yield Shop(log, face.books, now=datetime.now(UTC))
    log.close()


def live(shop, face, story):
    """The story of a shop whose process managers call the adapter."""

    async def run():
        gateway = StripeGateway(KEY, webhook_secrets=["whsec_face"], api_base=face.url)
        try:
            async with shop.open() as open_shop, open_shop.managers(gateway):
                await story(open_shop, gateway)
                await open_shop.settled()
        finally:
            await gateway.aclose()

    asyncio.run(run())


async def fetch_news(shop, gateway):
    """Records all news of the last minutes, as the operator's command does."""
    now = datetime.now(UTC)

    async def submit(command):
        actor = Actor("gateway", gateway.name)
        await shop.handling.handle(command, Context(actor=actor, channel="api", correlation=TRACE))

    return await catch_up(gateway, submit, since=now - timedelta(minutes=5), now=now)


def paid(shop):
    """Held, taken, given back and disputed, by our books."""
    standings = shop.state(payment.stream(ORDER)).standings.values()
    return tuple(
        sum(getattr(one, name) for one in standings) for name in ("held", "captured", "returned", "disputed")
    )


async def sell_and_send(shop, gateway):
    await shop.sell()
    await shop.until("confirmed", "authorized")
    await shop.do(FulfilOrder(order_id=ORDER, fulfilment_id="f1", sent_at=shop.now))
    await eventually(lambda: paid(shop) == (0, TOTAL, 0, 0), lambda: paid(shop))


@pytest.mark.parametrize(
    "fault", [None, "lost_before", "lost_after", "reset", "garbled", "409", "429", "401", "500_done"]
)
def test_an_order_is_paid_sent_and_given_back_whatever_becomes_of_the_answers(shop, face, fault):
    async def story(shop, gateway):
        await sell_and_send(shop, gateway)
        await shop.do(
            RefundOrder(
                order_id=ORDER,
                credit_note_id="c" * 32,
                reason=None,
                issued_on=shop.now.date(),
                amount=Money(900, "GBP"),
            )
        )
        await eventually(lambda: paid(shop) == (0, TOTAL, 900, 0), lambda: paid(shop))

    for operation in MOVING if fault else ():
        face.books.plant(operation, fault)
    live(shop, face, story)
    assert shop.charged() == [("captured", TOTAL, 900)]
    for operation in MOVING:
        assert len({call.key for call in face.made(operation)}) <= 1


@pytest.mark.parametrize("fault", [None, "lost_before", "lost_after", "500_done"])
def test_what_was_taken_in_part_is_paid_back_and_the_rest_of_the_hold_let_go(shop, face, fault):
    async def story(shop, gateway):
        await shop.sell(capture="each")
        await shop.until("confirmed", "authorized")
        await shop.do(FulfilOrder(order_id=ORDER, fulfilment_id="f1", sent_at=shop.now, lines={"1": 1}))
        await eventually(lambda: paid(shop) == (2450, 450, 0, 0), lambda: paid(shop))
        refunds = {"reason": None, "issued_on": shop.now.date(), "order_id": ORDER}
        await shop.do(RefundOrder(credit_note_id="b" * 32, lines={"1": 1}, **refunds))
        await shop.do(RefundOrder(credit_note_id="c" * 32, **refunds))
        await eventually(lambda: paid(shop) == (0, 450, 450, 0), lambda: paid(shop))

    for operation in MOVING if fault else ():
        face.books.plant(operation, fault)
    live(shop, face, story)
    assert shop.charged() == [("captured", 450, 450)]
    assert [event.amount.amount for event in notes(shop)] == [450, 2450]


def notes(shop):
    return [
        event for events in shop.story().values() for event in events if isinstance(event, CreditNoteIssued)
    ]


@pytest.mark.parametrize("fault", [None, "lost_before", "lost_after", "500_done"])
def test_an_order_that_is_canceled_gives_its_hold_back(shop, face, fault):
    async def story(shop, gateway):
        await shop.sell()
        await shop.until("confirmed", "authorized")
        await shop.do(CancelOrder(order_id=ORDER, reason="changed my mind", canceled_on=shop.now.date()))
        await eventually(lambda: shop.charged() == [("voided", 0, 0)], shop.charged)

    if fault:
        face.books.plant("payment_intents.cancel", fault)
    live(shop, face, story)
    assert paid(shop) == (0, 0, 0, 0)


def test_a_declined_card_cancels_the_order_and_the_intent(shop, face):
    async def story(shop, gateway):
        await shop.sell(method="pm_card_chargeDeclined")
        await eventually(lambda: shop.statuses()[0] == "canceled", shop.statuses)

    live(shop, face, story)
    assert shop.charged() == [("voided", 0, 0)]
    assert shop.stock() == (10, 0)


def test_a_shopper_who_proves_themselves_is_known_by_the_news(shop, face):
    async def story(shop, gateway):
        await shop.sell(method=PROOF)
        await eventually(lambda: shop.charged() != [], shop.charged)
        (line,) = face.books.charges()
        face.books.shopper_passes(line.reference)
        assert await fetch_news(shop, gateway) > 0
        await shop.until("confirmed", "authorized")

    live(shop, face, story)
    assert paid(shop) == (TOTAL, 0, 0, 0)


def test_what_is_done_in_the_dashboard_is_known_by_the_news_and_counted_once(shop, face):
    async def story(shop, gateway):
        await sell_and_send(shop, gateway)
        (line,) = face.books.charges()
        face.books.refund_in_dashboard(line.reference, 300)
        dispute = face.books.dispute(line.reference, 999)
        await fetch_news(shop, gateway)
        await fetch_news(shop, gateway)
        await eventually(lambda: paid(shop) == (0, TOTAL, 300, 999), lambda: paid(shop))
        face.books.dispute_won(dispute)
        await fetch_news(shop, gateway)
        await eventually(lambda: paid(shop) == (0, TOTAL, 300, 0), lambda: paid(shop))

    live(shop, face, story)
