"""The rules of an order's payment, and of the steps that follow it at the gateway."""

from dataclasses import replace

import pytest

from aggregates.kernel import Money, Rejected
from aggregates.payments import payment, process
from aggregates.payments.events import (
    ActionRequired,
    PaymentAttemptFailed,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentDisputed,
    PaymentNotNeeded,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundSettled,
    PaymentRequested,
    PaymentRetried,
    PaymentVoided,
    ProcessStarted,
    RefundRequest,
    RequestedLine,
    StepBegun,
    StepEnded,
)
from aggregates.payments.observation import observe
from aggregates.payments.payment import PaymentNotPossible, RefundOverCapture
from aggregates.payments.process import UnknownStep
from aggregates.payments.standing import RefundStanding, Standing
from aggregates.payments.steps import begin_authorize, begin_capture, begin_refund, begin_void, undo
from tests.aggregates.given import given, state_after

ORDER = "d" * 32
TEN, FOUR, NONE = Money(1000, "GBP"), Money(400, "GBP"), Money(0, "GBP")
NAMED = {"order_id": ORDER, "gateway_reference": "ref-1"}
REQUESTED = PaymentRequested(
    order_id=ORDER, method="pm_card_visa", amount=TEN, credit=Money(0, "GBP"), capture="fulfilment"
)
AUTHORIZED = PaymentAuthorized(amount=TEN, **NAMED)
ACTION = ActionRequired(**NAMED)
ATTEMPTED = PaymentAttemptFailed(code="card_declined", **NAMED)
DECLINED = PaymentDeclined(order_id=ORDER, code="card_declined")
VOIDED = PaymentVoided(amount=TEN, **NAMED)
LAPSED = replace(VOIDED, cause="lapsed")
CAPTURED = PaymentCaptured(amount=TEN, source="gateway", **NAMED)
DISPUTED = PaymentDisputed(amount=-FOUR, fee=TEN, dispute="dp-1", transaction="txn-1", **NAMED)
ELSEWHERE = PaymentCaptured(order_id=ORDER, amount=TEN, source="elsewhere")


def paid_back(amount, credit_note_id=None):
    return PaymentRefunded(order_id=ORDER, amount=amount, credit_note_id=credit_note_id)


def refunded(amount, reference, **facts):
    return PaymentRefunded(amount=amount, refund_reference=reference, **NAMED, **facts)


def failed(amount, reference):
    return PaymentRefundFailed(amount=amount, refund_reference=reference, state="failed", **NAMED)


def knows(**parts):
    return Standing(reference="ref-1", currency="GBP", **parts)


def refund_of(amount, state="succeeded", **facts):
    return (RefundStanding(reference="re-1", amount=amount, state=state, **facts),)


def learned(*history, **parts):
    return given(*history).when(observe, standing=knows(**parts), order_id=ORDER)


def not_possible(step, status):
    return PaymentNotPossible(order_id=ORDER, step=step, payment_status=status)


def test_a_payment_is_asked_for_once():
    given().when(
        payment.request,
        order_id=ORDER,
        method="pm_card_visa",
        amount=TEN,
        credit=Money(0, TEN.currency),
        capture="fulfilment",
    ).then_once(REQUESTED)


@pytest.mark.parametrize("history", [(REQUESTED,), (REQUESTED, ACTION), (REQUESTED, ATTEMPTED)])
def test_an_undecided_payment_is_authorized_or_declined_once(history):
    learned(*history, authorized=1000).then_once(AUTHORIZED)
    given(*history).when(payment.decline, order_id=ORDER, code="card_declined").then_once(DECLINED)


def test_what_is_held_or_taken_is_not_declined():
    for history, status in (((AUTHORIZED,), "authorized"), ((AUTHORIZED, CAPTURED), "captured")):
        given(REQUESTED, *history).when(payment.decline, order_id=ORDER, code="").then_rejected(
            not_possible("decline", status)
        )


def test_what_turns_up_after_the_decision_is_learned_all_the_same():
    learned(REQUESTED, DECLINED, authorized=1000).then_once(AUTHORIZED)
    learned(REQUESTED, AUTHORIZED, VOIDED, captured=1000, closed="captured").then_once(CAPTURED)


def test_the_shopper_is_asked_once():
    learned(REQUESTED, acting=True).then_once(ACTION)


def test_a_failed_attempt_is_no_decline():
    learned(REQUESTED, failed="card_declined").then_once(ATTEMPTED)
    assert state_after(payment, REQUESTED, ATTEMPTED).status == "pending"


