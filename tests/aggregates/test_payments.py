"""The rules of an order's payment, and of the steps that follow it at the gateway."""

import pytest

from aggregates.kernel import Money, Rejected
from aggregates.payments import payment, process
from aggregates.payments.events import (
    ActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRequested,
    PaymentVoided,
    ProcessStarted,
    RefundRequest,
    RequestedLine,
    StepBegun,
    StepEnded,
)
from aggregates.payments.payment import PaymentNotPossible, RefundOverCapture
from aggregates.payments.process import UnknownStep
from tests.aggregates.given import given, state_after

ORDER = "d" * 32
TEN, FOUR = Money(1000, "GBP"), Money(400, "GBP")
REQUESTED = PaymentRequested(order_id=ORDER, method="pm_card_visa", amount=TEN, capture="fulfilment")
AUTHORIZED = PaymentAuthorized(order_id=ORDER, amount=TEN, gateway_reference="ref-1")
ACTION = ActionRequired(order_id=ORDER, gateway_reference="ref-1")
DECLINED = PaymentDeclined(order_id=ORDER, code="card_declined")
VOIDED = PaymentVoided(order_id=ORDER, amount=TEN)
CAPTURED = PaymentCaptured(order_id=ORDER, amount=TEN, source="gateway")
ELSEWHERE = PaymentCaptured(order_id=ORDER, amount=TEN, source="elsewhere")


def paid_back(amount, credit_note_id=None):
    return PaymentRefunded(order_id=ORDER, amount=amount, credit_note_id=credit_note_id)


def not_possible(step, status):
    return PaymentNotPossible(order_id=ORDER, step=step, payment_status=status)


def test_a_payment_is_asked_for_once():
    given().when(
        payment.request, order_id=ORDER, method="pm_card_visa", amount=TEN, capture="fulfilment"
    ).then_once(REQUESTED)


@pytest.mark.parametrize("history", [(REQUESTED,), (REQUESTED, ACTION)])
def test_an_undecided_payment_is_authorized_or_declined_once(history):
    given(*history).when(payment.authorize, order_id=ORDER, amount=TEN, gateway_reference="ref-1").then_once(
        AUTHORIZED
    )
    given(*history).when(payment.decline, order_id=ORDER, code="card_declined").then_once(DECLINED)


def test_a_decided_payment_is_not_decided_again():
    given(REQUESTED, DECLINED).when(
        payment.authorize, order_id=ORDER, amount=TEN, gateway_reference="ref-1"
    ).then_rejected(not_possible("authorize", "declined"))
    given(REQUESTED, AUTHORIZED).when(payment.decline, order_id=ORDER, code="").then_rejected(
        not_possible("decline", "authorized")
    )


def test_the_shopper_is_asked_once():
    given(REQUESTED).when(payment.require_action, order_id=ORDER, gateway_reference="ref-1").then_once(ACTION)


@pytest.mark.parametrize("held", [AUTHORIZED, ACTION])
def test_what_is_held_or_waited_for_is_voided_once(held):
    given(REQUESTED, held).when(payment.void, order_id=ORDER).then_once(VOIDED)


@pytest.mark.parametrize(
    ("history", "status"),
    [((REQUESTED,), "pending"), ((REQUESTED, AUTHORIZED, CAPTURED), "captured"), ((), "unknown")],
)
def test_what_is_not_held_cannot_be_voided(history, status):
    given(*history).when(payment.void, order_id=ORDER).then_rejected(not_possible("void", status))


def test_what_is_authorized_is_captured_once():
    given(REQUESTED, AUTHORIZED).when(
        payment.capture, order_id=ORDER, amount=TEN, source="gateway"
    ).then_once(CAPTURED)
    given(REQUESTED, AUTHORIZED, VOIDED).when(
        payment.capture, order_id=ORDER, amount=TEN, source="gateway"
    ).then_rejected(not_possible("capture", "voided"))


def test_what_was_paid_elsewhere_is_captured_without_being_asked_for():
    given().when(payment.capture, order_id=ORDER, amount=TEN, source="elsewhere").then_once(ELSEWHERE)
    given(REQUESTED).when(payment.capture, order_id=ORDER, amount=TEN, source="elsewhere").then_rejected(
        not_possible("capture", "pending")
    )


def test_a_credit_note_is_paid_back_once():
    given(REQUESTED, AUTHORIZED, CAPTURED).when(
        payment.refund, order_id=ORDER, amount=FOUR, credit_note_id="n1"
    ).then_once(paid_back(FOUR, "n1"))


