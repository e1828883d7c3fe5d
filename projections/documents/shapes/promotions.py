"""Coupons and their batches."""

from __future__ import annotations

from datetime import datetime

import msgspec


class CouponDocument(msgspec.Struct):
    """A coupon: `uses` are the orders that have it, of `uses_max` at most (null: no limit)."""

    code: str
    promotion_id: str
    batch_id: str | None
    uses_max: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    uses: int
    revoked: bool
    position: int


class CouponBatchDocument(msgspec.Struct):
    """A batch of coupons: so many of its `count` codes are issued. The codes are its `.csv`."""

    id: str
    promotion_id: str
    prefix: str
    ends_at: datetime | None
    count: int
    issued: int
    completed: bool
    position: int