@pytest.mark.parametrize(("held", "amount"), [(AUTHORIZED, TEN), (ACTION, NONE)])
def test_what_is_held_or_waited_for_is_voided_once(held, amount):
    learned(REQUESTED, held, closed="canceled").then_once(replace(VOIDED, amount=amount))
    learned(REQUESTED, held, closed="lapsed").then_once(replace(LAPSED, amount=amount))


def test_what_was_taken_is_not_given_up():
    learned(REQUESTED, AUTHORIZED, CAPTURED, closed="canceled").then_nothing()


def test_what_is_authorized_is_captured_once():
    learned(REQUESTED, AUTHORIZED, captured=1000, closed="captured").then_once(CAPTURED)


def test_a_capture_in_parts_is_booked_by_what_it_adds_and_its_rest_released():
    first = replace(CAPTURED, amount=FOUR, final=False)
    learned(REQUESTED, AUTHORIZED, captured=400).then_once(first)
    learned(REQUESTED, AUTHORIZED, first, captured=1000, closed="captured").then_once(
        replace(CAPTURED, amount=Money(600, "GBP"))
    )
    learned(REQUESTED, AUTHORIZED, first, closed="captured").then_once(
        replace(VOIDED, amount=Money(600, "GBP"), cause="captured")
    )


def test_a_capture_implies_that_the_money_was_held():
    learned(REQUESTED, captured=1000, closed="captured").then_once(AUTHORIZED, CAPTURED)


def test_what_is_told_in_another_currency_is_not_of_this_payment():
    euros = Standing(reference="ref-1", currency="EUR", authorized=1000)
    given(REQUESTED).when(observe, standing=euros, order_id=ORDER).then_nothing()


def test_what_was_paid_elsewhere_is_captured_without_being_asked_for():
    given().when(payment.capture_elsewhere, order_id=ORDER, amount=TEN).then_once(ELSEWHERE)
    given(REQUESTED).when(payment.capture_elsewhere, order_id=ORDER, amount=TEN).then_rejected(
        not_possible("capture", "pending")
    )


def test_a_credit_note_is_paid_back_once():
    learned(REQUESTED, AUTHORIZED, CAPTURED, refunds=refund_of(400, credit_note_id="n1")).then_once(
        refunded(FOUR, "re-1", credit_note_id="n1")
    )
    given(ELSEWHERE).when(
        payment.refund_elsewhere, order_id=ORDER, amount=FOUR, credit_note_id="n1"
    ).then_once(paid_back(FOUR, "n1"))


def test_a_refund_of_before_that_has_no_name_is_not_counted_twice():
    history = (REQUESTED, AUTHORIZED, CAPTURED, paid_back(FOUR, "n1"))
    learned(*history, refunds=refund_of(400, credit_note_id="n1")).then_nothing()
    learned(*history, refunds=refund_of(400, "failed", credit_note_id="n1")).then_once(failed(FOUR, "re-1"))


def test_a_refund_settles_or_fails_once_and_never_settles_after_it_failed():
    pending = refunded(FOUR, "re-1", pending=True)
    settled = PaymentRefundSettled(refund_reference="re-1", **NAMED)
    taken = (REQUESTED, AUTHORIZED, CAPTURED, pending)
    learned(*taken, refunds=refund_of(400)).then_once(settled)
    learned(*taken, settled, refunds=refund_of(400, "failed")).then_once(failed(FOUR, "re-1"))
    learned(*taken, failed(FOUR, "re-1"), refunds=refund_of(400)).then_nothing()


