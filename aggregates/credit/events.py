"""What can happen to an account of credit (stream `credit-<account id>`): a gift card, or store credit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from aggregates.kernel import Money, OrderId

AccountKind = Literal["gift_card", "store_credit"]
CreditCause = Literal["issued", "granted", "sold", "refunded"]
"""An operator made a gift card, or gave a customer credit; a gift card was bought; an order was refunded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOpened:
    """There is an account, in one currency; of a customer where it is store credit.

    It pays for orders up to and with the day `expires_on` (UTC); None: for ever.
    """

    account_id: str
    kind: AccountKind
    currency: str
    customer_id: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited:
    """The balance grew by `amount`: for an order that was refunded, or whose goods are the gift card."""

    account_id: str
    amount: Money
    cause: CreditCause
    order_id: OrderId | None = None
    credit_note_id: str | None = None
    reason: str | None = None  # personal


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """The account paid this much of an order."""

    account_id: str
    order_id: OrderId
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionReleased:
    """That order was given up: what the account paid of it, and was not refunded, is back."""

    account_id: str
    order_id: OrderId
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBlocked:
    """The account pays for nothing any more."""

    account_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountExpired:
    """Its last day is over: the balance, which was this amount, is gone."""

    account_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Debited:
    """The gift card was sold by this order, which gives back what was paid for it: so much is off its
    balance."""

    account_id: str
    order_id: OrderId
    credit_note_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitReleased:
    """That refund was given up: what was debited for it is back."""

    account_id: str
    order_id: OrderId
    credit_note_id: str
    amount: Money


CreditEvent = (
    AccountOpened
    | Credited
    | Redeemed
    | RedemptionReleased
    | Debited
    | DebitReleased
    | AccountBlocked
    | AccountExpired
)


def account_subject(event: Credited) -> str:
    """Whose data a reason is: the account's."""
    return f"credit-{event.account_id}"
