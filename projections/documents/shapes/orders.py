"""Orders, with their payment and all that happened to them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from projections.documents.shapes.money import Money, UnitPrice
from projections.documents.shapes.payments import Payment
from projections.documents.shapes.pricing import ShippingAmount, TaxAmount


class OrderLine(msgspec.Struct):
    """A line as ordered, and how many of its units were sent, came back and were refunded.

    net = line_total - discount; `paid` is the net with the tax that is on top of it, `tax` is in `paid`.
    The `withdrawn` ones of those refunded were not sent, and will not be.
    """

    line_id: str
    sku: str
    title: str
    seller: str
    quantity: int
    unit_price: UnitPrice
    line_total: Money
    discount: Money
    net: Money
    tax: Money
    paid: Money
    fulfilled: int = 0
    returned: int = 0
    refunded: int = 0
    withdrawn: int = 0


class Charge(msgspec.Struct):
    """An amount beside the lines: kind is shipping, discount, tax or manual."""

    kind: str
    label: str
    amount: Money


class LineQuantity(msgspec.Struct):
    """Some units of a line."""

    line_id: str
    sku: str
    quantity: int


class Fulfilment(msgspec.Struct):
    """What was sent, and when."""

    id: str
    time: datetime
    lines: list[LineQuantity]


class Return(msgspec.Struct):
    """What came back, and when. Why is personal: null in what is read."""

    id: str
    time: datetime
    lines: list[LineQuantity]
    restock: bool
    reason: None = None


class Refund(msgspec.Struct):
    """What was paid back; the id is its credit note's. Why is personal: null in what is read.

    `tax` is in the amount; it and `tenders` are null where a refund of before did not say.
    """

    id: str
    time: datetime
    amount: Money
    reason: None = None
    tax: Money | None = None
    tenders: list[Tender] | None = None


class TimelineEntry(msgspec.Struct):
    """One event of the order's history; `event` is its stored name."""

    position: int
    time: datetime  # valid_at
    event: str


class Tender(msgspec.Struct):
    """A part of an order's total and what pays it: card, gift_card or store_credit, which have an account."""

    kind: str
    amount: Money
    account_id: str | None


class OrderDocument(msgspec.Struct):
    """An order with its payment and everything that happened to it. No personal field."""

    id: str
    number: str
    status: str
    payment: Payment
    currency: str
    lines: list[OrderLine]
    charges: list[Charge]
    total: Money
    fulfilments: list[Fulfilment]
    returns: list[Return]
    refunds: list[Refund]
    timeline: list[TimelineEntry]
    channel: str
    placed_at: datetime
    version: int  # of the order's stream
    position: int
    customer_id: str | None = None
    cart_id: str | None = None
    cancel_reason: str | None = (
        None  # canceled, declined, expired, lapsed, refunded; never what somebody wrote
    )
    secret_hash: str | None = None  # SHA-256, hex, of what checkout answered
    taxes: list[TaxAmount] = []
    shipping: ShippingAmount | None = None
    tenders: list[Tender] = []
