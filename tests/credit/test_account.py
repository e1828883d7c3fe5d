"""The rules of one account of credit."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.credit import account
from aggregates.credit.account import (
    Account,
    AccountAlreadyOpened,
    CreditBlocked,
    CreditInsufficient,
    CreditUnknown,
)
from aggregates.credit.events import (
    AccountBlocked,
    AccountExpired,
    AccountOpened,
    Credited,
    Redeemed,
    RedemptionReleased,
)
from aggregates.kernel import Money, Reason, Rejected, WrongCurrency

DAY = date(2026, 3, 1)
LAST_DAY = date(2026, 3, 31)
OPENED = AccountOpened(account_id="a", kind="gift_card", currency="GBP", expires_on=LAST_DAY)


def pounds(amount: int) -> Money:
    return Money(amount, "GBP")


def held(*events: Any) -> Account:
    """An account of 10.00 that the events happened to."""
    issued = Credited(account_id="a", amount=pounds(1_000), cause="issued")
    state: Account = account.stream.fold(account.initial(), (OPENED, issued, *events))
    return state


def redeemed(amount: int, order_id: str = "o") -> Redeemed:
    return Redeemed(account_id="a", order_id=order_id, amount=pounds(amount))


def refuses(reason: Reason, decide: Any, *args: Any, **arguments: Any) -> None:
    with pytest.raises(Rejected) as refused:
        decide(*args, **arguments)
    assert refused.value.reason == reason


def test_an_account_is_opened_once_and_with_the_same_facts() -> None:
    assert account.open_account(account.initial(), OPENED) == (OPENED,)
    assert account.open_account(held(), OPENED) == ()
    other = AccountOpened(account_id="a", kind="gift_card", currency="EUR")
    refuses(AccountAlreadyOpened("a"), account.open_account, held(), other)


def test_an_order_is_paid_with_as_much_as_there_is_and_no_more() -> None:
    paid = account.redeem(held(), order_id="o", amount=pounds(1_000), on=DAY)
    assert paid == (redeemed(1_000),)
    refuses(
        CreditInsufficient("a", pounds(1_001), pounds(1_000)),
        account.redeem,
        held(),
        order_id="o",
        amount=pounds(1_001),
        on=DAY,
    )
    assert account.redeem(held(redeemed(400)), order_id="o", amount=pounds(400), on=DAY) == ()


def test_the_last_day_still_counts_and_then_the_account_is_unknown() -> None:
    assert account.available(held(), on=LAST_DAY) == 1_000
    refuses(CreditUnknown(), account.available, held(), on=LAST_DAY + timedelta(days=1))
    refuses(CreditUnknown(), account.available, account.initial(), on=DAY)


def test_a_blocked_account_pays_for_nothing_and_takes_back_what_it_paid() -> None:
    blocked = held(redeemed(300), AccountBlocked(account_id="a", reason="stolen"))
    assert account.block(blocked, reason="again") == ()
    refuses(CreditBlocked("a"), account.redeem, blocked, order_id="p", amount=pounds(1), on=DAY)
    released = RedemptionReleased(account_id="a", order_id="o", amount=pounds(300))
    assert account.release(blocked, order_id="o") == (released,)


def test_another_currency_is_refused() -> None:
    for decide in (
        lambda: account.redeem(held(), order_id="o", amount=Money(1, "EUR"), on=DAY),
        lambda: account.credit(held(), amount=Money(1, "EUR"), cause="granted"),
    ):
        refuses(WrongCurrency(asked="EUR", expected="GBP"), decide)


def test_a_release_gives_back_what_refunds_left_of_it_once() -> None:
    refund = account.credit(
        held(redeemed(700)), amount=pounds(200), cause="refunded", order_id="o", credit_note_id="n"
    )
    state = held(redeemed(700), *refund)
    assert state.balance == 500
    again = account.credit(state, amount=pounds(200), cause="refunded", order_id="o", credit_note_id="n")
    assert again == ()
    (released,) = account.release(state, order_id="o")
    assert released == RedemptionReleased(account_id="a", order_id="o", amount=pounds(500))
    assert account.release(held(redeemed(700), *refund, released), order_id="o") == ()
    assert account.release(state, order_id="another") == ()


def test_an_account_expires_once_when_its_last_day_is_over() -> None:
    assert account.expire(held(), on=LAST_DAY) == ()
    (expired,) = account.expire(held(redeemed(400)), on=LAST_DAY + timedelta(days=1))
    assert expired == AccountExpired(account_id="a", amount=pounds(600))
    state = held(redeemed(400), expired)
    assert state.balance == 0
    assert account.expire(state, on=LAST_DAY + timedelta(days=2)) == ()


def test_an_account_without_a_last_day_never_expires() -> None:
    opened = AccountOpened(account_id="a", kind="store_credit", currency="GBP", customer_id="c")
    state = account.stream.fold(account.initial(), (opened,))
    assert account.expire(state, on=date.max) == ()


def test_what_comes_back_after_the_end_stays_and_pays_for_nothing() -> None:
    expired = AccountExpired(account_id="a", amount=pounds(600))
    (released,) = account.release(held(redeemed(400), expired), order_id="o")
    state = held(redeemed(400), expired, released)
    assert state.balance == 400
    refuses(CreditUnknown(), account.available, state, on=LAST_DAY + timedelta(days=1))
    assert account.expire(state, on=LAST_DAY + timedelta(days=2)) == ()


ORDERS = st.sampled_from("opq")
STEPS = st.one_of(
    st.tuples(st.just("redeem"), ORDERS, st.integers(1, 1_200)),
    st.tuples(st.just("refund"), ORDERS, st.integers(1, 1_200)),
    st.tuples(st.just("release"), ORDERS, st.just(0)),
    st.tuples(st.sampled_from(("block", "expire")), st.just(""), st.just(0)),
)


@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_the_balance_is_never_below_zero_and_nothing_is_lost(steps: list[Any]) -> None:
    state, gone = held(), 0
    for number, (step, order_id, amount) in enumerate(steps):
        events: tuple[Any, ...] = ()
        try:
            match step:
                case "redeem":
                    events = account.redeem(state, order_id=order_id, amount=pounds(amount), on=DAY)
                case "refund":
                    back = min(amount, state.redeemed.get(order_id, 0))
                    if back:
                        events = account.credit(
                            state,
                            amount=pounds(back),
                            cause="refunded",
                            order_id=order_id,
                            credit_note_id=f"n{number}",
                        )
                case "release":
                    events = account.release(state, order_id=order_id)
                case "block":
                    events = account.block(state, reason="lost")
                case "expire":
                    events = account.expire(state, on=LAST_DAY + timedelta(days=1))
        except Rejected:
            pass
        gone += sum(event.amount.amount for event in events if isinstance(event, AccountExpired))
        state = account.stream.fold(state, events)
        assert state.balance >= 0
        assert state.balance + sum(state.redeemed.values()) + gone == 1_000
