"""Stores that hold what nobody of ours wrote are away, as far as an asker is concerned, and come back."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from redis import Redis

from tests.shop.facts import placed
from tests.shop.views import ViewShop

PATHS = [
    *("/api/v1/products/MUG", "/api/v1/inventory/MUG", "/api/v1/bestsellers"),
    *("/api/v1/customers/anna/orders", "/api/v1/dashboards/sales", "/api/v1/carts/x", "/api/v1/orders/x"),
    *("/api/v1/products/MUG/also-bought", "/api/v1/visits/v/recent", "/api/v1/dashboards/conversion"),
    *("/api/v1/inventory?low=true", "/api/v1/bestsellers?window=day"),
    *("/api/v1/dashboards/hours", "/api/v1/customers/anna/value"),
]


def lists_of_strangers(redis: Redis) -> None:
    for key in redis.scan_iter():
        redis.delete(key)
        redis.rpush(key, "a", "b")


def noise(redis: Redis) -> None:
    for key in redis.scan_iter():
        redis.set(key, b"\xff\x00{")


def braces(redis: Redis) -> None:
    for key in redis.scan_iter("{*.v*}:*"):
        if redis.type(key) == b"string" and not key.endswith((b"checkpoint", b"checkpoint event")):
            redis.set(key, b'{"total":"?"}')


@pytest.mark.parametrize("damage", [lists_of_strangers, noise, braces])
def test_damage_is_a_503_at_worst_and_over_when_the_views_are_built(
    shop: ViewShop, api: httpx.Client, fresh_redis: str, damage: Callable[[Redis], None]
) -> None:
    redis = Redis.from_url(fresh_redis)
    shop.lists("MUG")
    shop.happens(placed("o", "MUG", customer_id="anna"))
    before = [api.get(path).status_code for path in PATHS]
    damage(redis)
    for path in PATHS:
        answer = api.get(path)
        assert answer.status_code in {200, 404, 503}, (path, answer.text)
        if damage is not braces:  # What looks like a document cannot be told from one.
            assert answer.status_code == 503, (path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    redis.flushall()
    assert {api.get(path).status_code for path in PATHS} == {503}
    shop.notices_losses()
    assert [api.get(path).status_code for path in PATHS] == before
    redis.close()
