"""What an order's money calls for, rule by rule, and the end of each special case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from aggregates.kernel import Money, Rejected
from aggregates.orders.events import CreditNoteIssued
from aggregates.payments.events import OwedChanged
from aggregates.payments.process import CallUnderWay, NothingToRetry
from aggregates.payments.standing import DisputeMove, RefundStanding, Standing, join
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.fulfilment import AuthorizationLapses, FulfilOrder
from commands.handlers.payments import ExpireOrder, RaiseConcern, RetryPayment, WriteOffPayment
from commands.handlers.refunds import PartialRefundBeforeCapture, RefundOrder
from commands.handlers.terms import DefinePromotion
from replays.verification.verify import verify
from tests.payments.deciding import NOON, ORDER, TODAY, Desk, drain, standing
from tests.payments.stored import stored, written
from tests.promotions.given import UNITS
from tests.shop.facts import CODEC
from tests.terms.samples import ten_percent

NOTHING = (0, 0, (), ())
HOLD = standing(authorized=1299)
TAKEN = standing(authorized=1299, captured=1299, closed="captured")
GIVEN_UP = standing(closed="canceled")
FAILED = standing(failed="card_declined")
ACTING = standing(acting=True)


@pytest.fixture(autouse=True)
def verified(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test decides, the books that it leaves contradict nothing."""
    desks: list[Desk] = []

    class Verified(Desk):
        def __init__(self) -> None:
            super().__init__()
            desks.append(self)

    monkeypatch.setitem(globals(), "Desk", Verified)
    yield
    found: list[str] = []
    for desk in desks:
        verify(stored(desk).log, CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []


def fulfil(desk: Desk, *, units: int | None = None, minutes: int = 0) -> None:
    line = next(iter(desk.order.lines))
    desk.do(
        FulfilOrder(
            order_id=ORDER,
            fulfilment_id=f"f{len(desk.order.fulfilments)}",
            sent_at=NOON + timedelta(minutes=minutes),
            lines=None if units is None else {line: units},
        )
    )


def refund(desk: Desk, amount: int, note: str = "note") -> None:
    desk.do(
        RefundOrder(
            order_id=ORDER,
            credit_note_id=note,
            reason=None,
            issued_on=TODAY,
            amount=Money(amount, "EUR"),
        )
    )


def expire(desk: Desk, minutes: int = 16) -> None:
    desk.do(ExpireOrder(order_id=ORDER, now=NOON + timedelta(minutes=minutes)))


def sent_and_paid(desk: Desk) -> None:
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    fulfil(desk)
    desk.answer(2, TAKEN)


def made(amount: int, state: str, reference: str = "re_1", **names: object) -> Standing:
    return standing(
        refunds=(RefundStanding(reference=reference, amount=amount, state=state, **names),)  # type: ignore[arg-type]
    )


def test_authorized_then_sent_is_captured_in_full() -> None:
    desk = Desk()
    sent_and_paid(desk)
    assert desk.end() == ("fulfilled", "captured", (1299, 0, 0, 0), 0, NOTHING, [])


def test_declined_at_once_cancels_and_closes_the_intent() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, FAILED)
    assert (desk.order.status, desk.reserved) == ("canceled", 0)
    assert [step.call for step in desk.steps("void")] == ["void"]
    drain(desk, join(FAILED, GIVEN_UP))
    assert desk.end() == ("canceled", "declined", (0, 0, 0, 0), 0, NOTHING, [])


def test_proof_passed_is_learned_by_news_alone() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, ACTING)
    assert desk.payment.status == "action_required"
    desk.news(join(ACTING, HOLD))
    assert desk.end() == ("confirmed", "authorized", (0, 1299, 0, 0), 0, NOTHING, [])


def test_proof_failed_voids_and_declines() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, ACTING)
    desk.news(join(ACTING, FAILED))
    (void,) = desk.steps("void")
    assert (desk.order.status, void.unless_authorized) == ("placed", True)
    desk.answer(void.step, join(join(ACTING, FAILED), GIVEN_UP))
    assert desk.end() == ("canceled", "declined", (0, 0, 0, 0), 0, NOTHING, [])
    assert desk.reserved == 0


def test_another_card_that_passes_before_the_void_keeps_the_order() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, ACTING)
    desk.news(join(ACTING, FAILED))
    drain(desk, join(join(ACTING, FAILED), HOLD))
    assert desk.end() == ("confirmed", "authorized", (0, 1299, 0, 0), 0, NOTHING, [])


