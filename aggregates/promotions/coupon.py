"""One coupon: issued for a promotion, claimed by orders, released by those given up, revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from aggregates.kernel import OrderId, Reason, Rejected, StreamKind
from aggregates.pricing.rules import Promotion
from aggregates.promotions.events import (
    CouponClaimed,
    CouponEvent,
    CouponIssued,
    CouponReleased,
    CouponRevoked,
)


@dataclass(slots=True)
class Coupon:
    """`issued` is None for a code that nobody has issued; `uses` are claims less releases."""

    issued: CouponIssued | None = None
    revoked: bool = False
    uses: int = 0


@dataclass(frozen=True, slots=True)
class UnknownCoupon(Reason):
    """No such coupon"""

    code: str


@dataclass(frozen=True, slots=True)
class CouponUsedUp(Reason):
    """The coupon was used as often as it can be"""

    code: str


@dataclass(frozen=True, slots=True)
class CouponAlreadyIssued(Reason):
    """The code was issued before, with other facts, or was revoked"""

    code: str


@dataclass(frozen=True, slots=True)
class PromotionAutomatic(Reason):
    """The promotion applies by itself, and takes no coupons"""

    promotion_id: str


def initial() -> Coupon:
    """A code nobody has issued."""
    return Coupon()


def evolve(coupon: Coupon, event: CouponEvent) -> Coupon:
    """The coupon after the event; changes it in place."""
    match event:
        case CouponIssued():
            coupon.issued = event
        case CouponClaimed():
            coupon.uses += 1
        case CouponReleased():
            coupon.uses -= 1
        case CouponRevoked():
            coupon.revoked = True
        case _:
            assert_never(event)
    return coupon


stream = StreamKind("coupon", initial, evolve)


def check_takes_coupons(promotion: Promotion) -> None:
    """Rejected where it applies without them."""
    if promotion.automatic:
        raise Rejected(PromotionAutomatic(promotion.promotion_id))


def issue(coupon: Coupon, *, issued: CouponIssued) -> tuple[CouponEvent, ...]:
    """Makes the code count."""
    if coupon.issued is None:
        return (issued,)
    if coupon.issued == issued and not coupon.revoked:
        return ()
    raise Rejected(CouponAlreadyIssued(issued.code))


def redeemable(coupon: Coupon, *, code: str, at: datetime) -> str:
    """The promotion that the code counts for then. Unknown, ended and revoked codes are refused alike."""
    refused = refusal(coupon, code=code, at=at)
    if refused is not None or coupon.issued is None:
        raise Rejected(refused or UnknownCoupon(code))
    return coupon.issued.promotion_id


def refusal(coupon: Coupon, *, code: str, at: datetime) -> UnknownCoupon | CouponUsedUp | None:
    """Why the code does not count then; None where it does."""
    issued = coupon.issued
    if issued is None or coupon.revoked or not _in_window(issued, at):
        return UnknownCoupon(code)
    if issued.uses_max is not None and coupon.uses >= issued.uses_max:
        return CouponUsedUp(code)
    return None


def claim(coupon: Coupon, *, code: str, order_id: OrderId, at: datetime) -> tuple[CouponEvent, ...]:
    """Takes one use for the order."""
    redeemable(coupon, code=code, at=at)
    return (CouponClaimed(code=code, order_id=order_id),)


def release(coupon: Coupon, *, code: str, order_id: OrderId) -> tuple[CouponEvent, ...]:
    """Gives the order's use back."""
    if not coupon.uses:
        return ()
    return (CouponReleased(code=code, order_id=order_id),)


def revoke(coupon: Coupon, *, code: str, reason: str) -> tuple[CouponEvent, ...]:
    """Ends the coupon."""
    if coupon.issued is None:
        raise Rejected(UnknownCoupon(code))
    if coupon.revoked:
        return ()
    return (CouponRevoked(code=code, reason=reason),)


def _in_window(issued: CouponIssued, at: datetime) -> bool:
    started = issued.starts_at is None or issued.starts_at <= at
    return started and (issued.ends_at is None or at < issued.ends_at)
