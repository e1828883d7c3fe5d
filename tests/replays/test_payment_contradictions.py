"""What cannot be so of a payment, its steps and its gateway, and verification names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aggregates.kernel import Money
from aggregates.payments import payment, process
from aggregates.payments.events import (
    BalanceReconciled,
    ConcernRaised,
    GatewayNewsFetched,
    GatewayNewsParked,
    GatewayNewsReceived,
    GatewayPaymentForeign,
    GatewayPaymentLinked,
    OwedChanged,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDisputed,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundSettled,
    PaymentRequested,
    PaymentRetried,
    PaymentVoided,
    PaymentWrittenOff,
    StepBegun,
    StepEnded,
)
from aggregates.payments.standing import Standing
from event_store.memory.log import MemoryLog
from tests.replays.test_contradictions import findings
from tests.shop.facts import NOON
from tests.shop.story import ANNA, BORIS, Story

PI = f"pi_{ANNA}"
TOTAL = 2998


def money(amount: int) -> Money:
    return Money(amount, "GBP")


def held(amount: int = TOTAL, reference: str = PI) -> PaymentAuthorized:
    return PaymentAuthorized(order_id=ANNA, amount=money(amount), gateway_reference=reference)


def taken(amount: int = TOTAL, *, final: bool = True) -> PaymentCaptured:
    return PaymentCaptured(
        order_id=ANNA, amount=money(amount), source="gateway", gateway_reference=PI, final=final
    )


def given_up(amount: int = TOTAL, **facts: Any) -> PaymentVoided:
    return PaymentVoided(order_id=ANNA, amount=money(amount), gateway_reference=PI, **facts)


def paid_back(amount: int, reference: str = "re_1") -> PaymentRefunded:
    return PaymentRefunded(
        order_id=ANNA, amount=money(amount), gateway_reference=PI, refund_reference=reference
    )


def begun(step: int, call: Any = "look", amount: int = 0) -> StepBegun:
    return StepBegun(order_id=ANNA, step=step, call=call, amount=money(amount), gateway_reference=PI)


def ended(step: int) -> StepEnded:
    return StepEnded(order_id=ANNA, step=step, outcome="looked")


def owed(to_shop: int, to_customer: int) -> OwedChanged:
    return OwedChanged(
        order_id=ANNA, to_shop=money(to_shop), to_customer=money(to_customer), stuck=(), concerns=()
    )


SETTLED = PaymentRefundSettled(order_id=ANNA, refund_reference="re_1", gateway_reference=PI)
FAILED = PaymentRefundFailed(
    order_id=ANNA, refund_reference="re_1", gateway_reference=PI, amount=money(100), state="failed"
)
TOOK = PaymentDisputed(
    order_id=ANNA, amount=money(-99), fee=money(15), dispute="dp", transaction="txn", gateway_reference=PI
)
NEWS = GatewayNewsReceived(event_id="evt_1", kind="refund.created", created=NOON)
LINKED = GatewayPaymentLinked(gateway_reference=PI, order_id=ANNA)
PARKED = GatewayNewsParked(gateway_reference=PI, standing=None)
FOREIGN = GatewayPaymentForeign(gateway_reference="pi_x")
FETCHED = GatewayNewsFetched(gateway="sandbox", up_to=NOON)
RECONCILED = BalanceReconciled(
    gateway="sandbox", since=NOON - timedelta(days=1), until=NOON, lines=1, healed=0, left=0
)


@pytest.fixture
def shop() -> Story:
    """Anna's order, its money held."""
    shop = Story(MemoryLog())
    shop.receive()
    shop.check_out()
    shop.authorize()
    return shop


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([held(3000)], "3000 authorized of 2998 requested"),
        ([held(reference="pi_2")], "5996 authorized in all attempts, of 2998 requested"),
        ([taken(2000, final=False), taken(999)], "2999 captured of 2998 authorized"),
        ([taken(-5)], "an amount below zero"),
        ([given_up(), given_up(0)], "canceled before"),
        ([given_up(2000)], "2000 given up of 2998 held"),
        ([taken(2000), given_up(999, cause="lapsed")], "999 given up of 998 held"),
        ([taken(), paid_back(2000), paid_back(999, "re_2")], "2999 refunded of 2998 taken"),
        ([taken(), paid_back(100), paid_back(100)], "refund re_1 was made before"),
        ([taken(), SETTLED], "nobody made refund re_1"),
        ([taken(), FAILED], "nobody made refund re_1 of 100"),
        ([taken(), paid_back(200), FAILED], "nobody made refund re_1 of 100"),
        ([taken(), TOOK, TOOK], "transaction txn was booked before"),
        ([replace(taken(), order_id=BORIS)], f"{PI} is for order {ANNA} already"),
        (
            [
                PaymentRequested(
                    order_id=ANNA, method="m", amount=money(1), credit=money(0), capture="checkout"
                )
            ],
            "it was asked for before",
        ),
        ([begun(3)], "step 3 after step 1"),
        ([begun(2), begun(2)], "step 2 after step 2"),
        ([PaymentWrittenOff(order_id=ANNA, to_shop=money(5), to_customer=money(0))], "(5, 0) written off of"),
        ([owed(0, 500)], "by the books: nothing new"),
        ([taken(), owed(0, 0)], "by the books: nothing new"),
        ([NEWS, NEWS], "the news evt_1 came before"),
        ([replace(NEWS, gateway_reference=PI, order_id=BORIS)], f"{PI} is for order {ANNA} already"),
        ([LINKED, LINKED], f"{PI} was linked before"),
        ([replace(LINKED, order_id=BORIS)], f"{PI} is for order {ANNA} already"),
        ([LINKED, PARKED], f"the order of {PI} is known"),
        ([LINKED, replace(FOREIGN, gateway_reference=PI)], f"the order of {PI} is known"),
        ([FOREIGN, replace(PARKED, gateway_reference="pi_x")], "pi_x is none of ours"),
        ([FETCHED, replace(FETCHED, up_to=NOON - timedelta(hours=1))], "were asked for before"),
        ([replace(RECONCILED, since=NOON)], f"reconciled from {NOON} to {NOON}"),
    ],
)
def test_what_contradicts_is_found(shop: Story, events: list[Any], words: str) -> None:
    assert findings(shop) == []
    for event in events:
        shop.write("test", event)
    assert [finding for finding in findings(shop) if words in finding], findings(shop)