def test_no_more_is_paid_back_than_was_taken():
    given(ELSEWHERE, paid_back(FOUR, "n1"), paid_back(FOUR, "n2")).when(
        payment.refund, order_id=ORDER, amount=FOUR, credit_note_id="n3"
    ).then_rejected(RefundOverCapture(order_id=ORDER, asked=FOUR, remaining=Money(200, "GBP")))
    given(REQUESTED, AUTHORIZED).when(
        payment.refund, order_id=ORDER, amount=FOUR, credit_note_id="n1"
    ).then_rejected(not_possible("refund", "authorized"))


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((), "unknown"),
        ((REQUESTED,), "pending"),
        ((REQUESTED, ACTION), "action_required"),
        ((REQUESTED, AUTHORIZED), "authorized"),
        ((REQUESTED, DECLINED), "declined"),
        ((REQUESTED, AUTHORIZED, VOIDED), "voided"),
        ((REQUESTED, AUTHORIZED, CAPTURED), "captured"),
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
    given(STARTED).when(
        process.begin_step, order_id=ORDER, call="authorize", amount=TEN, method="pm_card_visa"
    ).then_once(AUTHORIZING)
    given(STARTED, AUTHORIZING, ended(1, "authorized")).when(
        process.begin_step, order_id=ORDER, call="void", amount=TEN, gateway_reference="ref-1"
    ).then_once(begun(2, "void", gateway_reference="ref-1"))


def test_a_call_that_the_gateway_refused_may_be_made_again():
    given(STARTED, begun(1, "capture"), ended(1, "refused")).when(
        process.begin_step, order_id=ORDER, call="capture", amount=TEN
    ).then_once(begun(2, "capture"))
    given(STARTED, begun(1, "refund", FOUR, refund=REQUEST_1), ended(1, "refused")).when(
        process.begin_step, order_id=ORDER, call="refund", amount=FOUR, refund=REQUEST_1
    ).then_once(begun(2, "refund", FOUR, refund=REQUEST_1))


def test_every_credit_note_is_refunded_by_a_step_of_its_own():
    other = RefundRequest(credit_note_id="n2", lines=())
    given(STARTED, begun(1, "refund", FOUR, refund=REQUEST_1)).when(
        process.begin_step, order_id=ORDER, call="refund", amount=FOUR, refund=other
    ).then_once(begun(2, "refund", FOUR, refund=other))


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
CHECKED = (STARTED, AUTHORIZING, ended(1, "authorized"))


def decided(decide, steps, payments, **arguments):
    state, money = state_after(process, *steps), state_after(payment, *payments)
    return decide(state, money, order_id=ORDER, **arguments)


def refusal(decide, steps, payments, **arguments):
    with pytest.raises(Rejected) as refused:
        decided(decide, steps, payments, **arguments)
    return refused.value.reason


def test_what_is_authorized_is_captured_in_full_and_asked_for_once():
    capturing = begun(2, "capture", gateway_reference="ref-1")
    held = (REQUESTED, AUTHORIZED)
    assert decided(process.begin_capture, CHECKED, held) == (capturing,)
    assert decided(process.begin_capture, (*CHECKED, capturing), held) == ()
    assert decided(process.begin_capture, (*CHECKED, capturing, ended(2, "captured")), PAID) == ()
    assert decided(process.begin_capture, (), (ELSEWHERE,)) == ()
    assert refusal(process.begin_capture, CHECKED, (REQUESTED,)) == not_possible("capture", "pending")


def test_only_what_the_gateway_took_or_is_taking_is_refunded_there():
    arguments = {"amount": FOUR, "request": REQUEST_1}
    capturing = begun(2, "capture", gateway_reference="ref-1")
    refunding = begun(3, "refund", FOUR, gateway_reference="ref-1", refund=REQUEST_1)
    taking = (*CHECKED, capturing)
    assert decided(process.begin_refund, taking, (REQUESTED, AUTHORIZED), **arguments) == (refunding,)
    assert decided(process.begin_refund, (*taking, ended(2, "captured")), PAID, **arguments) == (refunding,)
    assert refusal(process.begin_refund, CHECKED, (REQUESTED, AUTHORIZED), **arguments) == not_possible(
        "refund", "authorized"
    )
    assert refusal(process.begin_refund, (), (ELSEWHERE,), **arguments) == not_possible("refund", "captured")


def test_a_canceled_order_gives_up_what_is_held_and_gives_back_what_was_taken():
    void = begun(2, "void", gateway_reference="ref-1")
    assert decided(process.undo, CHECKED, (REQUESTED, AUTHORIZED)) == (void,)
    waiting = (STARTED, AUTHORIZING, ended(1, "action_required"))
    assert decided(process.undo, waiting, (REQUESTED, ACTION)) == (void,)
    captured = (*CHECKED, begun(2, "capture"), ended(2, "captured"))
    refund = begun(3, "refund", gateway_reference="ref-1")
    assert decided(process.undo, captured, PAID) == (refund,)
    assert decided(process.undo, (*captured, refund), PAID) == ()
    assert decided(process.undo, (*captured, refund, ended(3, "refunded")), (*PAID, paid_back(TEN))) == ()


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
    assert decided(process.undo, steps, payments) == ()
