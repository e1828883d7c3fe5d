"""Payment as a process: what follows from each answer of the gateway, and from none in time."""

import asyncio
from dataclasses import replace

import pytest

from aggregates.inventory import stock
from aggregates.kernel import Money
from aggregates.orders import credit_note, order
from aggregates.payments import payment, process
from aggregates.payments.standing import Standing
from commands.gateways.sandbox import CHARGE_DECLINED, VISA
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.payments import RecordGatewayOutcome
from commands.handlers.refunds import RefundOrder
from tests.shop.commands import ORDER, TRACE
from tests.shop.facts import NOON
from tests.shop.gateways import AwayGateway, RefusingGateway

TOTAL = 2900


def refund_all(credit_note_id="n1"):
    return RefundOrder(order_id=ORDER, credit_note_id=credit_note_id, reason="late", issued_on=NOON.date())


def cancel():
    return CancelOrder(order_id=ORDER, canceled_on=NOON.date(), reason="changed my mind")


def answered(step, standing):
    return RecordGatewayOutcome(
        order_id=ORDER, step=step, outcome="done", answered_on=NOON.date(), standing=standing
    )


def test_an_authorized_payment_confirms_the_order_and_keeps_its_units(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell()
            before = open_shop.log.head()
            async with open_shop.managers():
                await open_shop.until("confirmed", "authorized")
            assert open_shop.names(after=before) == [
                "payments.step_ended",
                "payments.payment_authorized",
                "payments.gateway_payment_linked",
                "orders.order_confirmed",
                "inventory.reservation_confirmed",
                "inventory.reservation_confirmed",
            ]
            assert all(
                reservation.confirmed
                for sku in ("MUG", "PAN")
                for reservation in open_shop.state(stock.stream(sku)).reservations.values()
            )

    asyncio.run(run())
    assert shop.stock("MUG") == (10, 2)
    assert shop.charged() == [("authorized", 0, 0)]


def test_what_a_process_does_is_traced_to_the_event_and_the_request_it_follows_from(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell()
            async with open_shop.managers():
                await open_shop.until("confirmed", "authorized")

    asyncio.run(run())
    events = shop.log.read_all(after=0, limit=1000)
    (begun,) = (event for event in events if event.type == "payments.step_begun")
    (confirmed,) = (event for event in events if event.type == "orders.order_confirmed")
    assert confirmed.causation == f"event:{begun.position}"
    assert confirmed.correlation == TRACE
    assert confirmed.actor == "process:payment"


@pytest.mark.parametrize(
    ("method", "attempt", "after", "charged"),
    [
        (
            CHARGE_DECLINED,
            ["payments.payment_attempt_failed", "payments.gateway_payment_linked"],
            ["payments.step_begun", "payments.step_ended", "payments.payment_voided"],
            [("voided", 0, 0)],
        ),
        ("pm_card_nobody_knows", [], [], []),
    ],
)
def test_a_declined_payment_cancels_the_order_and_puts_its_units_back_on_sale(
    shop, method, attempt, after, charged
):
    """What failed at the gateway could still be paid there: it is given up."""

    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell(method=method)
            before = open_shop.log.head()
            async with open_shop.managers():
                await open_shop.until("canceled", "declined")
                await open_shop.settled()
            assert open_shop.names(after=before) == [
                "payments.step_ended",
                *attempt,
                "payments.payment_declined",
                "orders.order_canceled",
                "customers.order_uncounted",
                "inventory.reservation_released",
                "inventory.reservation_released",
                *after,
            ]
            assert open_shop.statuses() == ("canceled", "declined")

    asyncio.run(run())
    assert shop.stock("MUG") == (10, 0)
    assert {e.cause for e in shop.story()["stock-PAN"] if hasattr(e, "cause")} == {"declined"}
    assert shop.story()[order.stream(ORDER)][-1].cause == "declined"
    assert shop.charged() == charged


def test_money_is_taken_at_the_first_fulfilment(shop):
    async def run():
        async with shop.open() as open_shop, open_shop.managers():
            await open_shop.sell()
            await open_shop.until("confirmed", "authorized")
            await open_shop.do(FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id="f1", lines={"1": 1}))
            await open_shop.until("partially_fulfilled", "captured")
            await open_shop.do(FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id="f2"))
            await open_shop.until("fulfilled", "captured")
            await open_shop.settled()

    asyncio.run(run())
    assert shop.charged() == [("captured", TOTAL, 0)]
    assert shop.stock("MUG") == (8, 0)


def test_money_is_taken_at_once_where_the_shop_captures_at_checkout(shop):
    async def run():
        async with shop.open() as open_shop, open_shop.managers():
            await open_shop.sell(capture="checkout")
            await open_shop.until("confirmed", "captured")

    asyncio.run(run())
    assert shop.charged() == [("captured", TOTAL, 0)]


def test_a_refund_pays_back_and_writes_its_credit_note(shop):
    async def run():
        async with shop.open() as open_shop, open_shop.managers():
            await open_shop.sell(capture="checkout")
            await open_shop.until("confirmed", "captured")
            await open_shop.do(FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id="f1"))
            await open_shop.do(
                RefundOrder(
                    order_id=ORDER,
                    credit_note_id="n1",
                    reason="late",
                    issued_on=NOON.date(),
                    lines={"1": 1},
                )
            )
            await open_shop.until("fulfilled", "partially_refunded")
            await open_shop.do(refund_all("n2"))
            await open_shop.until("fulfilled", "refunded")

    asyncio.run(run())
    assert shop.charged() == [("captured", TOTAL, TOTAL)]
    first, rest = (shop.state(credit_note.stream(note)).issued for note in ("n1", "n2"))
    assert (first.amount, rest.amount) == (Money(450, "GBP"), Money(2450, "GBP"))
    assert [(line.sku, line.quantity) for line in rest.lines] == [("MUG", 1), ("PAN", 1)]
    assert first.number != rest.number
    assert shop.state(order.stream(ORDER)).refunded == Money(TOTAL, "GBP")


