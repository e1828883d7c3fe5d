"""An order shows of its payment what the aggregate knows, in whatever order the gateway's facts arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import strategies as some

from aggregates.kernel import Money, Rejected
from aggregates.payments import payment
from aggregates.payments.events import (
    ActionRequired,
    ConcernRaised,
    PaymentAttemptFailed,
    PaymentCaptured,
    PaymentEvent,
    PaymentNotNeeded,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRequested,
    PaymentVoided,
)
from aggregates.payments.observation import observe
from aggregates.payments.payment import Payment
from aggregates.payments.standing import DisputeMove, RefundStanding, Standing
from projections.engine.follower import Decoded
from projections.views import orders
from tests.projections.memory_views import MemoryView
from tests.shop.facts import recorded

ORDER = "d" * 32
REQUESTED = PaymentRequested(
    order_id=ORDER,
    method="pm_card_visa",
    amount=Money(1299, "EUR"),
    credit=Money(0, "EUR"),
    capture="fulfilment",
)
ZERO_OR = [0, 400, 1299]
REFUNDS = {"re_1": 300, "re_2": 999, "re_3": 300}
MOVES = {"txn_1": -999, "txn_2": 999, "txn_3": -300}


def standings(reference: str) -> some.SearchStrategy[Standing]:
    """Parts of what a gateway knows of this payment; what two of them tell of one refund does not differ."""
    refunds = some.dictionaries(
        some.sampled_from(sorted(REFUNDS)),
        some.sampled_from(["pending", "requires_action", "succeeded", "canceled", "failed"]),
        max_size=2,
    ).map(
        lambda states: tuple(
            RefundStanding(reference=f"{reference} {name}", amount=REFUNDS[name], state=state)
            for name, state in states.items()
        )
    )
    moves = some.sets(some.sampled_from(sorted(MOVES)), max_size=2).map(
        lambda names: tuple(
            DisputeMove(transaction=f"{reference} {name}", dispute="dp_1", amount=MOVES[name], fee=15)
            for name in sorted(names)
        )
    )
    return some.builds(
        Standing,
        reference=some.just(reference),
        currency=some.just("EUR"),
        authorized=some.sampled_from(ZERO_OR),
        captured=some.sampled_from(ZERO_OR),
        closed=some.sampled_from([None, None, "canceled", "lapsed", "captured"]),
        acting=some.booleans(),
        failed=some.sampled_from([None, "card_declined"]),
        refunds=refunds,
        moves=moves,
    )


HISTORIES = some.lists(some.one_of(standings("pi_1"), standings("pi_2"), some.just("decline")), max_size=8)


class Shown:
    """The aggregate and the order's document, event by event."""

    def __init__(self) -> None:
        self.payment: Payment = payment.initial()
        self._view = MemoryView(orders.VIEW)

    def see(self, event: PaymentEvent) -> dict[str, Any]:
        """Both after the event; they agree."""
        self.payment = payment.evolve(self.payment, event)
        self._view.apply([Decoded(recorded(self._view.position + 1, event), event)])
        known, shown = self.payment, msgspec.json.decode(self._view.documents[ORDER])["payment"]
        pending = sum(
            refund.amount
            for standing in known.standings.values()
            for refund in standing.refunds
            if not refund.settled
        )
        assert shown["status"] == known.status
        for name, amount in {
            "authorized": known.held,
            "captured": known.captured,
            "refunded": known.returned,
            "pending": pending,
            "disputed": known.disputed,
        }.items():
            assert shown[name] == ({"amount": amount, "currency": "EUR"} if amount else None), name
        return shown


def decided(shown: Shown, fact: Any) -> Iterator[PaymentEvent]:
    """What the fact adds; a decline that is refused adds nothing."""
    if isinstance(fact, Standing):
        yield from observe(shown.payment, fact, order_id=ORDER)
        return
    try:
        yield from payment.decline(shown.payment, order_id=ORDER, code="card_declined")
    except Rejected:
        return


@forall(HISTORIES)
def test_the_parts_and_the_status_are_the_aggregates_after_every_event(history: list[Any]) -> None:
    shown = Shown()
    shown.see(REQUESTED)
    for fact in history:
        for event in decided(shown, fact):
            shown.see(event)


