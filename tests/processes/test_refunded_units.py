"""Refunded units are not sent: not while the refund is under way, not once it is booked; then they are for
sale. And at the end of each story the books hold: verified, and the day's sales come out."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from aggregates.kernel import Money, Rejected
from aggregates.orders import order
from aggregates.orders.cancellation import NotCancelable, RefundUnderWay
from aggregates.orders.events import OrderRefunded, RefundedLine
from aggregates.orders.fulfilment import NotFulfillable, TooManyUnits
from aggregates.orders.refundable import NothingToRefund
from aggregates.payments import payment
from aggregates.payments.events import PaymentRefunded
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.fulfilment import FulfilOrder, ReturnLines
from commands.handlers.refunds import RefundOrder
from projections.views.sales import VIEW as SALES
from replays.verification.verify import verify
from tests.event_store.given import entry
from tests.shop.commands import ORDER, eventually
from tests.shop.facts import NOON
from tests.shop.gateways import RefusingGateway

TOTAL = 2900  # two mugs at 4.50, line 1, and a pan at 20.00, line 2


def refund(note, *, reason=None, **what):
    return RefundOrder(order_id=ORDER, credit_note_id=note, reason=reason, issued_on=NOON.date(), **what)


def send(name, lines=None):
    return FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id=name, lines=lines)


async def refused(shop, command, reason):
    head = shop.log.head()
    with pytest.raises(Rejected) as rejected:
        await shop.do(command)
    assert rejected.value.reason == reason
    assert shop.log.head() == head


@asynccontextmanager
async def paid_shop(shop, gateway=None):
    """An order whose money was taken at checkout and of which nothing was sent."""
    async with shop.open() as open_shop, open_shop.managers(gateway):
        await open_shop.sell(capture="checkout")
        await open_shop.until("confirmed", "captured")
        yield open_shop


def run_and_verify(shop, story):
    asyncio.run(story())
    findings = []
    verify(shop.log, shop.codec, report=findings.append)
    assert findings == []


def sales(shop):
    """Orders, gross, returns and net over all days."""
    days, sums = {}, Counter()
    for recorded in shop.log.read_all(after=0, limit=1_000):
        event = shop.codec.decode(recorded)
        for key, fact in SALES.facts(event, recorded) if type(event) in SALES.events else ():
            days[key] = SALES.evolve(key, days.get(key), fact, recorded)
    for row in (row for day in days.values() for row in day.rows):
        sums.update(orders=row.orders, gross=row.gross, returns=row.returns, net=row.net)
    return sums["orders"], sums["gross"], sums["returns"], sums["net"]


@pytest.mark.parametrize(
    "whole",
    [{}, {"amount": Money(TOTAL, "GBP")}, {"lines": {"1": 2, "2": 1}}],
    ids=["all", "the amount", "every line"],
)
def test_an_order_refunded_wholly_before_anything_was_sent_ends_canceled(shop, whole):
    async def story():
        async with paid_shop(shop) as opened:
            await opened.do(refund("n1", **whole))
            await opened.until("canceled", "refunded")
            await refused(opened, send("f1"), NotFulfillable(ORDER, "canceled"))

    run_and_verify(shop, story)
    assert shop.charged() == [("captured", TOTAL, TOTAL)]
    assert shop.stock("MUG") == shop.stock("PAN") == (10, 0)
    assert shop.story()[order.stream(ORDER)][-1].cause == "refunded"
    assert "orders.credit_note_issued" not in shop.names()
    assert sales(shop) == (0, 0, 0, 0)


@pytest.mark.parametrize("rest", [{}, {"amount": Money(TOTAL - 550, "GBP")}], ids=["all", "the amount"])
def test_what_an_earlier_credit_note_gave_back_comes_out_of_the_books_once(shop, rest):
    async def story():
        async with paid_shop(shop) as opened:
            await opened.do(refund("n1", amount=Money(100, "GBP")))
            await opened.until("confirmed", "partially_refunded")
            await opened.do(refund("n2", lines={"1": 1}))
            await opened.settled()
            await opened.do(refund("n3", **rest))
            await opened.until("canceled", "refunded")

    run_and_verify(shop, story)
    assert shop.charged() == [("captured", TOTAL, TOTAL)]
    assert shop.stock("MUG") == shop.stock("PAN") == (10, 0)
    assert sales(shop) == (0, 550, 550, 0)


@pytest.mark.parametrize("sent", [False, True], ids=["nothing sent", "one sent"])
def test_lines_that_come_to_all_that_remains_are_a_refund_of_all(shop, sent):
    async def story():
        async with paid_shop(shop) as opened:
            if sent:
                await opened.do(send("f1", {"1": 1}))
            await opened.do(refund("n1", amount=Money(900, "GBP")))
            await opened.until("partially_fulfilled" if sent else "confirmed", "partially_refunded")
            await opened.do(refund("n2", lines={"2": 1}))
            await opened.until("fulfilled" if sent else "canceled", "refunded")

    run_and_verify(shop, story)
    assert shop.charged() == [("captured", TOTAL, TOTAL)]
    assert (shop.stock("MUG"), shop.stock("PAN")) == ((9 if sent else 10, 0), (10, 0))
    assert sales(shop)[3] == 0


def test_units_that_lines_name_are_for_sale_again_and_the_others_are_sent(shop):
    async def story():
        async with paid_shop(shop) as opened:
            await opened.do(refund("n1", lines={"1": 1}))
            await opened.until("confirmed", "partially_refunded")
            assert opened.stock("MUG") == (10, 1)
            await refused(opened, send("f1", {"1": 2}), TooManyUnits("1", asked=2, remaining=1))
            await opened.do(send("f1"))
            await opened.until("fulfilled", "partially_refunded")

    run_and_verify(shop, story)
    assert (shop.stock("MUG"), shop.stock("PAN")) == ((9, 0), (9, 0))


def test_of_three_units_one_is_sent_and_all_are_refunded_and_nothing_else_is_sent(shop):
    async def story():
        async with paid_shop(shop) as opened:
            await opened.do(send("f1", {"1": 1}))
            await opened.do(refund("n1"))
            await opened.until("fulfilled", "refunded")
            await refused(opened, send("f2"), NotFulfillable(ORDER, "fulfilled"))
            await refused(
                opened,
                CancelOrder(order_id=ORDER, canceled_on=NOON.date()),
                NotCancelable(ORDER, "fulfilled"),
            )
            await refused(opened, refund("n2"), NothingToRefund(ORDER, "fulfilled"))
            back = ReturnLines(order_id=ORDER, return_id="r1", restock=True, reason=None)
            await opened.do(back)
            await opened.until("returned", "refunded")

    run_and_verify(shop, story)
    assert (shop.stock("MUG"), shop.stock("PAN")) == ((10, 0), (10, 0))
    assert sales(shop) == (1, TOTAL, TOTAL, 0)


def test_an_amount_alone_covers_no_units(shop):
    async def story():
        async with paid_shop(shop) as opened:
            await opened.do(refund("n1", amount=Money(TOTAL - 1, "GBP")))
            await opened.until("confirmed", "partially_refunded")
            assert (opened.stock("MUG"), opened.stock("PAN")) == ((10, 2), (10, 1))
            await opened.do(send("f1"))
            await opened.until("fulfilled", "partially_refunded")

    run_and_verify(shop, story)


def test_while_a_refund_is_under_way_its_units_are_not_sent_and_if_it_is_refused_they_are(shop):
    gateway = RefusingGateway(shop.gateway, refusing="refund")

    async def story():
        async with shop.open() as opened:
            async with opened.managers():
                await opened.sell(capture="checkout")
                await opened.until("confirmed", "captured")
            await opened.do(refund("n1", lines={"1": 1}))
            await refused(opened, send("f1", {"1": 2}), TooManyUnits("1", asked=2, remaining=1))
            await refused(opened, CancelOrder(order_id=ORDER, canceled_on=NOON.date()), RefundUnderWay(ORDER))
            assert opened.stock("MUG") == (10, 2)
            async with opened.managers(gateway):
                await opened.settled()
                await opened.do(send("f2", {"1": 2}))

    run_and_verify(shop, story)
    assert shop.charged() == [("captured", TOTAL, 0)]
    assert shop.stock("MUG") == (8, 0)


def test_two_refunds_under_way_share_what_there_is_and_the_last_one_ends_the_order(shop):
    async def story():
        async with shop.open() as opened:
            async with opened.managers():
                await opened.sell(capture="checkout")
                await opened.until("confirmed", "captured")
            await opened.do(refund("n1", lines={"1": 1}))
            await opened.do(refund("n2"))
            await refused(opened, refund("n3"), NothingToRefund(ORDER, "confirmed"))
            await refused(opened, send("f1"), NotFulfillable(ORDER, "confirmed"))
            async with opened.managers():
                await opened.until("canceled", "refunded")

    run_and_verify(shop, story)
    assert shop.charged() == [("captured", TOTAL, TOTAL)]
    assert shop.stock("MUG") == shop.stock("PAN") == (10, 0)
    assert sales(shop) == (0, 450, 450, 0)


def test_a_refund_asked_for_while_the_capture_of_a_part_is_under_way_withdraws_the_rest(shop):
    async def story():
        async with shop.open() as opened:
            async with opened.managers():
                await opened.sell()
                await opened.until("confirmed", "authorized")
            await opened.do(send("f1", {"1": 1}))
            await opened.do(refund("n1"))
            await refused(opened, send("f2"), NotFulfillable(ORDER, "partially_fulfilled"))
            async with opened.managers():
                await opened.until("fulfilled", "refunded")

    run_and_verify(shop, story)
    assert shop.charged() == [("captured", TOTAL, TOTAL)]
    assert (shop.stock("MUG"), shop.stock("PAN")) == ((9, 0), (10, 0))


def test_units_whose_refund_comes_to_nothing_with_the_capture_can_be_sent_again(shop):
    gateway = RefusingGateway(shop.gateway, refusing="capture")

    async def story():
        async with shop.open() as opened:
            async with opened.managers():
                await opened.sell()
                await opened.until("confirmed", "authorized")
            await opened.do(send("f1", {"1": 1}))
            await opened.do(refund("n1"))
            async with opened.managers(gateway):
                await opened.settled()
            await opened.do(send("f2"))
            assert opened.statuses() == ("fulfilled", "authorized")

    run_and_verify(shop, story)
    assert shop.charged() == [("authorized", 0, 0)]
    assert (shop.stock("MUG"), shop.stock("PAN")) == ((8, 0), (9, 0))


@pytest.mark.parametrize("first", ["send", "refund"])
def test_units_sent_and_refunded_in_one_batch_are_one_or_the_other(shop, first):
    async def story():
        async with paid_shop(shop) as opened:
            both = [send("f1", {"1": 2}), refund("n1", lines={"1": 2})]
            if first == "refund":
                both.reverse()
            outcomes = await asyncio.gather(*map(opened.do, both), return_exceptions=True)
            refusals = [one.reason for one in outcomes if isinstance(one, Rejected)]
            expected = [] if first == "send" else [TooManyUnits("1", asked=2, remaining=0)]
            assert refusals == expected
            await opened.settled()

    run_and_verify(shop, story)
    assert shop.stock("MUG") == ((8, 0) if first == "send" else (10, 0))


@pytest.mark.parametrize("then", ["send", "cancel"])
def test_what_code_of_before_refunded_and_left_set_aside_ends_with_what_is_done_next(shop, then):
    amount = Money(450, "GBP")
    part = RefundedLine(line_id="1", quantity=1, amount=amount)  # It does not say what is withdrawn.
    of_before = {
        order.stream(ORDER): OrderRefunded(order_id=ORDER, credit_note_id="n1", amount=amount, lines=(part,)),
        payment.stream(ORDER): PaymentRefunded(order_id=ORDER, amount=amount, credit_note_id="n1"),
    }

    async def story():
        async with paid_shop(shop) as opened:
            if then == "cancel":  # what is left to do where a part was sent
                await opened.do(send("f1", {"1": 1, "2": 1}))
                await opened.settled()
            reads = {stream: shop.log.read_stream(stream)[-1].version for stream in of_before}
            events = [shop.codec.encode(stream, event) for stream, event in of_before.items()]
            shop.log.append([entry(reads, events=events, verdict="accepted")])
            assert opened.stock("MUG")[1] == (2 if then == "send" else 1)
            await opened.do(
                send("f2") if then == "send" else CancelOrder(order_id=ORDER, canceled_on=NOON.date())
            )
            await opened.until("fulfilled", "partially_refunded")

    asyncio.run(story())
    assert (shop.stock("MUG"), shop.stock("PAN")) == ((9, 0), (9, 0))


def test_an_order_refunded_in_part_and_then_canceled_gives_back_the_rest(shop):
    async def story():
        async with paid_shop(shop) as opened:
            await opened.do(refund("n1", lines={"1": 1}))
            await opened.until("confirmed", "partially_refunded")
            await opened.do(CancelOrder(order_id=ORDER, canceled_on=NOON.date()))
            await opened.until("canceled", "refunded")

    run_and_verify(shop, story)
    assert shop.charged() == [("captured", TOTAL, TOTAL)]
    assert shop.stock("MUG") == shop.stock("PAN") == (10, 0)
    assert sales(shop) == (0, 450, 450, 0)


def test_an_order_whose_capture_was_refused_is_given_up_by_a_refund_of_the_whole(shop):
    gateway = RefusingGateway(shop.gateway, refusing="capture")

    async def story():
        async with shop.open() as opened, opened.managers(gateway):
            await opened.sell(capture="checkout")
            await opened.until("confirmed", "authorized")
            await opened.settled()
            await opened.do(refund("n1"))
            await opened.until("canceled", "voided")

    run_and_verify(shop, story)
    assert shop.charged() == [("voided", 0, 0)]
    assert shop.stock("MUG") == shop.stock("PAN") == (10, 0)


@asynccontextmanager
async def shop_that_takes_parts(shop):
    """An order of which one mug was sent, and its part of the hold taken."""
    async with shop.open() as open_shop, open_shop.managers():
        await open_shop.sell(capture="each")
        await open_shop.until("confirmed", "authorized")
        await open_shop.do(send("first", {"1": 1}))
        await eventually(lambda: open_shop.charged() == [("authorized", 450, 0)], open_shop.charged)
        await open_shop.settled()
        yield open_shop


def test_units_refunded_before_their_part_was_taken_are_never_taken(shop):
    async def story():
        async with shop_that_takes_parts(shop) as open_shop:
            await open_shop.do(refund("n1", lines={"1": 1}))
            assert open_shop.stock("MUG") == (9, 0)
            assert open_shop.charged() == [("authorized", 450, 0)]
            await open_shop.do(send("second"))
            await eventually(lambda: open_shop.charged() == [("captured", 2450, 0)], open_shop.charged)
            await open_shop.settled()

    run_and_verify(shop, story)
    assert sum(one.amount.amount for one in booked(shop)) == 450


def test_a_refund_of_all_pays_back_what_was_taken_and_lets_the_rest_of_the_hold_go(shop):
    async def story():
        async with shop_that_takes_parts(shop) as open_shop:
            await open_shop.do(refund("n1"))
            await eventually(lambda: open_shop.charged() == [("captured", 450, 450)], open_shop.charged)
            await eventually(lambda: not held(open_shop), lambda: held(open_shop))
            await open_shop.settled()
            assert open_shop.stock("PAN") == (10, 0)

    run_and_verify(shop, story)
    assert sum(one.amount.amount for one in booked(shop)) == TOTAL


def booked(shop):
    return [event for events in shop.story().values() for event in events if isinstance(event, OrderRefunded)]


def held(shop):
    return shop.state(payment.stream(ORDER)).held
