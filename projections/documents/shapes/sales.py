"""What was sold: by day, and the most."""

from __future__ import annotations

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


class BestsellerDocument(msgspec.Struct):
    """Units of a SKU ordered, canceled orders out."""

    sku: str
    title: str
    units: int
    position: int
    on_sale: bool = False