def test_time_over_asks_the_gateway_first() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, ACTING)
    expire(desk)
    assert (desk.order.status, desk.reserved) == ("placed", 1)
    drain(desk, join(ACTING, GIVEN_UP))
    assert desk.end() == ("canceled", "voided", (0, 0, 0, 0), 0, NOTHING, [])
    assert desk.reserved == 0


def test_time_over_while_a_hold_turns_up_confirms() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, ACTING)
    expire(desk)
    drain(desk, join(ACTING, HOLD))
    assert desk.end() == ("confirmed", "authorized", (0, 1299, 0, 0), 0, NOTHING, [])


def test_a_silent_gateway_keeps_units_five_minutes_longer() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, ACTING)
    expire(desk, 16)
    expire(desk, 19)
    assert desk.order.status == "placed"
    expire(desk, 20)
    assert (desk.order.status, desk.reserved) == ("canceled", 0)
    looking, *_ = desk.steps("void")
    desk.answer(looking.step, join(ACTING, HOLD))  # Too late: the hold that was kept is given up after all.
    assert [step.unless_authorized for step in desk.steps("void")] == [True, False]
    drain(desk, join(join(ACTING, HOLD), GIVEN_UP))
    assert desk.end() == ("canceled", "voided", (0, 0, 0, 0), 0, NOTHING, [])


def test_a_gateway_that_does_not_do_what_it_says_is_not_asked_for_ever() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, HOLD)
    drain(desk, HOLD)  # "Captured", and nothing is.
    assert [step.call for step in desk.steps("capture", "look")] == ["capture", "look"]
    desk.do(CancelOrder(order_id=ORDER, canceled_on=TODAY))
    drain(desk, HOLD)
    assert len(desk.steps("void")) == 1
    assert desk.owed() == (0, 0, ("void",), ())


def test_a_refund_that_fails_for_a_canceled_order_is_not_begun_again_by_itself() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, HOLD)
    desk.answer(2, TAKEN)
    desk.do(CancelOrder(order_id=ORDER, canceled_on=TODAY))
    (step,) = desk.steps("refund")
    key = f"checkout-{ORDER}/{step.step}"
    desk.answer(step.step, join(TAKEN, made(1299, "pending", step=key)))
    desk.news(made(1299, "failed", step=key))
    assert (len(desk.steps("refund")), desk.owed()) == (1, (0, 1299, (), ()))
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    assert len(desk.steps("refund")) == 2


def test_canceled_while_the_bank_is_asked_is_voided_after() -> None:
    desk = Desk()
    desk.place()
    desk.do(CancelOrder(order_id=ORDER, canceled_on=TODAY))
    desk.answer(1, HOLD)
    drain(desk, join(HOLD, GIVEN_UP))
    assert desk.end() == ("canceled", "voided", (0, 0, 0, 0), 0, NOTHING, [])


def test_canceled_after_the_capture_is_refunded() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, HOLD)
    desk.answer(2, TAKEN)
    desk.do(CancelOrder(order_id=ORDER, canceled_on=TODAY))
    (step,) = desk.steps("refund")
    desk.answer(step.step, join(TAKEN, made(1299, "succeeded", step=f"checkout-{ORDER}/{step.step}")))
    assert desk.end() == ("canceled", "refunded", (1299, 0, 1299, 0), 0, NOTHING, [])


def test_a_hold_that_lapses_unsent_cancels() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    desk.news(join(HOLD, standing(closed="lapsed")))
    assert desk.end() == ("canceled", "lapsed", (0, 0, 0, 0), 0, NOTHING, [])
    assert desk.reserved == 0


def test_nothing_is_sent_in_the_last_hour_of_a_hold() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, standing(authorized=1299, capture_before=NOON + timedelta(hours=2)))
    with pytest.raises(Rejected) as refused:
        fulfil(desk, minutes=60)
    assert isinstance(refused.value.reason, AuthorizationLapses)
    fulfil(desk, minutes=59)
    assert desk.steps("capture")


