"""The routes of coupons and batches: what they take, what they answer, and what they refuse."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aggregates.promotions.events import BatchRequested, CouponIssued, CouponRevoked
from event_store.memory.log import MemoryLog
from tests.promotions.given import in_a_shop
from tests.shop.http import Shop, key, open_shop

COUPON = {"code": "SPRING-10", "promotion_id": "welcome"}
BATCH = {"promotion_id": "welcome", "count": 3, "prefix": "x-"}
LATE = "2199-04-01T00:00:00Z"


def test_a_coupon_is_issued_once_and_revoked_for_good(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        made = await shop.post("/coupons", COUPON)
        assert (made.status_code, made.json()) == (201, {"id": "SPRING-10", "version": 1, "position": 3})
        again = await shop.post("/coupons", COUPON | {"code": "spring-10"})
        assert (again.status_code, again.json()) == (200, made.json())
        for _ in range(2):
            revoked = await shop.post("/coupons/spring-10/revoke", {"reason": "found out"})
            assert (revoked.status_code, revoked.json()["version"]) == (200, 2)
        after = await shop.post("/coupons", COUPON)
        assert (after.status_code, after.json()["type"]) == (409, "/problems/coupon-already-issued")
        assert shop.events()[2:] == [
            CouponIssued(code="SPRING-10", promotion_id="welcome"),
            CouponRevoked(code="SPRING-10", reason="found out"),
        ]

    in_a_shop(tmp_path, scenario)


def test_all_that_a_coupon_can_say_is_stored(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        limits = {"uses_max": 5, "starts_at": "2026-03-01T00:00:00Z", "ends_at": LATE}
        assert (await shop.post("/coupons", COUPON | limits)).status_code == 201
        assert shop.events("promotions.coupon_issued") == [
            CouponIssued(
                code="SPRING-10",
                promotion_id="welcome",
                uses_max=5,
                starts_at=datetime(2026, 3, 1, tzinfo=UTC),
                ends_at=datetime(2199, 4, 1, tzinfo=UTC),
            )
        ]
        other = await shop.post("/coupons", COUPON | limits | {"uses_max": 6})
        assert (other.status_code, other.json()["code"]) == (409, "SPRING-10")

    in_a_shop(tmp_path, scenario)


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"promotion_id": "gone"}, 404, "unknown-rule"),
    ({"promotion_id": "ten"}, 409, "promotion-automatic"),
    ({"ends_at": "2020-01-01T00:00:00Z"}, 422, "rule-unfit"),
]
REFUSED_COUPONS: list[tuple[dict[str, Any], int, str]] = [
    *REFUSED,
    ({"starts_at": LATE, "ends_at": LATE}, 422, "rule-unfit"),
    ({"code": "AB"}, 422, "invalid-request"),
    ({"code": "A" * 41}, 422, "invalid-request"),
    ({"code": "SPRING_10"}, 422, "invalid-request"),
    ({"uses_max": 0}, 422, "invalid-request"),
]
REFUSED_BATCHES: list[tuple[dict[str, Any], int, str]] = [
    *REFUSED,
    ({"count": 0}, 422, "invalid-request"),
    ({"count": 1_000_001}, 422, "invalid-request"),
    ({"prefix": "A" * 29}, 422, "invalid-request"),
    ({"prefix": "A_"}, 422, "invalid-request"),
]


@pytest.mark.parametrize(
    ("path", "body", "cases"),
    [("/coupons", COUPON, REFUSED_COUPONS), ("/coupon-batches", BATCH, REFUSED_BATCHES)],
)
def test_what_is_unfit_is_refused_and_changes_nothing(
    tmp_path: Path, path: str, body: dict[str, Any], cases: list[tuple[dict[str, Any], int, str]]
) -> None:
    async def scenario(shop: Shop) -> None:
        head = shop.log.head()
        for unfit, status, kind in cases:
            refused = await shop.post(path, body | unfit, **key())
            assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{kind}"), unfit
            if status == 422:
                assert [fault["field"] for fault in refused.json()["errors"]] == [f"body.{[*unfit][-1]}"]
        assert shop.log.head() == head

    in_a_shop(tmp_path, scenario)


def test_a_promotion_that_ended_takes_no_more_coupons(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await shop.post("/promotions/welcome/end")
        assert (await shop.post("/coupons", COUPON)).json()["type"] == "/problems/unknown-rule"

    in_a_shop(tmp_path, scenario)


def test_a_code_that_was_never_issued_is_not_revoked(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        refused = await shop.post("/coupons/NOBODYS/revoke")
        assert (refused.status_code, refused.json()["type"]) == (404, "/problems/unknown-coupon")

    in_a_shop(tmp_path, scenario)


def test_a_batch_is_requested_under_a_key_once(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        refused = await shop.post("/coupon-batches", BATCH)
        assert (refused.status_code, refused.json()["type"]) == (400, "/problems/idempotency-key-required")
        header = key()
        first = await shop.post("/coupon-batches", BATCH, **header)
        again = await shop.post("/coupon-batches", BATCH, **header)
        assert (first.status_code, again.json()) == (201, first.json())
        assert shop.events("promotions.batch_requested") == [
            BatchRequested(batch_id=first.json()["id"], promotion_id="welcome", count=3, prefix="X-")
        ]

    in_a_shop(tmp_path, scenario)


def test_only_the_operator_issues_and_revokes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path, operator_token="t" * 32) as shop:
            for path, body in (("/coupons", COUPON), ("/coupons/A-1/revoke", {}), ("/coupon-batches", BATCH)):
                refused = await shop.post(path, body, **key())
                assert refused.json()["type"] == "/problems/operator-token-required"
            assert shop.log.head() == 0

    asyncio.run(scenario())
