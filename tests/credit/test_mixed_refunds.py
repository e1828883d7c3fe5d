"""Refunds of orders that card and credit paid, whatever the gateway does with the card's part: each tender
gets its part once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from aggregates.credit import account
from aggregates.kernel import Money, Rejected
from aggregates.orders.events import CreditNoteIssued, OrderRefunded
from aggregates.orders.refundable import RefundTooLarge
from aggregates.payments.events import PaymentRefunded
from aggregates.payments.standing import RefundStanding, Standing
from commands.handlers.payments import RetryPayment, WriteOffPayment
from commands.handlers.refunds import RefundOrder
from replays.verification.verify import verify
from tests.payments.deciding import ORDER, TODAY, Desk, standing
from tests.payments.stored import stored
from tests.shop.facts import CODEC

GIFT, CARD = 300, 700
TAKEN = standing(authorized=CARD, captured=CARD, closed="captured")


@pytest.fixture
def desk() -> Iterator[Desk]:
    """An order of 10.00 that a gift card paid 3.00 of, and a card 7.00, which was taken; in the end its books
    contradict nothing."""
    desk = Desk()
    desk.place(total=GIFT + CARD, capture="checkout", gift=GIFT)
    desk.answer(1, standing(authorized=CARD))
    desk.answer(2, TAKEN)
    assert (desk.payment.captured, balance(desk)) == (CARD, 0)
    yield desk
    found: list[str] = []
    verify(stored(desk).log, CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []


def balance(desk: Desk) -> int:
    """Of the gift card."""
    held: account.Account = desk.state(account.stream("gift"))
    return held.balance


def refund(desk: Desk, amount: int, note: str = "note", **to: int) -> None:
    desk.do(
        RefundOrder(
            order_id=ORDER,
            credit_note_id=note,
            reason=None,
            issued_on=TODAY,
            amount=Money(amount, "EUR"),
            to={tender: Money(part, "EUR") for tender, part in to.items()},
        )
    )


def retry(desk: Desk) -> None:
    desk.do(RetryPayment(order_id=ORDER, on=TODAY))


def step(desk: Desk, call: str = "refund") -> int:
    """The number of the one open step, which is such a call."""
    ((number, begun),) = desk.process.open_steps.items()
    assert begun.call == call
    return number


def made(
    desk: Desk, amount: int, *, by: int | None, name: str = "re_1", state: str = "succeeded"
) -> Standing:
    """What is known of the payment with one more refund: by a step of ours, or in the dashboard."""
    known = desk.payment.standings.get("pi_1", TAKEN)
    key = None if by is None else f"checkout-{ORDER}/{by}"
    one = RefundStanding(reference=name, amount=amount, state=state, step=key)  # type: ignore[arg-type]
    return replace(known, refunds=(*(old for old in known.refunds if old.reference != name), one))


def look(desk: Desk, known: Standing) -> None:
    """What a look after a refusal finds."""
    desk.answer(step(desk, "look"), known)


def given_back(desk: Desk) -> list[dict[str, int]]:
    """Each refund by what it went back to; each has its credit note."""
    events = [event for _, event in desk.events]
    notes = [(one.credit_note_id, one.amount) for one in events if isinstance(one, CreditNoteIssued)]
    refunds = [one for one in events if isinstance(one, OrderRefunded)]
    assert notes == [(one.credit_note_id, one.amount) for one in refunds]
    return [{one.key: one.amount.amount for one in each.tenders or ()} for each in refunds]


def test_a_refused_mixed_refund_moves_no_credit_and_its_retry_moves_each_part_once(desk: Desk) -> None:
    refund(desk, 900)
    assert (balance(desk), given_back(desk)) == (0, [])
    desk.refuse(step(desk))
    look(desk, TAKEN)
    assert (balance(desk), given_back(desk)) == (0, [])
    assert desk.owed() == (0, 0, ("refund",), ())
    retry(desk)
    done = made(desk, CARD, by=step(desk))
    desk.answer(step(desk), done)
    desk.news(done)
    assert (balance(desk), given_back(desk)) == (200, [{"card": CARD, "gift": 200}])
    assert desk.owed() == (0, 0, (), ())


def test_a_refused_mixed_refund_that_is_written_off_moved_nothing_and_can_be_asked_for_again(
    desk: Desk,
) -> None:
    refund(desk, 900)
    desk.refuse(step(desk))
    look(desk, TAKEN)
    desk.do(WriteOffPayment(order_id=ORDER, on=TODAY))
    assert (balance(desk), desk.owed()) == (0, (0, 0, (), ()))
    refund(desk, 250, "credit", gift=250)
    assert (balance(desk), given_back(desk)) == (250, [{"gift": 250}])


def test_news_before_the_answer_book_both_parts_and_the_answer_books_nothing_more(desk: Desk) -> None:
    refund(desk, 900)
    number = step(desk)
    desk.news(made(desk, CARD, by=number, state="pending"))
    assert (balance(desk), given_back(desk)) == (200, [{"card": CARD, "gift": 200}])
    desk.answer(number, made(desk, CARD, by=number))
    assert (balance(desk), given_back(desk)) == (200, [{"card": CARD, "gift": 200}])


def test_of_a_mixed_refund_that_the_gateway_made_in_part_the_rest_is_owed_to_the_customer(desk: Desk) -> None:
    refund(desk, 900)
    desk.answer(step(desk), made(desk, 400, by=step(desk)))
    assert (balance(desk), given_back(desk)) == (200, [{"card": CARD, "gift": 200}])
    assert desk.owed() == (0, 300, (), ())
    retry(desk)
    desk.answer(step(desk), made(desk, 300, by=step(desk), name="re_2"))
    assert (balance(desk), desk.payment.returned, desk.owed()) == (200, CARD, (0, 0, (), ()))
    assert len(given_back(desk)) == 1


def test_a_mixed_refund_that_fails_later_owes_the_cards_part_alone(desk: Desk) -> None:
    refund(desk, 900)
    number = step(desk)
    desk.answer(number, made(desk, CARD, by=number, state="pending"))
    desk.news(made(desk, CARD, by=number, state="failed"))
    assert (balance(desk), desk.owed()) == (200, (0, CARD, (), ()))
    retry(desk)
    desk.answer(step(desk), made(desk, CARD, by=step(desk), name="re_2"))
    assert (balance(desk), desk.owed()) == (200, (0, 0, (), ()))
    assert given_back(desk) == [{"card": CARD, "gift": 200}]


def test_credit_that_moves_while_the_gateway_is_asked_is_not_moved_again_by_its_answer(desk: Desk) -> None:
    refund(desk, 900)
    number = step(desk)
    refund(desk, 100, "credit", gift=100)
    assert balance(desk) == 100
    desk.answer(number, made(desk, CARD, by=number))
    assert (balance(desk), desk.payment.returned) == (GIFT, CARD)
    assert (desk.order.status, given_back(desk)) == ("canceled", [{"gift": 100}])  # Nothing is left of it.


def test_what_the_dashboard_gave_back_meanwhile_is_not_booked_twice_and_credit_gets_its_part(
    desk: Desk,
) -> None:
    """The gateway makes both refunds, as the dashboard's failed in the end, of which we hear last."""
    refund(desk, 900)
    number = step(desk)
    desk.news(made(desk, 300, by=None, name="re_dash"))
    assert given_back(desk) == [{"card": 300}]
    desk.answer(number, made(desk, CARD, by=number))
    assert (balance(desk), given_back(desk)) == (200, [{"card": 300}, {"card": 400, "gift": 200}])
    (ours,) = [event for _, event in desk.events if isinstance(event, PaymentRefunded) and event.step]
    assert (ours.amount.amount, ours.credit_note_id) == (CARD, None)
    desk.news(made(desk, 300, by=None, name="re_dash", state="failed"))
    assert (desk.payment.returned, desk.owed()) == (CARD, (0, 0, (), ()))


def test_a_refused_mixed_refund_that_the_dashboard_made_in_part_is_asked_for_anew_for_what_is_left(
    desk: Desk,
) -> None:
    refund(desk, 900)
    desk.refuse(step(desk))
    look(desk, made(desk, 300, by=None, name="re_dash"))
    assert (balance(desk), given_back(desk)) == (0, [{"card": 300}])
    with pytest.raises(Rejected) as refused:
        retry(desk)
    assert refused.value.reason == RefundTooLarge(ORDER, Money(900, "EUR"), Money(700, "EUR"))
    desk.do(WriteOffPayment(order_id=ORDER, on=TODAY))
    refund(desk, 600, "rest")
    desk.answer(step(desk), made(desk, 400, by=step(desk), name="re_2"))
    assert (balance(desk), given_back(desk)) == (200, [{"card": 300}, {"card": 400, "gift": 200}])