def test_a_capture_refused_after_sending_is_owed_to_the_shop() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    fulfil(desk)
    desk.refuse(2, "expired_card")
    drain(desk, join(HOLD, standing(closed="lapsed")))
    assert desk.end() == ("fulfilled", "lapsed", (0, 0, 0, 0), 0, (1299, 0, (), ()), [])
    desk.do(RetryPayment(order_id=ORDER, on=TODAY, method="pm_card_visa"))
    (again,) = desk.steps("authorize")[1:]
    second = {"reference": "pi_2"}
    desk.answer(again.step, standing(authorized=1299, **second))
    desk.answer(again.step + 1, standing(authorized=1299, captured=1299, closed="captured", **second))
    assert desk.end() == ("fulfilled", "captured", (1299, 0, 0, 0), 0, NOTHING, [])


def test_a_refused_capture_is_stuck_until_it_is_retried() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    fulfil(desk)
    desk.refuse(2, "try_later")
    drain(desk, HOLD)
    assert desk.owed() == (1299, 0, ("capture",), ())
    assert len(desk.steps("capture")) == 1
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    drain(desk, TAKEN)
    assert desk.end() == ("fulfilled", "captured", (1299, 0, 0, 0), 0, NOTHING, [])


def test_what_is_owed_may_be_written_off() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    fulfil(desk)
    desk.refuse(2)
    drain(desk, join(HOLD, standing(closed="lapsed")))
    desk.do(WriteOffPayment(order_id=ORDER, on=TODAY, reason="goods lost"))
    assert desk.owed() == NOTHING
    with pytest.raises(Rejected) as refused:
        desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    assert refused.value.reason == NothingToRetry(ORDER)


def test_a_refund_in_the_dashboard_gets_one_credit_note() -> None:
    desk = Desk()
    sent_and_paid(desk)
    desk.news(made(300, "succeeded"))
    desk.news(made(300, "succeeded"))
    assert desk.end() == (
        "fulfilled",
        "partially_refunded",
        (1299, 0, 300, 0),
        300,
        NOTHING,
        [],
    )
    assert desk.order.refunds == {"re_1"}


def test_a_refund_that_fails_later_is_owed_again() -> None:
    desk = Desk()
    sent_and_paid(desk)
    refund(desk, 500)
    (step,) = desk.steps("refund")
    key = f"checkout-{ORDER}/{step.step}"
    desk.answer(step.step, join(TAKEN, made(500, "succeeded", step=key, credit_note_id="note")))
    assert desk.end() == ("fulfilled", "partially_refunded", (1299, 0, 500, 0), 500, NOTHING, [])
    desk.news(made(500, "failed", step=key, credit_note_id="note"))
    assert desk.end() == ("fulfilled", "captured", (1299, 0, 0, 0), 500, (0, 500, (), ()), [])
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    again = desk.steps("refund")[-1]
    desk.answer(again.step, made(500, "succeeded", reference="re_2", step=f"checkout-{ORDER}/{again.step}"))
    assert desk.end() == ("fulfilled", "partially_refunded", (1299, 0, 500, 0), 500, NOTHING, [])


def test_a_pending_refund_counts_as_gone() -> None:
    desk = Desk()
    sent_and_paid(desk)
    refund(desk, 500)
    (step,) = desk.steps("refund")
    desk.answer(step.step, join(TAKEN, made(500, "pending", step=f"checkout-{ORDER}/{step.step}")))
    assert desk.end() == ("fulfilled", "partially_refunded", (1299, 0, 500, 0), 500, NOTHING, [])
    with pytest.raises(Rejected):
        refund(desk, 800, note="second")


@pytest.mark.parametrize(
    ("moves", "status", "disputed"),
    [
        ([-1299], "disputed", 1299),
        ([-1299, 1299], "captured", 0),
        ([-1299, 1299, -1299], "disputed", 1299),
        ([], "captured", 0),
    ],
)
def test_a_dispute_is_the_sum_of_its_movements(moves: list[int], status: str, disputed: int) -> None:
    desk = Desk()
    sent_and_paid(desk)
    parts = [
        DisputeMove(transaction=f"txn_{at}", dispute="dp_1", amount=amount) for at, amount in enumerate(moves)
    ]
    for move in reversed(parts):
        desk.news(standing(moves=(move,)))
    assert desk.end() == ("fulfilled", status, (1299, 0, 0, disputed), 0, NOTHING, [])


def test_an_authorization_that_the_gateway_refuses_is_declined_at_once() -> None:
    desk = Desk()
    desk.place(total=30)
    desk.refuse(1, "amount_too_small")
    assert desk.end() == ("canceled", "declined", (0, 0, 0, 0), 0, NOTHING, [])
    assert desk.reserved == 0


