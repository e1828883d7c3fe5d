"""Orders in flight in a log that code of before wrote are finished by the rules of today."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from aggregates.payments.standing import RefundStanding, Standing, join
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.payments import ExpireOrder, RecordGatewayOutcome, RetryPayment
from event_store.records import RecordedEvent
from tests.golden.folds import LOGS, fixed_log
from tests.payments.deciding import TODAY, Desk, drain
from tests.shop.facts import CODEC, NOON
from tests.upgrades.record import KEPT, order_of

NOTHING = (0, 0, (), ())


@cache
def recorded() -> Mapping[str, Sequence[RecordedEvent]]:
    """Every stream of the recorded log."""
    streams: dict[str, list[RecordedEvent]] = {}
    for event, _ in fixed_log(LOGS[0], CODEC):
        streams.setdefault(event.stream, []).append(event)
    return streams


class Before:
    """An order of before, its desk, and what the gateway knows of its payment."""

    def __init__(self, story: str) -> None:
        self.desk = Desk(order_of(story), recorded())
        requested = self.desk.payment.amount
        assert requested is not None
        self.total = requested.amount
        self.reference = next(iter(self.desk.payment.standings), "pi_new")

    def knows(self, **parts: Any) -> Standing:
        """A part of it."""
        return Standing(reference=self.reference, currency="GBP", order_id=self.desk.order_id, **parts)

    @property
    def held(self) -> Standing:
        """The bank holds the money."""
        return self.knows(authorized=self.total)

    @property
    def taken(self) -> Standing:
        """All of it was captured."""
        return self.knows(authorized=self.total, captured=self.total, closed="captured")

    def given_back(self, amount: int, state: Any = "succeeded") -> Standing:
        """By the step that is open, or by the code of before."""
        step = next(iter(self.desk.process.open_steps), None)
        key = None if step is None else f"checkout-{self.desk.order_id}/{step}"
        refund = RefundStanding(
            reference="re_1",
            amount=amount,
            state=state,
            step=key,
            credit_note_id=f"{self.desk.order_id[-20:]}-1",
        )
        return join(self.taken, self.knows(refunds=(refund,)))

    def answer(self, standing: Standing | None, outcome: Any = "done") -> None:
        """The gateway answers the first call that is open."""
        step = next(iter(self.desk.process.open_steps))
        self.desk.do(
            RecordGatewayOutcome(
                order_id=self.desk.order_id, step=step, outcome=outcome, answered_on=TODAY, standing=standing
            )
        )

    def ends(self, order: str, payment: str, *, owed: Any = NOTHING) -> None:
        """So it stands, and no call is open."""
        assert self.desk.process.open_steps == {}
        assert (self.desk.order.status, self.desk.payment.status) == (order, payment)
        assert self.desk.owed() == owed


def authorized(before: Before) -> None:
    before.answer(before.held)
    before.ends("confirmed", "authorized")


def declined(before: Before) -> None:
    before.answer(before.knows(failed="card_declined"))
    drain(before.desk, before.knows(failed="card_declined", closed="canceled"))
    before.ends("canceled", "declined")


def authorized_after_its_time(before: Before) -> None:
    expire(before)
    before.answer(before.held)
    drain(before.desk, join(before.held, before.knows(closed="canceled")))
    before.ends("canceled", "voided")


def expire(before: Before) -> None:
    late = NOON + KEPT + timedelta(minutes=6)
    before.desk.do(ExpireOrder(order_id=before.desk.order_id, now=late))


def sent_and_captured(before: Before) -> None:
    before.desk.do(FulfilOrder(order_id=before.desk.order_id, fulfilment_id="f", sent_at=NOON))
    before.answer(before.taken)
    before.ends("fulfilled", "captured")


def captured(before: Before) -> None:
    before.answer(before.taken)
    before.ends("fulfilled", "captured")


def not_captured_and_retried(before: Before) -> None:
    before.answer(None, "lost")
    before.ends("fulfilled", "authorized", owed=(before.total, 0, ("capture",), ()))
    before.desk.do(RetryPayment(order_id=before.desk.order_id, on=TODAY))
    captured(before)


def refunded(before: Before) -> None:
    before.answer(before.given_back(900))
    before.ends("confirmed", "partially_refunded")
    assert before.desk.order.refunded_amount == 900


def refund_refused(before: Before) -> None:
    before.answer(None, "refused")
    before.answer(before.taken)  # the look that follows
    before.ends("confirmed", "captured", owed=(0, 0, ("refund",), ()))
    assert before.desk.order.refunded_amount == 0


def voided(before: Before) -> None:
    before.answer(before.knows(authorized=before.total, closed="canceled"))
    before.ends("canceled", "voided")


def captured_after_all_and_paid_back(before: Before) -> None:
    before.answer(before.taken)
    assert [step.call for step in before.desk.process.open_steps.values()][-1] in ("refund", "look")
    if next(iter(before.desk.process.open_steps.values())).call == "look":
        before.answer(before.taken)
    before.answer(before.given_back(before.total))
    before.ends("canceled", "refunded")


def proved(before: Before) -> None:
    before.desk.news(join(before.knows(acting=True), before.held), on=TODAY)
    before.ends("confirmed", "authorized")


def never_proved(before: Before) -> None:
    expire(before)
    drain(before.desk, before.knows(acting=True, closed="canceled"))
    before.ends("canceled", "voided")


def named_and_failed(before: Before) -> None:
    before.desk.news(before.given_back(900))
    assert before.desk.payment.returned == 900, "the refund that has no name is this one"
    before.desk.news(before.given_back(900, "failed"))
    before.ends("partially_returned", "captured", owed=(0, 900, (), ()))


@pytest.mark.parametrize(
    ("story", "finish"),
    [
        ("authorize lost", authorized),
        ("authorize lost", declined),
        ("authorize lost", authorized_after_its_time),
        ("authorized", sent_and_captured),
        ("capture lost", captured),
        ("capture lost", not_captured_and_retried),
        ("refund lost", refunded),
        ("refund lost", refund_refused),
        ("void lost", voided),
        ("void lost", captured_after_all_and_paid_back),
        ("waiting", proved),
        ("waiting", never_proved),
        ("returned", named_and_failed),
    ],
)
def test_an_order_in_flight_is_finished(story: str, finish: Callable[[Before], None]) -> None:
    finish(Before(story))
