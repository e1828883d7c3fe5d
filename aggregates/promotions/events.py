"""What can happen to a coupon (`coupon-<code>`), to a batch of them (`coupon_batch-<id>`), and to a
promotion's limits (`promotion_uses-<promotion id>`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aggregates.kernel import Money, OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponIssued:
    """The code counts for the promotion, in its window, for so many orders; None: no limit."""

    code: str
    promotion_id: str
    batch_id: str | None = None
    uses_max: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponClaimed:
    """An order was placed with the code."""

    code: str
    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponReleased:
    """That order was given up: the use is free again."""

    code: str
    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponRevoked:
    """The code counts no more."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseClaimed:
    """An order was placed with the promotion, which took `amount` off."""

    promotion_id: str
    order_id: OrderId
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class UseReleased:
    """That order was given up: use and amount are free again."""

    promotion_id: str
    order_id: OrderId
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequested:
    """So many codes are to be issued, each `<prefix>` and 12 random characters, for one order each."""

    batch_id: str
    promotion_id: str
    count: int
    prefix: str = ""
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgressed:
    """So many of the batch's codes are issued, in all."""

    batch_id: str
    issued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCompleted:
    """All of the batch's codes are issued."""

    batch_id: str


CouponEvent = CouponIssued | CouponClaimed | CouponReleased | CouponRevoked
UseEvent = UseClaimed | UseReleased
BatchEvent = BatchRequested | BatchProgressed | BatchCompleted