def test_a_refund_refused_for_a_canceled_order_is_owed_and_can_be_begun_again() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, HOLD)
    desk.answer(2, TAKEN)
    desk.do(CancelOrder(order_id=ORDER, canceled_on=TODAY))
    (first,) = desk.steps("refund")
    desk.refuse(first.step, "insufficient_funds")
    drain(desk, TAKEN)
    assert desk.owed() == (0, 1299, ("refund",), ())
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    second = desk.steps("refund")[-1]
    assert second.step > first.step
    desk.answer(second.step, join(TAKEN, made(1299, "succeeded", step=f"checkout-{ORDER}/{second.step}")))
    assert desk.end() == ("canceled", "refunded", (1299, 0, 1299, 0), 0, NOTHING, [])


def test_a_refund_refused_since_the_dashboard_made_it_is_not_owed() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, HOLD)
    desk.answer(2, TAKEN)
    desk.do(CancelOrder(order_id=ORDER, canceled_on=TODAY))
    desk.refuse(desk.steps("refund")[0].step, "charge_already_refunded")
    drain(desk, join(TAKEN, made(1299, "succeeded")))
    assert desk.end() == ("canceled", "refunded", (1299, 0, 1299, 0), 0, NOTHING, [])


def test_a_refund_refused_since_a_dispute_took_the_money_is_not_owed() -> None:
    desk = Desk()
    desk.place()
    desk.answer(1, HOLD)
    desk.answer(2, TAKEN)
    desk.do(CancelOrder(order_id=ORDER, canceled_on=TODAY))
    desk.refuse(desk.steps("refund")[0].step, "charge_disputed")
    took = standing(moves=(DisputeMove(transaction="t", dispute="d", amount=-1299),))
    drain(desk, join(TAKEN, took))
    assert desk.end() == ("canceled", "disputed", (1299, 0, 0, 1299), 0, NOTHING, [])


def test_each_fulfilment_takes_its_part() -> None:
    desk = Desk()
    desk.place(total=1200, capture="each", units=3)
    assert desk.steps("authorize")[0].in_parts
    desk.answer(1, standing(authorized=1200, in_parts=True))
    fulfil(desk, units=1)
    (first,) = desk.steps("capture")
    assert (first.amount.amount, first.final) == (400, False)
    desk.answer(first.step, standing(authorized=1200, captured=400, in_parts=True))
    assert desk.end() == ("partially_fulfilled", "captured", (400, 800, 0, 0), 0, NOTHING, [])
    fulfil(desk)
    last = desk.steps("capture")[-1]
    assert (last.amount.amount, last.final) == (800, True)
    desk.answer(last.step, standing(authorized=1200, captured=1200, closed="captured", in_parts=True))
    assert desk.end() == ("fulfilled", "captured", (1200, 0, 0, 0), 0, NOTHING, [])


def test_the_rest_of_a_hold_that_is_not_released_is_not_asked_for_for_ever() -> None:
    desk = Desk()
    desk.place(total=1200, capture="each", units=3)
    desk.answer(1, standing(authorized=1200, in_parts=True))
    half = standing(authorized=1200, captured=400, in_parts=True)
    desk.news(half)
    desk.do(CancelOrder(order_id=ORDER, canceled_on=TODAY))
    for _ in range(3):  # "Released", and nothing is; then what was taken goes back.
        for number, begun in list(desk.process.open_steps.items()):
            key = f"checkout-{ORDER}/{number}"
            back = made(400, "succeeded", step=key)
            desk.answer(number, join(half, back) if begun.call == "refund" else half)
    assert [step.call for step in desk.steps("capture", "refund", "look")] == ["capture", "refund", "look"]
    assert desk.owed() == (0, 0, ("capture",), ())


def test_a_bank_that_captures_but_once_takes_all_at_the_first_fulfilment() -> None:
    desk = Desk()
    desk.place(total=1200, capture="each", units=3)
    desk.answer(1, standing(authorized=1200))
    fulfil(desk, units=1)
    (first,) = desk.steps("capture")
    assert (first.amount.amount, first.final) == (1200, True)