STUCK = [begun(2, "capture", TOTAL), replace(ended(2), outcome="refused", code="expired_card")]
LISTED = replace(owed(0, 0), stuck=("capture",))
DISPUTE = ConcernRaised(order_id=ANNA, concern="dispute")


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([*STUCK, LISTED], None),
        (STUCK, "capture to be looked at by the books; said last: nothing"),
        (
            [*STUCK, LISTED, PaymentRetried(order_id=ANNA)],
            "nothing to be looked at by the books; said last: 0",
        ),
        ([DISPUTE, replace(owed(0, 0), concerns=("dispute",))], None),
        ([DISPUTE], "dispute to be looked at by the books; said last: nothing"),
        ([taken(), paid_back(1), replace(FAILED, amount=money(1)), paid_back(2998, "re_2")], None),
        ([taken(), paid_back(1), paid_back(2998, "re_2"), replace(FAILED, amount=money(1))], None),
        ([taken(), TOOK], None),
        ([taken(), paid_back(100)], None),
        ([begun(2, "capture", TOTAL), DISPUTE], None),  # known once the gateway has answered
    ],
)
def test_what_is_owed_in_the_end_was_said(shop: Story, events: list[Any], words: str | None) -> None:
    for event in events:
        shop.write("test", event)
    found = findings(shop)
    assert found == [] if words is None else (len(found) == 1 and words in found[0]), found


def test_a_step_that_is_not_open_does_not_end(shop: Story) -> None:
    shop.state(process.stream(ANNA)).open_steps[7] = begun(7)
    shop.write("test", ended(7))
    shop.write("test", begun(2))
    shop.write("test", ended(2))
    assert findings(shop) == ["step 7 ended, and was not open"]


def test_what_names_no_payment_needs_one_before(shop: Story) -> None:
    shop.check_out(BORIS, "d" * 32)
    shop.state(payment.stream(BORIS)).standings["pi"] = Standing(reference="pi", currency="GBP")
    shop.write("test", PaymentVoided(order_id=BORIS, amount=money(0)))
    assert findings(shop) == ["it is about a payment of the gateway's, and there is none"]


@pytest.mark.parametrize(
    ("amount", "wrong"),
    [
        (TOTAL, []),
        (
            1,
            [
                "1 owed to the shop, 0 to the customer, nothing to be looked at;"
                " by the books: 2998 owed to the shop, 0 to the customer, nothing to be looked at"
            ],
        ),
    ],
)
def test_what_is_owed_is_held_against_the_states_of_that_moment(
    shop: Story, amount: int, wrong: list[str]
) -> None:
    shop.write("fulfil_order", *shop.sending(ANNA, "f1"))
    shop.write("test", owed(amount, 0))
    shop.write("test", taken())
    shop.write("test", owed(0, 0))
    assert findings(shop) == wrong


@pytest.mark.parametrize(
    "events",
    [
        [begun(2, "authorize", TOTAL), held(reference="pi_2")],
        [taken(2000, final=False), taken(998)],
        [taken(2000), given_up(998, cause="lapsed")],
        [taken(), paid_back(2000), replace(FAILED, amount=money(2000)), paid_back(TOTAL, "re_2")],
        [paid_back(100), taken()],
        [taken(), TOOK, replace(TOOK, amount=money(99), transaction="txn_2")],
        [replace(FOREIGN, gateway_reference="pi_y"), replace(LINKED, gateway_reference="pi_y")],
        [replace(PARKED, gateway_reference="pi_y"), replace(LINKED, gateway_reference="pi_y"), NEWS],
        [RECONCILED, RECONCILED],
    ],
)
def test_what_may_be_so_contradicts_nothing(shop: Story, events: list[Any]) -> None:
    for event in events:
        shop.write("test", event)
    assert findings(shop) == []