def test_no_more_is_paid_back_than_was_taken():
    given(ELSEWHERE, paid_back(FOUR, "n1"), paid_back(FOUR, "n2")).when(
        payment.refund_elsewhere, order_id=ORDER, amount=FOUR, credit_note_id="n3"
    ).then_rejected(RefundOverCapture(order_id=ORDER, asked=FOUR, remaining=Money(200, "GBP")))
    given(REQUESTED, AUTHORIZED).when(
        payment.refund_elsewhere, order_id=ORDER, amount=FOUR, credit_note_id="n1"
    ).then_rejected(not_possible("refund", "authorized"))


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((), "unknown"),
        ((PaymentNotNeeded(order_id=ORDER),), "not_needed"),
        ((REQUESTED,), "pending"),
        ((REQUESTED, ACTION), "action_required"),
        ((REQUESTED, ACTION, ATTEMPTED), "action_required"),
        ((REQUESTED, AUTHORIZED), "authorized"),
        ((REQUESTED, DECLINED), "declined"),
        ((REQUESTED, DECLINED, AUTHORIZED), "authorized"),
        ((REQUESTED, AUTHORIZED, VOIDED), "voided"),
        ((REQUESTED, AUTHORIZED, LAPSED), "lapsed"),
        ((REQUESTED, AUTHORIZED, LAPSED, replace(AUTHORIZED, gateway_reference="ref-2")), "authorized"),
        ((REQUESTED, AUTHORIZED, CAPTURED), "captured"),
        ((REQUESTED, AUTHORIZED, CAPTURED, DISPUTED), "disputed"),
        (
            (REQUESTED, AUTHORIZED, CAPTURED, DISPUTED, replace(DISPUTED, amount=FOUR, transaction="txn-2")),
            "captured",
        ),
        ((REQUESTED, AUTHORIZED, CAPTURED, refunded(FOUR, "re-1", pending=True)), "partially_refunded"),
        ((REQUESTED, AUTHORIZED, CAPTURED, refunded(FOUR, "re-1"), failed(FOUR, "re-1")), "captured"),
        ((ELSEWHERE, paid_back(FOUR, "n1")), "partially_refunded"),
        ((ELSEWHERE, paid_back(FOUR, "n1"), paid_back(Money(600, "GBP"), "n2")), "refunded"),
    ],
)
def test_the_status_is_what_the_customer_is_told(history, status):
    assert state_after(payment, *history).status == status


STARTED = ProcessStarted(order_id=ORDER, kind="checkout")
REQUEST_1 = RefundRequest(
    credit_note_id="n1", lines=(RequestedLine(line_id="1", quantity=1, amount=400, withdrawn=0),)
)


def begun(step, call, amount=TEN, **facts):
    return StepBegun(order_id=ORDER, step=step, call=call, amount=amount, **facts)


def ended(step, outcome):
    return StepEnded(order_id=ORDER, step=step, outcome=outcome)


AUTHORIZING = begun(1, "authorize", method="pm_card_visa")


def test_a_process_starts_once():
    given().when(process.start, order_id=ORDER).then_once(STARTED)


def test_a_step_has_the_next_number_and_is_begun_once():
    given(STARTED).when(begin_authorize, order_id=ORDER, amount=TEN, method="pm_card_visa").then_once(
        AUTHORIZING
    )
    given(STARTED, AUTHORIZING, ended(1, "authorized")).when(
        begin_void, known=knows(authorized=1000), order_id=ORDER, amount=TEN
    ).then_once(begun(2, "void", gateway_reference="ref-1"))


def test_a_call_that_the_gateway_refused_is_made_again_when_that_is_asked_for():
    capturing = begun(2, "capture", gateway_reference="ref-1", captured_after=1000)
    again = begun(3, "capture", gateway_reference="ref-1", captured_after=1000)
    held, refused = (REQUESTED, AUTHORIZED), (*CHECKED, capturing, ended(2, "refused"))
    assert decided(begin_capture, refused, held, **ALL) == ()
    assert decided(begin_capture, (*refused, PaymentRetried(order_id=ORDER)), held, **ALL) == (again,)
    arguments = {"amount": FOUR, "request": REQUEST_1}
    refunding = begun(2, "refund", FOUR, gateway_reference="ref-1", refund=REQUEST_1)
    refused = (*CHECKED, refunding, ended(2, "refused"))
    assert decided(begin_refund, refused, PAID, **arguments) == (replace(refunding, step=3),)


def test_every_credit_note_is_refunded_by_a_step_of_its_own():
    other = RefundRequest(credit_note_id="n2", lines=())
    refunding = begun(2, "refund", FOUR, gateway_reference="ref-1", refund=REQUEST_1)
    steps = (*CHECKED, refunding)
    assert decided(begin_refund, steps, PAID, amount=FOUR, request=REQUEST_1) == ()
    assert decided(begin_refund, steps, PAID, amount=FOUR, request=other) == (
        replace(refunding, step=3, refund=other),
    )


def test_a_step_ends_once_and_only_if_it_was_begun():
    given(STARTED, AUTHORIZING).when(
        process.end_step, order_id=ORDER, step=1, outcome="authorized"
    ).then_once(ended(1, "authorized"))
    given(STARTED, AUTHORIZING, ended(1, "authorized")).when(
        process.end_step, order_id=ORDER, step=1, outcome="declined"
    ).then_nothing()
    given(STARTED, AUTHORIZING).when(
        process.end_step, order_id=ORDER, step=2, outcome="authorized"
    ).then_rejected(UnknownStep(order_id=ORDER, step=2))