def in_parts(taken: int = 0, *, closed: str | None = None, back: tuple[RefundStanding, ...] = ()) -> Standing:
    """What the gateway knows of a hold of 1200 that may be taken in parts."""
    return standing(authorized=1200, captured=taken, closed=closed, in_parts=True, refunds=back)


def back(desk: Desk, amount: int, *, nth: int = 0) -> RefundStanding:
    """What the gateway makes of the order's nth refund step."""
    key = f"checkout-{ORDER}/{desk.steps('refund')[nth].step}"
    return RefundStanding(reference=f"re_{nth}", amount=amount, state="succeeded", step=key)


def three_units(*, sent: int = 0) -> Desk:
    """Three units of 400 each, each fulfilment taking its part; so many of them sent, one by one."""
    desk = Desk()
    desk.place(total=1200, capture="each", units=3)
    desk.answer(1, in_parts())
    for nth in range(1, sent + 1):
        fulfil(desk, units=1)
        desk.answer(desk.process.last_step, in_parts(400 * nth))
    return desk


def refund_units(desk: Desk, units: int, note: str = "note") -> None:
    lines = {next(iter(desk.order.lines)): units}
    desk.do(RefundOrder(order_id=ORDER, credit_note_id=note, reason=None, issued_on=TODAY, lines=lines))


@pytest.mark.parametrize("sent", [0, 1])
def test_a_unit_refunded_before_its_part_is_taken_is_never_taken(sent: int) -> None:
    desk = three_units(sent=sent)
    refund_units(desk, 1)
    assert desk.steps("refund") == []
    assert (desk.order.refunded_amount, desk.reserved) == (400, 2 - sent)
    fulfil(desk)
    last = desk.steps("capture")[-1]
    assert (last.amount.amount, last.final) == (800 - 400 * sent, True)
    desk.answer(last.step, in_parts(800, closed="captured"))
    assert desk.end() == ("fulfilled", "captured", (800, 0, 0, 0), 400, NOTHING, [])


def test_where_all_that_was_not_sent_is_refunded_the_rest_of_the_hold_is_let_go_at_once() -> None:
    desk = three_units(sent=1)
    refund_units(desk, 2)
    _, release = desk.steps("capture")
    assert (desk.steps("refund"), release.amount.amount, release.final) == ([], 0, True)
    desk.answer(release.step, in_parts(400, closed="captured"))
    assert desk.end() == ("fulfilled", "captured", (400, 0, 0, 0), 800, NOTHING, [])


def test_a_refund_of_sent_and_unsent_units_pays_back_the_one_and_does_not_take_the_other() -> None:
    desk = three_units(sent=1)
    desk.do(RefundOrder(order_id=ORDER, credit_note_id="note", reason=None, issued_on=TODAY))
    (paid_back,) = desk.steps("refund")
    assert paid_back.refund is not None
    assert (paid_back.amount.amount, paid_back.refund.released) == (400, 800)
    assert desk.order.refunded_amount == 0, "nothing is booked before the money went back"
    desk.answer(paid_back.step, in_parts(400, back=(back(desk, 400),)))
    release = desk.steps("capture")[-1]
    assert release.amount.amount == 0
    desk.answer(release.step, in_parts(400, closed="captured", back=(back(desk, 400),)))
    assert desk.end() == ("fulfilled", "refunded", (400, 0, 400, 0), 1200, NOTHING, [])
    (note,) = (event for _, event in desk.events if isinstance(event, CreditNoteIssued))
    assert note.amount == Money(1200, "EUR")


def test_an_amount_is_paid_back_as_far_as_money_was_taken_and_the_rest_is_not_taken() -> None:
    desk = three_units(sent=1)
    refund(desk, 900)
    (paid_back,) = desk.steps("refund")
    assert paid_back.refund is not None
    assert (paid_back.amount.amount, paid_back.refund.released) == (400, 500)
    fulfil(desk)  # while the refund is under way
    last = desk.steps("capture")[-1]
    assert (last.amount.amount, last.final) == (300, True)
    desk.answer(paid_back.step, in_parts(400, back=(back(desk, 400),)))
    desk.answer(last.step, in_parts(700, closed="captured", back=(back(desk, 400),)))
    assert desk.end() == ("fulfilled", "partially_refunded", (700, 0, 400, 0), 900, NOTHING, [])


