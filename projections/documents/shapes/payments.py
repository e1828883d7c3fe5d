"""The payment of an order."""

from __future__ import annotations

import msgspec

from projections.documents.shapes.money import Money


class GatewayPayment(msgspec.Struct, omit_defaults=True):
    """What is known of one of the gateway's payments, in minor units; `key` tells it from the others."""

    key: str
    authorized: int = 0  # the most that was ever held
    captured: int = 0
    disputed: int = 0
    closed: str | None = None  # canceled, lapsed, captured
    acting: bool = False  # the shopper was asked to prove who they are


class PaymentRefund(msgspec.Struct, omit_defaults=True):
    """Money on its way back (pending, requires_action), back (succeeded), or still here (canceled, failed).

    Without a credit note the sale was undone, or the gateway gave it back by itself.
    """

    amount: Money
    state: str
    credit_note_id: str | None = None
    key: str | None = None  # tells it from the others


class Payment(msgspec.Struct):
    """As the order's payment stands; amounts are null where they are zero.

    pending, action_required, authorized, captured, declined, voided, lapsed, disputed, not_needed,
    partially_refunded, refunded.
    """

    status: str
    method: str | None = None
    requested: Money | None = None
    authorized: Money | None = None  # held by the bank and not taken yet
    captured: Money | None = None  # all that was ever taken
    refunded: Money | None = None  # of it, what went back or is on its way
    pending: Money | None = None  # of the refunded, what is still on its way
    disputed: Money | None = None  # of the captured, what disputes took and did not give back
    decline_code: str | None = None
    refunds: list[PaymentRefund] = []
    gateway_payments: list[GatewayPayment] = []
