"""Routes on coupons and batches of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, ConfigDict, Field
from starlette.responses import Response

from aggregates.promotions.events import BatchRequested, CouponIssued
from commands.handlers.promotions import IssueCoupon, RequestBatch, RevokeCoupon
from commands.http.json_bodies import JsonRoute
from commands.http.promotion_bodies import Limit
from commands.http.requests import operator_only
from commands.http.responses import answered, documented
from commands.http.rule_values import CodePath, CouponCode, Moment, RuleId
from commands.http.schemas import INTEGRAL, AnswerBody, Body, Reason
from event_store.ids import new_id

router = APIRouter(
    route_class=JsonRoute, prefix="/api/v1", tags=["coupons"], dependencies=[Depends(operator_only)]
)

BATCH_MAX = 1_000_000


class CouponBody(Body):
    """A coupon: a code that counts for one promotion, which is not automatic."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"code": "SPRING-10", "promotion_id": "welcome"},
                {
                    "code": "anna-4711",
                    "promotion_id": "welcome",
                    "uses_max": 1,
                    "starts_at": "2026-03-01T00:00:00Z",
                    "ends_at": "2199-04-01T00:00:00Z",
                },
            ]
        }
    )

    code: CouponCode
    promotion_id: RuleId
    uses_max: Annotated[Limit | None, Field(description="Orders that may use it")] = None
    starts_at: Moment | None = None
    ends_at: Annotated[Moment | None, Field(description="It counts until before then")] = None


class RevokeBody(Body):
    """Why the coupon counts no more."""

    reason: Reason = "revoked"


class CouponBatchBody(Body):
    """A number of codes of the prefix and 12 random characters, each for one order."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"promotion_id": "welcome", "count": 10_000, "prefix": "SPRING-"}]}
    )

    promotion_id: RuleId
    count: Annotated[int, Field(ge=1, le=BATCH_MAX), INTEGRAL]
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,28}$"), AfterValidator(str.upper)] = ""
    ends_at: Annotated[Moment | None, Field(description="They count until before then")] = None


_ISSUED: dict[str, Any] = documented(AnswerBody, key="taken")
_CHANGED: dict[str, Any] = documented(AnswerBody, created=False, key="taken")
_REQUESTED: dict[str, Any] = documented(AnswerBody, key="required")


@router.post("/coupons", summary="Issue a coupon", **_ISSUED)
async def issue_coupon(request: Request, body: CouponBody) -> Response:
    """The same facts again change nothing; other facts under a code that was issued are a conflict."""
    issued = CouponIssued(**body.model_dump())
    return await answered(request, IssueCoupon(issued=issued, at=datetime.now(UTC)))


@router.post("/coupons/{code}/revoke", summary="Revoke a coupon", **_CHANGED)
async def revoke_coupon(request: Request, code: CodePath, body: RevokeBody | None = None) -> Response:
    """For good: its code is not issued again. Orders that have it keep it."""
    reason = (body or RevokeBody()).reason
    return await answered(request, RevokeCoupon(code=code, reason=reason))


@router.post("/coupon-batches", summary="Issue many coupons", **_REQUESTED)
async def request_batch(request: Request, body: CouponBatchBody) -> Response:
    """Answers at once with the batch's id; the codes follow, and are found under it on the query server."""
    requested = BatchRequested(batch_id=new_id(), **body.model_dump())
    return await answered(request, RequestBatch(requested=requested, at=datetime.now(UTC)), keyed=True)