def test_an_amount_refunded_before_anything_was_taken_is_taken_less_first() -> None:
    desk = three_units()
    refund(desk, 100)
    assert (desk.steps("refund"), desk.order.refunded_amount) == ([], 100)
    fulfil(desk, units=1)
    assert [step.amount.amount for step in desk.steps("capture")] == [300]


def test_money_that_is_being_taken_is_paid_back() -> None:
    desk = three_units()
    fulfil(desk, units=1)
    refund_units(desk, 3)
    (paid_back,) = desk.steps("refund")
    assert paid_back.refund is not None
    assert (paid_back.amount.amount, paid_back.refund.released) == (400, 800)


def test_a_refund_in_parts_that_the_gateway_refuses_changes_nothing_and_is_begun_anew() -> None:
    desk = three_units(sent=1)
    refund_units(desk, 2, note="unsent")
    drain(desk, in_parts(400, closed="captured"))
    refund_units(desk, 1, note="sent")
    (first,) = desk.steps("refund")
    desk.refuse(first.step, "insufficient_funds")
    drain(desk, in_parts(400, closed="captured"))
    assert (desk.order.refunded_amount, desk.owed()) == (800, (0, 0, ("refund",), ()))
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    _, second = desk.steps("refund")
    desk.answer(second.step, in_parts(400, closed="captured", back=(back(desk, 400, nth=1),)))
    assert desk.end() == ("fulfilled", "refunded", (400, 0, 400, 0), 1200, NOTHING, [])


def test_a_refund_that_fails_while_parts_are_still_to_be_taken_is_taken_less() -> None:
    desk = three_units(sent=1)
    refund(desk, 400)
    failed = replace(back(desk, 400), state="failed")
    desk.answer(desk.steps("refund")[0].step, in_parts(400, back=(back(desk, 400),)))
    desk.news(in_parts(400, back=(failed,)))
    assert desk.owed() == (0, 400, (), ())
    fulfil(desk)
    last = desk.steps("capture")[-1]
    assert (last.amount.amount, last.final) == (400, True)
    desk.answer(last.step, in_parts(800, closed="captured", back=(failed,)))
    assert desk.end() == ("fulfilled", "captured", (800, 0, 0, 0), 400, NOTHING, [])


def test_parts_that_do_not_divide_lose_no_cent() -> None:
    desk = Desk()
    desk.place(total=1000, capture="each", units=4)
    held = standing(authorized=1000, in_parts=True)
    desk.answer(1, held)
    refund_units(desk, 1)
    refund(desk, 1, note="goodwill")
    for _ in range(3):
        fulfil(desk, units=1)
        step = desk.steps("capture")[-1]
        taken = sum(each.amount.amount for each in desk.steps("capture"))
        closed = "captured" if step.final else None
        desk.answer(step.step, standing(authorized=1000, in_parts=True, captured=taken, closed=closed))
    assert desk.end() == ("fulfilled", "captured", (749, 0, 0, 0), 251, NOTHING, [])


def test_an_order_refunded_in_part_and_then_completely_before_anything_was_sent_is_canceled() -> None:
    desk = three_units()
    refund_units(desk, 1)
    desk.do(RefundOrder(order_id=ORDER, credit_note_id="rest", reason=None, issued_on=TODAY))
    drain(desk, join(in_parts(), GIVEN_UP))
    assert desk.end() == ("canceled", "voided", (0, 0, 0, 0), 400, NOTHING, [])
    assert desk.reserved == 0


def test_of_a_bank_that_captures_but_once_no_part_is_refunded_before() -> None:
    desk = Desk()
    desk.place(total=1200, capture="each", units=3)
    desk.answer(1, standing(authorized=1200))
    with pytest.raises(Rejected) as refused:
        refund_units(desk, 1)
    assert isinstance(refused.value.reason, PartialRefundBeforeCapture)
    fulfil(desk, units=1)
    desk.answer(2, standing(authorized=1200, captured=1200, closed="captured"))
    refund_units(desk, 1)
    assert [step.amount.amount for step in desk.steps("refund")] == [400]


def test_concerns_are_listed_until_they_are_written_off() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    desk.do(RaiseConcern(order_id=ORDER, concern="hold_lapses", on=TODAY))
    assert desk.owed() == (0, 0, (), ("hold_lapses",))
    fulfil(desk)
    drain(desk, TAKEN)
    assert desk.owed() == NOTHING, "the money is taken: no hold can lapse"


