"""What once waited for ever: each of these ends, or is on the operator's list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from aggregates.kernel import Money, Rejected
from aggregates.payments.events import ConcernRaised, PaymentAuthorized
from aggregates.payments.payment import RefundOverCapture
from aggregates.payments.standing import DisputeMove, RefundStanding, join
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.payments import (
    JoinStanding,
    RaiseConcern,
    RecordGatewayNews,
    RetryPayment,
)
from commands.handlers.refunds import RefundOrder
from replays.verification.verify import verify
from tests.payments.deciding import NOON, ORDER, PI, TODAY, Desk, drain, standing
from tests.payments.stored import stored
from tests.payments.world import World
from tests.shop.facts import CODEC

HOLD = standing(authorized=1299)
TAKEN = standing(authorized=1299, captured=1299, closed="captured")


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Whatever a test decides, the books that it leaves contradict nothing."""
    desk = Desk()
    yield desk
    found: list[str] = []
    verify(stored(desk).log, CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []


def parked(reference: str) -> RecordGatewayNews:
    """News that only name a charge, a refund or a dispute."""
    return RecordGatewayNews(
        event_id=f"evt_{reference}",
        kind="v1.charge.dispute.created",
        created=NOON,
        received_on=TODAY,
        reference=reference,
        look=True,
        concern="dispute",
    )


def refund(desk: Desk, amount: int, note: str = "note") -> None:
    desk.do(
        RefundOrder(
            order_id=ORDER, credit_note_id=note, reason=None, issued_on=TODAY, amount=Money(amount, "EUR")
        )
    )


def paid_in_two_attempts(desk: Desk) -> None:
    """500 of the first hold, 799 of a second one."""
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    desk.do(FulfilOrder(order_id=ORDER, fulfilment_id="f1", sent_at=NOON))
    drain(desk, standing(authorized=1299, captured=500, closed="captured"))
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    _, again = desk.steps("authorize")
    second = standing(reference="pi_2", authorized=799)
    desk.answer(again.step, second)
    drain(desk, join(second, standing(reference="pi_2", captured=799, closed="captured")))
    assert [one.captured for one in desk.payment.standings.values()] == [500, 799]
    assert desk.owed() == (0, 0, (), ())


def test_news_that_name_a_payments_dispute_only_find_their_order(desk: Desk) -> None:
    desk.place()
    desk.answer(1, HOLD)
    desk.do(parked("du_1"))
    assert desk.linked("du_1").parked
    desk.do(JoinStanding(standing=HOLD, on=TODAY, looked_at="du_1"))
    assert (desk.linked("du_1").order_id, desk.linked("du_1").parked) == (ORDER, [])
    assert desk.process.concerns == {"dispute"}


@pytest.mark.parametrize("found", [{"order_id": None}, {"currency": "USD"}], ids=["no order", "currency"])
def test_what_a_look_finds_to_be_none_of_ours_is_closed_under_the_name_it_was_parked_by(
    desk: Desk, found: dict[str, str | None]
) -> None:
    desk.place()
    desk.do(parked("ch_1"))
    desk.do(JoinStanding(standing=standing(**({"reference": "pi_9"} | found)), on=TODAY, looked_at="ch_1"))
    assert desk.linked("ch_1").foreign


def test_a_failed_attempt_beside_a_hold_of_too_little_gives_both_up(desk: Desk) -> None:
    desk.place(capture="fulfilment")
    desk.answer(1, standing(authorized=500))
    assert desk.order.status == "placed"
    desk.news(standing(failed="card_declined"))
    (void,) = desk.steps("void")
    assert (desk.order.status, void.amount.amount) == ("canceled", 500)
    desk.answer(void.step, standing(closed="canceled"))
    assert desk.end() == ("canceled", "voided", (0, 0, 0, 0), 0, (0, 0, (), ()), [])


def test_a_timer_of_a_hold_ends_whether_or_not_its_concern_was_raised_before(desk: Desk) -> None:
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    for _ in range(2):
        decided = desk.do(RaiseConcern(order_id=ORDER, concern="hold_lapses", on=TODAY))
        assert ConcernRaised(order_id=ORDER, concern="hold_lapses") in [one for _, one in decided.events]


def test_a_hold_that_was_taken_lapses_no_more(desk: Desk) -> None:
    desk.place()
    desk.news(TAKEN)
    desk.news(standing(authorized=1299, capture_before=NOON + timedelta(days=7)))
    authorized = [event for _, event in desk.events if isinstance(event, PaymentAuthorized)]
    assert [event.capture_before for event in authorized] == [None]


def test_no_refund_asks_for_more_than_one_payment_of_the_gateways_has_left(desk: Desk) -> None:
    paid_in_two_attempts(desk)
    with pytest.raises(Rejected) as refused:
        refund(desk, 1299)
    remaining = Money(799, "EUR")
    assert refused.value.reason == RefundOverCapture(
        order_id=ORDER, asked=Money(1299, "EUR"), remaining=remaining
    )
    refund(desk, 799, "n1")
    refund(desk, 500, "n2")
    refunds = [(step.gateway_reference, step.amount.amount) for step in desk.steps("refund")]
    assert refunds == [("pi_2", 799), (PI, 500)]


def test_no_refund_asks_for_what_a_dispute_took(desk: Desk) -> None:
    desk.place()
    desk.answer(1, HOLD)
    desk.answer(2, TAKEN)
    move = DisputeMove(transaction="txn_1", dispute="du_1", amount=-999, fee=1500)
    desk.news(standing(moves=(move,)))
    with pytest.raises(Rejected) as refused:
        refund(desk, 500)
    assert refused.value.reason == RefundOverCapture(
        order_id=ORDER, asked=Money(500, "EUR"), remaining=Money(300, "EUR")
    )
    refund(desk, 300)


def test_what_the_customer_is_owed_of_two_payments_goes_back_in_two_retries(desk: Desk) -> None:
    paid_in_two_attempts(desk)
    for amount, note in ((799, "n1"), (500, "n2")):
        refund(desk, amount, note)
        step = desk.steps("refund")[-1]
        failing = RefundStanding(
            reference=f"re_{note}",
            amount=amount,
            state="pending",
            step=f"checkout-{ORDER}/{step.step}",
            credit_note_id=note,
        )
        reference = step.gateway_reference or ""
        desk.answer(step.step, standing(reference=reference, refunds=(failing,)))
        failed = RefundStanding(reference=f"re_{note}", amount=amount, state="failed", step=failing.step)
        desk.news(standing(reference=reference, refunds=(failed,)))
    assert desk.owed()[:2] == (0, 1299)
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    step = desk.steps("refund")[-1]
    assert (step.gateway_reference, step.amount.amount) == ("pi_2", 799)


def test_a_look_whose_answer_nobody_can_read_is_on_the_list_after_a_day(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, method="pm_card_visa", capture="checkout")
        try:
            await world.step(0)
            await world.step(0)
            (charge,) = world.books.charges()
            world.desk.do(parked(charge.reference))
            assert world.desk.process.is_open("look")
            world.books.plant("payment_intents.retrieve", "500", times=3)
            await world.step(0)
            world.now += timedelta(hours=24)
            await world.step(0)
            assert world.desk.process.is_open("look")
            world.now += timedelta(hours=1)
            await world.step(0)
            assert world.desk.owed() == (0, 0, ("look",), ("dispute",))
            world.desk.do(RetryPayment(order_id=ORDER, on=TODAY))
            await world.step(0)
            assert world.desk.owed() == (0, 0, (), ("dispute",))
        finally:
            await world.aclose()

    asyncio.run(run())
