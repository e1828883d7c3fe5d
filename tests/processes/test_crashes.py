"""A process that dies at any step of a payment: another ends the same story, and the card is charged once."""

import asyncio
import re

import pytest

from aggregates.kernel import Money
from commands.gateways.sandbox import Books, SandboxGateway
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.refunds import RefundOrder
from event_store.memory.log import MemoryLog
from event_store.retries import RetryPolicy
from tests.shop.commands import ORDER, DyingHandling, Shop, eventually
from tests.shop.facts import NOON
from tests.shop.gateways import DyingGateway
from tests.shop.log import decoded
from tests.waiting import SECONDS_MAX

LONG = RetryPolicy(pause_first=60.0, pause_max=60.0)  # whoever lost a call is dead before it asks again


def paid_and_refunded():
    return [
        (lambda shop: shop.sell(), ("confirmed", "authorized")),
        (
            lambda shop: shop.do(FulfilOrder(order_id=ORDER, sent_at=NOON, fulfilment_id="f1")),
            ("fulfilled", "captured"),
        ),
        (
            lambda shop: shop.do(
                RefundOrder(
                    order_id=ORDER,
                    credit_note_id="n1",
                    reason="late",
                    issued_on=NOON.date(),
                    amount=Money(900, "GBP"),
                )
            ),
            ("fulfilled", "partially_refunded"),
        ),
    ]


def canceled():
    return [
        (lambda shop: shop.sell(), ("confirmed", "authorized")),
        (
            lambda shop: shop.do(CancelOrder(order_id=ORDER, canceled_on=NOON.date(), reason="")),
            ("canceled", "voided"),
        ),
    ]


def refunded(*stages):
    """Taken at checkout, and paid back before anything was sent: units, then all."""
    return [
        (lambda shop: shop.sell(capture="checkout"), ("confirmed", "captured")),
        *((lambda shop, back=back: shop.do(back), stands) for back, stands in stages),
    ]


def refund(note, **what):
    return RefundOrder(order_id=ORDER, credit_note_id=note, reason="late", issued_on=NOON.date(), **what)


UNITS = (refund("n1", lines={"1": 1}), ("confirmed", "partially_refunded"))
ALL = (refund("n2"), ("canceled", "refunded"))


async def live(shop, stages, dying=None):
    """Goes through the stages; where the process dies, a new one goes on from the log."""
    left = list(stages)
    if dying is not None:
        async with shop.open() as first, first.managers(dying, LONG):
            while not dying.dead.is_set():
                do, statuses = left.pop(0)
                await do(first)
                await first.until(*statuses, unless=dying.dead)
        left.insert(0, (None, statuses))
    async with shop.open() as second, second.managers():
        for do, statuses in left:
            if do is not None:
                await do(second)
            await second.until(*statuses)


def without_names(shop):
    """The story in words; what the gateway names at random is numbered in the order in which it comes."""
    words = "\n".join(f"{recorded.stream} {event}" for recorded, event in decoded(shop.log))
    names = dict.fromkeys(re.findall(r"\b(?:pi|ch|re|req)_\w+", words))
    numbers = {name: f"{name.split('_')[0]} {number}" for number, name in enumerate(names)}
    return re.sub("|".join(names), lambda found: numbers[found[0]], words).splitlines()


@pytest.mark.parametrize("done", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize(
    ("at", "stages"),
    [
        ("authorize", paid_and_refunded()),
        ("capture", paid_and_refunded()),
        ("refund", paid_and_refunded()),
        ("refund", refunded(UNITS, ALL)),
        ("refund", refunded(ALL)),
        ("void", canceled()),
    ],
    ids=["authorize", "capture", "refund", "refund of units", "refund of all", "void"],
)
def test_a_process_that_dies_around_a_call_is_followed_by_one_that_ends_the_story_the_same(
    shop, tmp_path, at, stages, done
):
    smooth = Shop(MemoryLog(), SandboxGateway(Books(tmp_path / "smooth.sqlite", clock=lambda: NOON)))
    asyncio.run(live(smooth, stages))
    dying = DyingGateway(shop.gateway, at=at, done=done)
    asyncio.run(live(shop, stages, dying))
    assert dying.dead.is_set()
    assert without_names(shop) == without_names(smooth)
    assert shop.charged() == smooth.charged()
    assert len(shop.charged()) == 1
    smooth.gateway.close()


def test_an_answer_that_was_never_recorded_is_asked_for_again_and_the_card_charged_once(shop):
    async def run():
        async with shop.open() as first:
            await first.sell(capture="checkout")
            first.handling, handling = DyingHandling(), first.handling
            async with first.managers():
                await asyncio.wait_for(first.handling.received.wait(), SECONDS_MAX)
            first.handling = handling
            assert first.statuses() == ("placed", "pending")
            assert first.charged() == [("authorized", 0, 0)]
        async with shop.open() as second, second.managers():
            await second.until("confirmed", "captured")

    asyncio.run(run())
    assert shop.charged() == [("captured", 2900, 0)]


def test_one_process_leads_and_the_other_takes_over_when_it_is_gone(shop):
    async def run():
        async with shop.open() as first, shop.open() as second:
            async with first.managers():
                await first.sell("1" * 32)
                await first.until("confirmed", "authorized", order_id="1" * 32)
                async with second.managers():
                    await first.sell("2" * 32)
                    await first.until("confirmed", "authorized", order_id="2" * 32)
            async with second.managers():
                await first.sell("3" * 32)
                await first.until("confirmed", "authorized", order_id="3" * 32)

    asyncio.run(run())
    assert shop.charged() == [("authorized", 0, 0)] * 3


def test_what_waits_for_expiry_is_found_again_behind_the_checkpoint(shop):
    async def run():
        async with shop.open() as first, first.managers():
            await first.sell(method="pm_card_authenticationRequired")
            await first.until("placed", "action_required")
            head = shop.log.head()
            await eventually(lambda: shop.checkpoints() == (head, head), shop.checkpoints)
            assert shop.open_work() == [(ORDER, 0)]
        async with shop.open() as second:
            second.now = NOON.replace(hour=13)
            async with second.managers():
                await second.until("canceled", "voided")
                await second.do(CancelOrder(order_id=ORDER, canceled_on=NOON.date(), reason=""))  # already
                head = shop.log.head()
                await eventually(lambda: shop.checkpoints() == (head, head), shop.checkpoints)
                assert shop.open_work() == []

    asyncio.run(run())