def test_a_concern_about_an_order_that_is_not_ours_is_none() -> None:
    desk = Desk()
    decision = desk.do(RaiseConcern(order_id="another", concern="unreconciled", on=TODAY))
    assert decision.events == []


def test_news_of_an_unknown_payment_waits_for_its_order() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.news(made(300, "succeeded", reference="re_9"), on=TODAY)  # Its metadata names the order.
    nameless = standing(reference="pi_2", order_id=None)
    desk.news(join(nameless, standing(reference="pi_2", order_id=None, authorized=1299)))
    assert desk.linked("pi_2").order_id is None
    desk.answer(1, standing(reference="pi_2", acting=True))
    assert desk.linked("pi_2").order_id == ORDER
    assert desk.payment.held == 1299
    assert desk.order.status == "confirmed"


def test_what_was_written_off_is_not_taken_after_all_and_its_hold_is_given_up() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    fulfil(desk)
    desk.refuse(2, "expired_card")
    drain(desk, HOLD)
    assert desk.owed() == (1299, 0, ("capture",), ())
    desk.do(WriteOffPayment(order_id=ORDER, on=TODAY))
    assert (len(desk.steps("capture")), len(desk.steps("void"))) == (1, 1)
    drain(desk, join(HOLD, GIVEN_UP))
    assert desk.end() == ("fulfilled", "voided", (0, 0, 0, 0), 0, NOTHING, [])


def test_a_refund_that_was_refused_is_begun_anew_by_a_retry_under_the_same_credit_note() -> None:
    desk = Desk()
    sent_and_paid(desk)
    refund(desk, 500)
    (first,) = desk.steps("refund")
    desk.refuse(first.step, "charge_disputed")
    drain(desk, TAKEN)
    assert desk.owed() == (0, 0, ("refund",), ())
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    _, second = desk.steps("refund")
    assert (second.amount, second.refund) == (first.amount, first.refund)
    key = f"checkout-{ORDER}/{second.step}"
    desk.answer(second.step, join(TAKEN, made(500, "succeeded", step=key)))
    assert desk.end() == ("fulfilled", "partially_refunded", (1299, 0, 500, 0), 500, NOTHING, [])


def test_while_the_gateway_is_asked_a_retry_begins_nothing_and_nothing_is_written_off() -> None:
    desk = Desk()
    sent_and_paid(desk)
    refund(desk, 500)
    (step,) = desk.steps("refund")
    key = f"checkout-{ORDER}/{step.step}"
    desk.answer(step.step, join(TAKEN, made(500, "pending", step=key)))
    desk.news(made(500, "failed", step=key))
    assert desk.owed() == (0, 500, (), ())
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    assert len(desk.steps("refund")) == 2
    with pytest.raises(Rejected) as refused:
        desk.do(WriteOffPayment(order_id=ORDER, on=TODAY))
    assert refused.value.reason == CallUnderWay(ORDER)


def test_another_card_replaces_a_hold_that_cannot_be_captured() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    fulfil(desk)
    desk.refuse(2, "expired_card")
    drain(desk, HOLD)
    desk.do(RetryPayment(order_id=ORDER, on=TODAY, method="pm_card_mastercard"))
    (void,) = desk.steps("void")
    _, again = desk.steps("authorize")
    assert (again.method, again.amount.amount, void.step < again.step) == ("pm_card_mastercard", 1299, True)
    desk.answer(void.step, join(HOLD, GIVEN_UP))
    second = {"reference": "pi_2"}
    desk.answer(again.step, standing(authorized=1299, **second))
    drain(desk, standing(authorized=1299, captured=1299, closed="captured", **second))
    assert desk.end() == ("fulfilled", "captured", (1299, 0, 0, 0), 0, NOTHING, [])
    assert [step.gateway_reference for step in desk.steps("capture")] == ["pi_1", "pi_2"]


def test_two_refunds_of_the_dashboard_that_come_in_one_look_have_a_credit_note_each() -> None:
    desk = Desk()
    desk.place(total=1200, capture="checkout", units=3)
    desk.answer(1, standing(authorized=1200))
    taken = standing(authorized=1200, captured=1200, closed="captured")
    desk.answer(2, taken)
    two = join(made(300, "succeeded"), made(400, "succeeded", reference="re_2"))
    desk.news(join(taken, two))
    assert desk.order.refunds == {"re_1", "re_2"}
    assert desk.end() == ("confirmed", "partially_refunded", (1200, 0, 700, 0), 700, NOTHING, [])
    notes = [event for _, event in desk.events if isinstance(event, CreditNoteIssued)]
    assert len({note.number for note in notes}) == 2
    desk.news(join(taken, made(500, "succeeded", reference="re_3")))
    assert (desk.order.status, desk.reserved) == ("canceled", 0)  # All is back, and nothing was sent.


