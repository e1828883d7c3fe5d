"""Paths and queries are text, on both ports: nothing in them controls, and all of it is UTF-8."""

from __future__ import annotations

import json

import pytest

from tests.edge.wire import get

UNFIT = ["%00", "a%00b", "%0A", "a%7f", "%1b", "%C2%85", "%FF", "%C0%80", "%ED%A0%80", "%ED%B0%80"]
PATHS = ["/{}", "/api/v1/products/{}", "/api/v1/carts/{}/items", "/api/v1/search?q={}", "/health/live?{}=1"]


@pytest.mark.parametrize("path", PATHS)
def test_an_address_that_is_no_text_is_refused(port: int, path: str) -> None:
    for unfit in UNFIT:
        answer = get(port, path.format(unfit))
        assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json"), unfit
        assert json.loads(answer.body)["type"] == "/problems/invalid-request"


def test_an_address_that_is_text_is_not(port: int) -> None:
    for fit in ("%C3%A9", "a%20b", "%E6%97%A5", "%25%30%30", "+"):
        assert get(port, f"/{fit}").status == 404
