"""Gift cards and store credit."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class CreditMovement(msgspec.Struct, omit_defaults=True):
    """What changed an account of credit, and when; `amount` is what its balance changed by, in minor units.

    `what`: issued, granted, sold, refunded, redeemed, released, blocked or expired.
    """

    at: datetime
    what: str
    amount: int
    order_id: str | None = None


class CreditDocument(msgspec.Struct):
    """A gift card or store credit. `movements`: the newest first."""

    id: str
    kind: str
    currency: str
    customer_id: str | None
    expires_on: date | None
    balance: int
    blocked: bool
    expired: bool
    movements: list[CreditMovement]
    position: int