def _unpaid_though_sent(desk: Desk) -> None:
    desk.place(capture="fulfilment")
    desk.answer(1, HOLD)
    fulfil(desk)
    desk.refuse(2, "expired_card")
    drain(desk, join(HOLD, standing(closed="lapsed")))


def _refund_that_came_back(desk: Desk) -> None:
    sent_and_paid(desk)
    refund(desk, 500)
    made_it = made(500, "succeeded", step=f"checkout-{ORDER}/{desk.process.last_step}")
    desk.answer(desk.process.last_step, join(TAKEN, made_it))
    desk.news(made(500, "failed"))


def _part_unpaid_though_sent(desk: Desk) -> None:
    desk.place(total=1200, capture="each", units=3)
    desk.answer(1, in_parts())
    fulfil(desk, units=1)
    desk.refuse(2, "expired_card")
    drain(desk, in_parts(closed="lapsed"))


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (_unpaid_though_sent, "1299 owed to the shop, 0 to the customer"),
        (_refund_that_came_back, "0 owed to the shop, 500 to the customer"),
        (_part_unpaid_though_sent, "400 owed to the shop, 0 to the customer"),
    ],
)
def test_verification_sees_what_is_owed_and_was_never_said(live: Callable[[Desk], None], words: str) -> None:
    desk = Desk()
    live(desk)
    assert desk.owed() != NOTHING
    damaged = written(
        (name, [(stream, event) for stream, event in decision.events if not isinstance(event, OwedChanged)])
        for name, decision in desk.decisions
    )
    found: list[str] = []
    verify(damaged.log, CODEC, report=lambda finding: found.append(finding.wrong))
    assert len(found) == 1 and found[0].startswith(words), found


def discounted(taken: int, *, closed: str | None = None) -> Standing:
    """What the gateway knows of a hold of 1080 that may be taken in parts."""
    return standing(authorized=1080, captured=taken, closed=closed, in_parts=True)


def test_the_parts_of_a_discounted_order_are_what_is_paid_for_the_units() -> None:
    desk = Desk()
    desk.do(DefinePromotion(promotion=ten_percent(), units=UNITS, at=NOON))
    desk.place(total=1200, capture="each", units=3)
    desk.answer(1, discounted(0))
    fulfil(desk, units=1)
    (first,) = desk.steps("capture")
    assert (first.amount.amount, first.final) == (360, False)
    desk.answer(first.step, discounted(360))
    refund_units(desk, 1)
    assert (desk.steps("refund"), desk.order.refunded_amount) == ([], 360)
    fulfil(desk)
    last = desk.steps("capture")[-1]
    assert (last.amount.amount, last.final) == (360, True)
    desk.answer(last.step, discounted(720, closed="captured"))
    assert desk.end() == ("fulfilled", "captured", (720, 0, 0, 0), 360, NOTHING, [])


def test_what_the_gateway_itself_gives_back_is_shared_by_the_lines_and_leaves_what_is_under_way() -> None:
    desk = Desk()
    desk.do(DefinePromotion(promotion=ten_percent(), units=UNITS, at=NOON))
    desk.place(total=1200, units=3)
    taken = standing(authorized=1080, captured=1080, closed="captured")
    desk.answer(1, standing(authorized=1080))
    drain(desk, taken)
    fulfil(desk)
    refund_units(desk, 2)
    by_hand = RefundStanding(reference="re_hand", amount=300, state="succeeded")
    desk.news(join(taken, replace(taken, refunds=(by_hand,))))
    (line,) = desk.order.lines.values()
    assert (line.refunded, line.refunded_amount) == (0, 300)
    desk.answer(desk.steps("refund")[0].step, replace(taken, refunds=(by_hand, back(desk, 720))))
    (line,) = desk.order.lines.values()
    assert (line.refunded, line.refunded_amount) == (2, 1020)
    refund_units(desk, 1, note="last")
    assert desk.steps("refund")[-1].amount.amount == 60
