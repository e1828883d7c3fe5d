"""The history of an order tells of its payment what happened, was asked, answered, sent and is owed."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from aggregates.kernel import Money
from aggregates.payments.events import (
    ConcernRaised,
    GatewayEvent,
    PaymentCaptured,
    PaymentDisputed,
    PaymentEvent,
    PaymentRefunded,
    PaymentVoided,
    ProcessEvent,
    StepBegun,
    StepEnded,
)
from aggregates.payments.standing import DisputeMove, RefundStanding, Standing, join
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.payments import (
    RaiseConcern,
    RecordGatewayOutcome,
    RetryPayment,
    WriteOffPayment,
)
from replays.order.history import load_history
from replays.order.moments import NOW
from replays.order.report import in_words
from replays.order.sentences import describe
from tests.event_store.stored_events import example
from tests.payments.deciding import NOON, ORDER, TODAY, Desk, drain, standing
from tests.payments.stored import stored
from tests.shop.facts import CODEC

HOLD = standing(authorized=1299, capture_before=NOON + timedelta(days=7))
TAKEN = join(HOLD, standing(captured=1299, closed="captured"))
EUR = Money(1299, "EUR")


def story_of(desk: Desk) -> str:
    return in_words(load_history(stored(desk).log, CODEC, ORDER), NOW)


def answered(desk: Desk, outcome: Any, **facts: Any) -> None:
    step, *_ = desk.process.open_steps
    desk.do(RecordGatewayOutcome(order_id=ORDER, step=step, outcome=outcome, answered_on=TODAY, **facts))


def test_a_stuck_capture_is_told_from_the_call_to_the_write_off() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    answered(desk, "done", standing=HOLD, request_id="req_1")
    desk.do(FulfilOrder(order_id=ORDER, fulfilment_id="f", sent_at=NOON))
    answered(desk, "refused", code="expired_card", request_id="req_2")
    drain(desk, HOLD)
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))
    answered(desk, "lost")
    drain(desk, HOLD)
    desk.news(standing(closed="lapsed"))
    desk.do(WriteOffPayment(order_id=ORDER, on=TODAY))
    words = story_of(desk)
    for sentence in (
        "checkout     Step 1: the gateway is to authorize 12.99 EUR with pm_card_visa.",
        "checkout     Step 1 ended: authorized (request req_1).",
        "payment      12.99 EUR authorized by the bank, until 2026-11-09T12:00:00Z (reference pi_1).",
        "gateway      The gateway's payment pi_1 is for order",
        "checkout     Step 2: the gateway is to capture 12.99 EUR (reference pi_1).",
        "checkout     Step 2 ended: refused, as the gateway says expired_card (request req_2).",
        "checkout     Step 3: the gateway is to say all it knows of payment pi_1.",
        "Left for a person to settle: 12.99 EUR are owed to the shop; the call to capture is stuck.",
        "An operator asked for what is stuck, or owed, to be tried anew.",
        "Step 4 ended: lost; nobody can say whether it was done.",
        "Written off by an operator: 12.99 EUR owed to the shop.",
        "Nothing is left for a person to settle.",
    ):
        assert sentence in words, words


def test_all_news_of_the_order_are_told_also_what_waited_and_what_changed_nothing() -> None:
    desk = Desk()
    desk.place(capture="fulfilment")
    desk.news(replace(HOLD, order_id=None), "evt_early")
    desk.answer(1, standing(acting=True))
    desk.news(TAKEN, "evt_taken")
    desk.news(TAKEN, "evt_again")
    refund = RefundStanding(reference="re_1", amount=300, state="succeeded")
    desk.news(standing(refunds=(refund,)), "evt_refund")
    move = DisputeMove(transaction="txn_1", dispute="dp_1", amount=-999, fee=1500)
    desk.news(standing(moves=(move,)), "evt_dispute")
    desk.do(RaiseConcern(order_id=ORDER, concern="dispute", on=TODAY))
    desk.news(standing(reference="pi_other", order_id=None, authorized=5), "evt_other")
    words = story_of(desk)
    for sentence in (
        "News of the gateway's payment pi_1 (12.99 EUR authorized) wait until its order is known.",
        "news         The gateway sent news evt_early: test, of 2026-11-02T12:00:00Z.",
        "news         The gateway sent news evt_again:",
        "payment      12.99 EUR captured by the gateway.",
        "payment      3.00 EUR paid back by the gateway itself (refund re_1).",
        "9.99 EUR taken from us by dispute dp_1 (transaction txn_1), and a fee of 15.00 EUR was charged.",
        "An operator must look at the payment: the customer disputes it.",
        "  refunded 3.00 EUR",
        "  disputed 9.99 EUR",
    ):
        assert sentence in words, words
    assert "evt_other" not in words


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            PaymentVoided(order_id=ORDER, amount=EUR, cause="lapsed"),
            "The authorization of 12.99 EUR lapsed; it can be taken no more.",
        ),
        (
            PaymentVoided(order_id=ORDER, amount=EUR, cause="captured"),
            "The rest of the authorization, 12.99 EUR, was released.",
        ),
        (
            PaymentVoided(order_id=ORDER, amount=Money(0, "EUR")),
            "The payment was given up; nothing was held.",
        ),
        (
            PaymentCaptured(order_id=ORDER, amount=EUR, source="gateway", final=False),
            "12.99 EUR captured by the gateway; the rest is still held.",
        ),
        (
            PaymentRefunded(order_id=ORDER, amount=EUR, refund_reference="re", step="s", pending=True),
            "12.99 EUR on its way back (refund re): the sale was undone.",
        ),
        (
            PaymentRefunded(order_id=ORDER, amount=EUR, credit_note_id="n", refund_reference="re"),
            "12.99 EUR paid back by credit note n (refund re).",
        ),
        (
            PaymentDisputed(
                order_id=ORDER,
                amount=EUR,
                fee=Money(0, "EUR"),
                dispute="dp",
                transaction="txn",
                gateway_reference="pi",
            ),
            "12.99 EUR given back to us by dispute dp (transaction txn).",
        ),
        (
            StepBegun(
                order_id=ORDER,
                step=2,
                call="void",
                amount=EUR,
                gateway_reference="pi",
                unless_authorized=True,
            ),
            "Step 2: the gateway is to void 12.99 EUR, unless it is held by now (reference pi).",
        ),
        (
            StepBegun(order_id=ORDER, step=2, call="capture", amount=EUR, final=False),
            "Step 2: the gateway is to capture 12.99 EUR, and hold the rest.",
        ),
        (
            StepEnded(order_id=ORDER, step=2, outcome="action_required"),
            "Step 2 ended: action required.",
        ),
        (
            ConcernRaised(order_id=ORDER, concern="hold_lapses"),
            "An operator must look at the payment: its hold is about to lapse.",
        ),
    ],
)
def test_words_say_how(event: Any, words: str) -> None:
    assert describe(event, {}, "GBP") == [words]


@pytest.mark.parametrize("kind", [*get_args(PaymentEvent), *get_args(ProcessEvent), *get_args(GatewayEvent)])
@pytest.mark.parametrize("full", [True, False])
def test_every_event_has_a_sentence_of_its_own(kind: type, full: bool) -> None:
    event = example(kind, full=full)
    in_euros = {
        each.name: Money(7, "EUR") if isinstance(value, Money) else replace(value, currency="EUR")
        for each in fields(kind)
        if isinstance(value := getattr(event, each.name), Money | Standing)
    }
    (sentence,) = describe(replace(event, **in_euros), {}, "EUR")
    assert sentence.endswith(".")