def test_a_refund_asked_for_while_the_money_is_being_taken_follows_it(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell()
            async with open_shop.managers():
                await open_shop.until("confirmed", "authorized")
            await open_shop.do(FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id="f1"))
            await open_shop.do(refund_all())
            assert [step.call for step in open_shop.open_steps().values()] == ["capture", "refund"]
            async with open_shop.managers():
                await open_shop.until("fulfilled", "refunded")

    asyncio.run(run())
    assert shop.charged() == [("captured", TOTAL, TOTAL)]


def test_canceling_gives_up_the_hold(shop):
    async def run():
        async with shop.open() as open_shop, open_shop.managers():
            await open_shop.sell()
            await open_shop.until("confirmed", "authorized")
            await open_shop.do(cancel())
            await open_shop.until("canceled", "voided")

    asyncio.run(run())
    assert shop.charged() == [("voided", 0, 0)]
    assert shop.stock() == (10, 0)


def test_canceling_what_was_paid_gives_it_back_without_a_credit_note(shop):
    async def run():
        async with shop.open() as open_shop, open_shop.managers():
            await open_shop.sell(capture="checkout")
            await open_shop.until("confirmed", "captured")
            await open_shop.do(cancel())
            await open_shop.until("canceled", "refunded")

    asyncio.run(run())
    assert shop.charged() == [("captured", TOTAL, TOTAL)]
    assert not any(stream.startswith("credit_note-") for stream in shop.story())


@pytest.mark.parametrize(
    ("capture", "call", "before", "after"),
    [("checkout", "refund", "captured", "refunded"), ("fulfilment", "void", "authorized", "voided")],
)
def test_what_the_gateway_refused_to_undo_is_asked_of_it_again_by_canceling_again(
    shop, capture, call, before, after
):
    gateway = RefusingGateway(shop.gateway, refusing=call)

    async def scenario():
        async with shop.open() as open_shop, open_shop.managers(gateway):
            await open_shop.sell(capture=capture)
            await open_shop.until("confirmed", before)
            await open_shop.do(cancel())
            await open_shop.settled()
            assert open_shop.statuses() == ("canceled", before)
            gateway.refusing = None
            await open_shop.do(cancel())
            await open_shop.until("canceled", after)
            head = open_shop.log.head()
            await open_shop.do(cancel())
            assert open_shop.log.head() == head

    asyncio.run(scenario())
    assert shop.charged() == [("captured", TOTAL, TOTAL) if call == "refund" else ("voided", 0, 0)]
    assert shop.stock() == (10, 0)


def test_an_authorization_that_comes_after_the_order_was_canceled_is_voided(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell()
            await open_shop.do(cancel())
            assert open_shop.statuses() == ("canceled", "pending")
            async with open_shop.managers():
                await open_shop.until("canceled", "voided")

    asyncio.run(run())
    assert shop.charged() == [("voided", 0, 0)]
    assert shop.stock() == (10, 0)


def test_money_taken_after_the_order_was_canceled_is_given_back(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell(capture="checkout")
            answer = await shop.gateway.authorize(
                key=f"checkout-{ORDER}/1", method=VISA, amount=Money(TOTAL, "GBP"), order_id=ORDER
            )
            await open_shop.do(answered(1, answer.standing))
            await open_shop.do(cancel())
            assert open_shop.statuses() == ("canceled", "authorized")
            async with open_shop.managers():
                await open_shop.until("canceled", "refunded")

    asyncio.run(run())
    assert shop.charged() == [("captured", TOTAL, TOTAL)]


def test_the_same_outcome_told_twice_decides_nothing_the_second_time(shop):
    async def run():
        async with shop.open() as open_shop:
            await open_shop.sell(capture="checkout")
            held = Standing(reference="ref", currency="GBP", authorized=TOTAL)
            for recorded in (
                answered(1, held),
                answered(2, replace(held, captured=TOTAL, closed="captured")),
            ):
                await open_shop.do(recorded)
                before = open_shop.log.head()
                await open_shop.do(recorded)
                assert open_shop.log.head() == before
            assert open_shop.statuses() == ("confirmed", "captured")

    asyncio.run(run())


def test_a_gateway_that_is_away_is_asked_again_under_the_same_key(shop):
    away = AwayGateway(shop.gateway, times=5)

    async def run():
        async with shop.open() as open_shop, open_shop.managers(away):
            await open_shop.sell(capture="checkout")
            await open_shop.until("confirmed", "captured")

    asyncio.run(run())
    assert away.left == 0
    assert shop.charged() == [("captured", TOTAL, 0)]


def test_a_call_the_gateway_refuses_ends_its_step_and_books_nothing(shop):
    async def run():
        async with shop.open() as open_shop, open_shop.managers():
            await open_shop.sell()
            await open_shop.until("confirmed", "authorized")
            (charge,) = shop.gateway.charges()
            await shop.gateway.void(key="by hand", reference=charge.reference)
            await open_shop.do(FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id="f1"))
            await open_shop.settled()
            assert open_shop.statuses() == ("fulfilled", "voided")  # as the look after the refusal saw
            steps = open_shop.state(process.stream(ORDER))
            assert steps.outcomes == {1: "authorized", 2: "refused", 3: "looked"}
            assert steps.owed.to_shop == Money(TOTAL, "GBP")
            assert open_shop.state(payment.stream(ORDER)).captured == 0

    asyncio.run(run())
