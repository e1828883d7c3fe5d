"""What was sold: by day, by hour, to whom, and the most."""

from __future__ import annotations

from datetime import datetime

import msgspec


class SalesRow(msgspec.Struct):
    """One day's books in one currency, in minor units; net = gross - returns.

    Of gross: `discounts` were taken off already, `shipping` (before discounts on it) and `tax` (inside prices
    or on top) are in it.
    """

    date: str  # YYYY-MM-DD, UTC, valid time
    currency: str
    orders: int
    units: int
    gross: int
    returns: int
    net: int
    discounts: int = 0
    shipping: int = 0
    tax: int = 0


class SalesDocument(msgspec.Struct):
    """All currencies of one day; the document key is the day."""

    date: str
    rows: list[SalesRow]
    position: int


class SalesHour(msgspec.Struct):
    """One hour's books in one currency, in minor units; see SalesRow."""

    starts_at: datetime
    local: str  # as the shop's clocks show it, RFC 3339 with the offset: 2026-03-29T02:00:00+01:00
    currency: str
    orders: int
    units: int
    gross: int
    returns: int
    net: int
    discounts: int = 0
    shipping: int = 0
    tax: int = 0


class SalesHoursDocument(msgspec.Struct, omit_defaults=True):
    """The hours of the sales of one UTC day, all currencies; the document key is the day.

    `placed_at`: by id, when those orders were placed whose events do not name the moment, so that their
    cancellations are counted in the same hour.
    """

    date: str
    rows: list[SalesHour]
    position: int
    placed_at: dict[str, datetime] = {}


class CustomerSums(msgspec.Struct):
    """What a customer bought in one currency, in minor units; net = gross - returns."""

    currency: str
    orders: int = 0
    gross: int = 0
    returns: int = 0
    net: int = 0


class CustomerValueDocument(msgspec.Struct):
    """A customer's orders that stand, and their sums. `days`: how many were placed on each UTC day that has
    some."""

    customer_id: str
    position: int
    orders: int = 0
    sums: list[CustomerSums] = []
    first_order_on: str | None = None  # YYYY-MM-DD, UTC, valid time
    last_order_on: str | None = None
    days: dict[str, int] = {}


class BestsellerDayDocument(msgspec.Struct):
    """Units ordered of each SKU on one UTC day, canceled orders out; the document key is the day."""

    date: str
    units: dict[str, int]
    position: int


class BestsellerDocument(msgspec.Struct):
    """Units of a SKU ordered, canceled orders out."""

    sku: str
    title: str
    units: int
    position: int
    on_sale: bool = False
