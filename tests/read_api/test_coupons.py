"""Coupons and batches of them, as the operator reads them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from aggregates.promotions.events import (
    BatchCompleted,
    BatchProgressed,
    BatchRequested,
    CouponClaimed,
    CouponIssued,
    CouponReleased,
    CouponRevoked,
)
from read_api import coupons
from tests.shop.views import ViewShop

END = datetime(2199, 4, 1, tzinfo=UTC)
HEADER = ["code", "promotion_id", "ends_at", "uses", "revoked"]


def batch_of(*codes: str, batch_id: str = "b", count: int | None = None) -> tuple[Any, ...]:
    """A batch of these codes; where it is of more, it is still being issued."""
    issued = [
        CouponIssued(code=code, promotion_id="welcome", batch_id=batch_id, uses_max=1, ends_at=END)
        for code in codes
    ]
    return (
        BatchRequested(
            batch_id=batch_id, promotion_id="welcome", count=count or len(codes), prefix="X-", ends_at=END
        ),
        *issued,
        BatchProgressed(batch_id=batch_id, issued=len(codes)),
        *(() if count else (BatchCompleted(batch_id=batch_id),)),
    )


def rows_of(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_a_coupon_shows_its_uses_and_whether_it_is_revoked(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(CouponIssued(code="SPRING-10", promotion_id="welcome", uses_max=5))
    shown = {
        "code": "SPRING-10",
        "promotion_id": "welcome",
        "batch_id": None,
        "uses_max": 5,
        "starts_at": None,
        "ends_at": None,
        "uses": 0,
        "revoked": False,
        "position": 1,
    }
    assert api.get("/api/v1/coupons/spring-10").json() == shown
    for event, changed in (
        (CouponClaimed(code="SPRING-10", order_id="o"), {"uses": 1}),
        (CouponClaimed(code="SPRING-10", order_id="p"), {"uses": 2}),
        (CouponReleased(code="SPRING-10", order_id="o"), {"uses": 1}),
        (CouponRevoked(code="SPRING-10", reason="found out"), {"revoked": True}),
    ):
        shown |= {**changed, "position": shop.happens(event)}
        answer = api.get("/api/v1/coupons/SPRING-10")
        assert answer.json() == shown
        assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_batch_shows_how_many_of_its_codes_are_issued(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*batch_of("X-1", "X-2", count=3))
    shown = api.get("/api/v1/coupon-batches/b").json()
    assert shown == {
        "id": "b",
        "promotion_id": "welcome",
        "prefix": "X-",
        "ends_at": "2199-04-01T00:00:00Z",
        "count": 3,
        "issued": 2,
        "completed": False,
        "position": 4,
    }
    shop.happens(BatchProgressed(batch_id="b", issued=3), BatchCompleted(batch_id="b"))
    after = api.get("/api/v1/coupon-batches/b").json()
    assert after == shown | {"issued": 3, "completed": True, "position": 6}


def test_what_was_never_issued_or_requested_is_unknown(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(*batch_of("X-1"))
    for path, kind in (
        ("coupons/X-2", "unknown-coupon"),
        ("coupon-batches/c", "unknown-batch"),
        ("coupon-batches/c.csv", "unknown-batch"),
    ):
        answer = api.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, f"/problems/{kind}")
        assert answer.headers["Daybook-View-Position"] == "4"


@pytest.mark.parametrize("page", [1, 2, 5, 1_000])
def test_a_batch_is_exported_with_every_code_once(
    shop: ViewShop, api: httpx.Client, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(coupons, "PAGE", page)
    codes = [f"X-{n}" for n in range(1, 6)]
    shop.happens(*batch_of(*codes), *batch_of("Y-1", batch_id="other"))
    shop.happens(CouponIssued(code="ALONE", promotion_id="welcome"))
    shop.happens(CouponClaimed(code="X-2", order_id="o"), CouponRevoked(code="X-3", reason="found out"))
    answer = api.get("/api/v1/coupon-batches/b.csv")
    standing = {"X-2": ["1", "false"], "X-3": ["0", "true"]}
    expected = [
        [code, "welcome", "2199-04-01T00:00:00Z", *standing.get(code, ["0", "false"])]
        for code in reversed(codes)
    ]
    assert rows_of(answer) == [HEADER, *expected]
    assert answer.headers["Daybook-View-Position"] == str(shop.position)
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_batch_without_codes_so_far_is_a_header(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(BatchRequested(batch_id="b", promotion_id="welcome", count=3))
    assert rows_of(api.get("/api/v1/coupon-batches/b.csv")) == [HEADER]


def test_an_export_waits_for_what_its_asker_wrote(shop: ViewShop, api: httpx.Client) -> None:
    position = shop.happens(*batch_of("X-1"))
    fresh = {"Daybook-Min-Position": str(position)}
    assert len(rows_of(api.get("/api/v1/coupon-batches/b.csv", headers=fresh))) == 2
    later = {"Daybook-Min-Position": str(position + 1), "Prefer": "handling=strict"}
    answer = api.get("/api/v1/coupon-batches/b.csv", headers=later)
    assert (answer.status_code, answer.json()["type"]) == (412, "/problems/view-behind")