@forall(some.lists(some.one_of(standings("pi_1"), some.just("decline")), max_size=8), some.data())
def test_events_of_before_that_name_nothing_are_the_last_payments(
    history: list[Any], data: some.DataObject
) -> None:
    shown = Shown()
    shown.see(REQUESTED)
    for fact in [Standing(reference="pi_1", currency="EUR", authorized=1299), *history]:
        for event in decided(shown, fact):
            shown.see(nameless(event) if data.draw(some.booleans()) else event)


def nameless(event: PaymentEvent) -> PaymentEvent:
    """The event as number 1 had it, where it is one that had a number 1 with fewer names."""
    match event:
        case PaymentRefunded(pending=False):
            return replace(event, gateway_reference=None, refund_reference=None)
        case PaymentCaptured() | PaymentVoided():
            return replace(event, gateway_reference=None)
        case _:
            return event


def test_every_refund_is_shown_with_its_state_and_no_name_of_the_gateways() -> None:
    shown = Shown()
    made = RefundStanding(reference="re_1", amount=300, state="pending", credit_note_id="n1")
    taken = {"authorized": 1299, "captured": 1299, "closed": "captured"}
    shown.see(REQUESTED)
    seen = None
    for state in ("pending", "succeeded", "failed"):
        standing = Standing(reference="pi_1", currency="EUR", refunds=(replace(made, state=state),), **taken)
        for event in observe(shown.payment, standing, order_id=ORDER):
            seen = shown.see(event)
        assert seen is not None
        (refund,) = seen["refunds"]
        assert (refund["state"], refund["credit_note_id"], refund["amount"]["amount"]) == (state, "n1", 300)
    assert "pi_1" not in str(seen)
    assert "re_1" not in str(seen)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([PaymentNotNeeded(order_id=ORDER)], "not_needed"),
        ([PaymentCaptured(order_id=ORDER, amount=Money(500, "EUR"), source="elsewhere")], "captured"),
        (
            [
                PaymentCaptured(order_id=ORDER, amount=Money(500, "EUR"), source="elsewhere"),
                PaymentRefunded(order_id=ORDER, amount=Money(200, "EUR"), credit_note_id="n1"),
            ],
            "partially_refunded",
        ),
    ],
)
def test_what_no_gateway_is_asked_for_is_shown_too(events: list[PaymentEvent], status: str) -> None:
    shown = Shown()
    assert [shown.see(event) for event in events][-1]["status"] == status


def voided(reference: str | None, **facts: Any) -> PaymentVoided:
    return PaymentVoided(order_id=ORDER, amount=Money(0, "EUR"), gateway_reference=reference, **facts)


def acting(reference: str) -> ActionRequired:
    return ActionRequired(order_id=ORDER, gateway_reference=reference)


def nameless_refund(amount: int) -> PaymentRefunded:
    return PaymentRefunded(order_id=ORDER, amount=Money(amount, "EUR"))


FAILED = PaymentRefundFailed(
    order_id=ORDER,
    amount=Money(300, "EUR"),
    refund_reference="re_1",
    gateway_reference="pi_1",
    state="failed",
)
TAKEN = PaymentCaptured(order_id=ORDER, amount=Money(1299, "EUR"), source="gateway", gateway_reference="pi_1")


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([voided("pi_1", cause="lapsed"), voided("pi_2")], "lapsed"),
        ([acting("pi_1"), voided("pi_1"), acting("pi_2")], "action_required"),
        ([acting("pi_1"), acting("pi_2"), voided("pi_1"), voided(None)], "voided"),
        ([TAKEN, nameless_refund(999), nameless_refund(300), FAILED], "partially_refunded"),
    ],
)
def test_several_payments_and_refunds_are_told_apart(events: list[PaymentEvent], status: str) -> None:
    shown = Shown()
    assert [shown.see(event) for event in [REQUESTED, *events]][-1]["status"] == status


def test_who_gave_up_one_payment_may_still_be_paying_by_another() -> None:
    shown = Shown()
    attempt = PaymentAttemptFailed(order_id=ORDER, code="no", gateway_reference="pi_2")
    for event in (REQUESTED, acting("pi_1"), voided("pi_1"), attempt):
        shown.see(event)
    assert shown.payment.status == "pending"


def test_what_the_process_and_its_operators_do_is_not_the_customers() -> None:
    assert ConcernRaised not in orders.VIEW.events