def test_steps_stay_open_until_they_end():
    refunding = begun(3, "refund", FOUR, refund=REQUEST_1)
    history = (STARTED, AUTHORIZING, ended(1, "authorized"), begun(2, "capture"), refunding)
    state = state_after(process, *history)
    assert list(state.open_steps.values()) == [begun(2, "capture"), refunding]
    assert state.refunds_under_way == (refunding,)
    process.evolve(state, ended(2, "captured"))
    assert list(state.open_steps.values()) == [refunding]
    process.evolve(state, ended(3, "refunded"))
    assert state.open_steps == {}
    assert state.refunds_under_way == ()


PAID = (REQUESTED, AUTHORIZED, CAPTURED)
ALL = {"due": 1000, "all_sent": True}
CHECKED = (STARTED, AUTHORIZING, ended(1, "authorized"))


def decided(decide, steps, payments, **arguments):
    state, money = state_after(process, *steps), state_after(payment, *payments)
    return decide(state, money, order_id=ORDER, **arguments)


def refusal(decide, steps, payments, **arguments):
    with pytest.raises(Rejected) as refused:
        decided(decide, steps, payments, **arguments)
    return refused.value.reason


def test_what_is_authorized_is_captured_in_full_and_asked_for_once():
    capturing = begun(2, "capture", gateway_reference="ref-1", captured_after=1000)
    held = (REQUESTED, AUTHORIZED)
    assert decided(begin_capture, CHECKED, held, **ALL) == (capturing,)
    assert decided(begin_capture, CHECKED, held, due=0, all_sent=False) == ()
    assert decided(begin_capture, (*CHECKED, capturing), held, **ALL) == ()
    assert decided(begin_capture, (*CHECKED, capturing, ended(2, "captured")), PAID, **ALL) == ()
    assert decided(begin_capture, (), (ELSEWHERE,), **ALL) == ()
    assert decided(begin_capture, CHECKED, (REQUESTED,), **ALL) == ()


def test_only_what_the_gateway_took_or_is_taking_is_refunded_there():
    arguments = {"amount": FOUR, "request": REQUEST_1}
    capturing = begun(2, "capture", gateway_reference="ref-1")
    refunding = begun(3, "refund", FOUR, gateway_reference="ref-1", refund=REQUEST_1)
    taking = (*CHECKED, capturing)
    assert decided(begin_refund, taking, (REQUESTED, AUTHORIZED), **arguments) == (refunding,)
    assert decided(begin_refund, (*taking, ended(2, "captured")), PAID, **arguments) == (refunding,)
    assert refusal(begin_refund, CHECKED, (REQUESTED, AUTHORIZED), **arguments) == not_possible(
        "refund", "authorized"
    )
    assert refusal(begin_refund, (), (ELSEWHERE,), **arguments) == not_possible("refund", "captured")


def test_a_canceled_order_gives_up_what_is_held_and_gives_back_what_was_taken():
    void = begun(2, "void", gateway_reference="ref-1")
    assert decided(undo, CHECKED, (REQUESTED, AUTHORIZED)) == (void,)
    waiting = (STARTED, AUTHORIZING, ended(1, "action_required"))
    assert decided(undo, waiting, (REQUESTED, ACTION)) == (void,)
    captured = (*CHECKED, begun(2, "capture"), ended(2, "captured"))
    refund = begun(3, "refund", gateway_reference="ref-1")
    assert decided(undo, captured, PAID) == (refund,)
    assert decided(undo, (*captured, refund), PAID) == ()
    assert decided(undo, (*captured, refund, ended(3, "refunded")), (*PAID, paid_back(TEN))) == ()


@pytest.mark.parametrize(
    ("steps", "payments"),
    [
        ((STARTED, AUTHORIZING), (REQUESTED,)),  # its answer is undone when it comes
        ((*CHECKED, begun(2, "capture")), (REQUESTED, AUTHORIZED)),
        ((STARTED, AUTHORIZING, ended(1, "declined")), (REQUESTED, DECLINED)),
        ((), (ELSEWHERE,)),
    ],
)
def test_there_is_nothing_to_undo_while_a_call_is_open_or_where_the_gateway_has_nothing(steps, payments):
    assert decided(undo, steps, payments) == ()
