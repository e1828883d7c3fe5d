"""One account of credit: opened, credited, redeemed by orders, blocked, expired. Never below zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import assert_never

from aggregates.credit.events import (
    AccountBlocked,
    AccountExpired,
    AccountOpened,
    CreditCause,
    Credited,
    CreditEvent,
    Debited,
    DebitReleased,
    Redeemed,
    RedemptionReleased,
)
from aggregates.kernel import Money, OrderId, Reason, Rejected, StreamKind, WrongCurrency


@dataclass(slots=True)
class Account:
    """`opened` is None until it is; amounts in minor units of its currency.

    `redeemed`: what each order still bears of it, refunds and releases taken off. What comes back after
    the account has expired stays in the balance, and pays for nothing. `debited`: by credit note, what
    was taken off as the order that sold it gave the money back.
    """

    opened: AccountOpened | None = None
    balance: int = 0
    blocked: bool = False
    expired: bool = False
    redeemed: dict[OrderId, int] = field(default_factory=dict)
    credit_notes: set[str] = field(default_factory=set)
    debited: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreditUnknown(Reason):
    """No such gift card or store credit"""


@dataclass(frozen=True, slots=True)
class CreditBlocked(Reason):
    """The gift card or store credit is blocked"""

    account_id: str


@dataclass(frozen=True, slots=True)
class CreditInsufficient(Reason):
    """The gift card or store credit has less left"""

    account_id: str
    asked: Money
    available: Money


@dataclass(frozen=True, slots=True)
class AccountAlreadyOpened(Reason):
    """The account was opened before, with other facts"""

    account_id: str


def initial() -> Account:
    """An account nobody has opened."""
    return Account()


def evolve(account: Account, event: CreditEvent) -> Account:
    """The account after the event; changes it in place."""
    match event:
        case AccountOpened():
            account.opened = event
        case Credited(amount=amount, order_id=order_id, credit_note_id=note, cause=cause):
            account.balance += amount.amount
            if note is not None:
                account.credit_notes.add(note)
            if cause == "refunded" and order_id is not None:
                _take_off(account, order_id, amount.amount)
        case Redeemed(order_id=order_id, amount=amount):
            account.balance -= amount.amount
            account.redeemed[order_id] = account.redeemed.get(order_id, 0) + amount.amount
        case RedemptionReleased(order_id=order_id, amount=amount):
            account.balance += amount.amount
            _take_off(account, order_id, amount.amount)
        case Debited(credit_note_id=note, amount=amount):
            account.balance -= amount.amount
            account.debited[note] = amount.amount
        case DebitReleased(credit_note_id=note, amount=amount):
            account.balance += amount.amount
            account.debited.pop(note, None)
        case AccountBlocked():
            account.blocked = True
        case AccountExpired(amount=amount):
            account.expired = True
            account.balance -= amount.amount
        case _:
            assert_never(event)
    return account


stream = StreamKind("credit", initial, evolve)


def open_account(account: Account, opened: AccountOpened) -> tuple[CreditEvent, ...]:
    """Makes the account, once."""
    if account.opened is None:
        return (opened,)
    if account.opened == opened:
        return ()
    raise Rejected(AccountAlreadyOpened(opened.account_id))


def credit(
    account: Account,
    *,
    amount: Money,
    cause: CreditCause,
    order_id: OrderId | None = None,
    credit_note_id: str | None = None,
    reason: str | None = None,
) -> tuple[CreditEvent, ...]:
    """Adds to the balance, once per credit note; a blocked or expired account too: it is what was paid
    with."""
    opened = _opened(account)
    _require_currency(opened, amount)
    if credit_note_id is not None and credit_note_id in account.credit_notes:
        return ()
    return (
        Credited(
            account_id=opened.account_id,
            amount=amount,
            cause=cause,
            order_id=order_id,
            credit_note_id=credit_note_id,
            reason=reason,
        ),
    )


def available(account: Account, *, on: date) -> int:
    """What an order of that day (UTC) can be paid with, in minor units. Refuses what is not opened, is
    expired, or is blocked."""
    opened = _opened(account)
    if account.expired or (opened.expires_on is not None and on > opened.expires_on):
        raise Rejected(CreditUnknown())
    if account.blocked:
        raise Rejected(CreditBlocked(opened.account_id))
    return account.balance


def redeem(account: Account, *, order_id: OrderId, amount: Money, on: date) -> tuple[CreditEvent, ...]:
    """Pays a part of an order, once; never more than there is."""
    left = available(account, on=on)
    opened = _opened(account)
    _require_currency(opened, amount)
    if order_id in account.redeemed:
        return ()
    if amount.amount > left:
        raise Rejected(CreditInsufficient(opened.account_id, amount, Money(left, opened.currency)))
    return (Redeemed(account_id=opened.account_id, order_id=order_id, amount=amount),)


def release(account: Account, *, order_id: OrderId) -> tuple[CreditEvent, ...]:
    """The order was given up: all that it still bears of the account comes back."""
    opened, left = _opened(account), account.redeemed.get(order_id, 0)
    if not left:
        return ()
    amount = Money(left, opened.currency)
    return (RedemptionReleased(account_id=opened.account_id, order_id=order_id, amount=amount),)


def debit(
    account: Account, *, order_id: OrderId, credit_note_id: str, amount: Money
) -> tuple[CreditEvent, ...]:
    """Takes what goes back for a gift card off its balance, once per credit note; a blocked one's too. Never
    more than there is."""
    opened = _opened(account)
    _require_currency(opened, amount)
    if credit_note_id in account.debited:
        return ()
    if amount.amount > account.balance:
        available = Money(account.balance, opened.currency)
        raise Rejected(CreditInsufficient(opened.account_id, amount, available))
    return (
        Debited(
            account_id=opened.account_id, order_id=order_id, credit_note_id=credit_note_id, amount=amount
        ),
    )


def release_debit(account: Account, *, order_id: OrderId, credit_note_id: str) -> tuple[CreditEvent, ...]:
    """The refund was given up: what was debited for it comes back."""
    opened, left = _opened(account), account.debited.get(credit_note_id, 0)
    if not left:
        return ()
    return (
        DebitReleased(
            account_id=opened.account_id,
            order_id=order_id,
            credit_note_id=credit_note_id,
            amount=Money(left, opened.currency),
        ),
    )


def block(account: Account, *, reason: str) -> tuple[CreditEvent, ...]:
    """Ends paying with it, for good."""
    opened = _opened(account)
    return () if account.blocked else (AccountBlocked(account_id=opened.account_id, reason=reason),)


def expire(account: Account, *, on: date) -> tuple[CreditEvent, ...]:
    """Takes the balance off, once, when the account's last day is over."""
    opened = _opened(account)
    if account.expired or opened.expires_on is None or on <= opened.expires_on:
        return ()
    return (AccountExpired(account_id=opened.account_id, amount=Money(account.balance, opened.currency)),)


def _opened(account: Account) -> AccountOpened:
    if account.opened is None:
        raise Rejected(CreditUnknown())
    return account.opened


def _require_currency(opened: AccountOpened, amount: Money) -> None:
    if amount.currency != opened.currency:
        raise Rejected(WrongCurrency(asked=amount.currency, expected=opened.currency))


def _take_off(account: Account, order_id: OrderId, amount: int) -> None:
    left = account.redeemed.get(order_id, 0) - amount
    if left > 0:
        account.redeemed[order_id] = left
    else:
        account.redeemed.pop(order_id, None)
