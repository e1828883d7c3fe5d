"""What caches and browsers may do with an answer: tags, codings, and how long."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.edge.decoders import DECODERS
from tests.shop.facts import listed, opened, placed, received
from tests.shop.views import ViewShop

PAGE = "/api/v1/products/MUG"


def raw(api: httpx.Client, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The response, and its body as it came."""
    with api.stream("GET", path, headers={"Accept-Encoding": "identity"} | headers) as response:
        return response, b"".join(response.iter_raw())


@pytest.fixture
def long(shop: ViewShop) -> ViewShop:
    shop.happens(listed("MUG", description="A mug for tea. " * 100), received("MUG", 3))
    return shop


@pytest.mark.parametrize("coding", DECODERS)
def test_a_long_answer_comes_in_the_coding_that_is_asked_for(
    long: ViewShop, api: httpx.Client, coding: str
) -> None:
    plain, body = raw(api, PAGE)
    coded, compressed = raw(api, PAGE, **{"Accept-Encoding": coding})
    assert "content-encoding" not in plain.headers
    assert coded.headers["content-encoding"] == coding
    assert int(coded.headers["content-length"]) == len(compressed) < len(body)
    assert DECODERS[coding](compressed) == body
    assert coded.headers["etag"] != plain.headers["etag"]
    for answered in (plain, coded):
        assert "Accept-Encoding" in answered.headers["vary"]


def test_a_tag_names_the_bytes_of_one_coding(long: ViewShop, api: httpx.Client) -> None:
    tag = raw(api, PAGE, **{"Accept-Encoding": "br"})[0].headers["etag"]
    unchanged, body = raw(api, PAGE, **{"Accept-Encoding": "br", "If-None-Match": tag})
    assert (unchanged.status_code, body, unchanged.headers["etag"]) == (304, b"", tag)
    assert "content-encoding" not in unchanged.headers
    assert raw(api, PAGE, **{"Accept-Encoding": "gzip", "If-None-Match": tag})[0].status_code == 200
    long.happens(received("MUG", 1))
    assert raw(api, PAGE, **{"Accept-Encoding": "br", "If-None-Match": tag})[0].status_code == 200


def test_a_short_answer_comes_as_it_is(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    answered, body = raw(api, "/api/v1/inventory/MUG", **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answered.headers
    assert json.loads(body)["sku"] == "MUG"


def test_what_everybody_sees_may_be_shown_while_it_is_asked_for_anew(
    long: ViewShop, api: httpx.Client
) -> None:
    for path in (PAGE, "/api/v1/products", "/api/v1/search?q=mug"):
        answered = api.get(path)
        assert "stale-while-revalidate" in answered.headers["cache-control"]
        assert "public" in answered.headers["cache-control"]
        # Not to a client that waits for what it wrote.
        assert "Daybook-Min-Position" in answered.headers["vary"]


def test_what_one_client_sees_is_kept_by_it_alone(long: ViewShop, api: httpx.Client) -> None:
    long.happens(opened("c1"), placed("o1", "MUG"))
    for path in ("/api/v1/carts/c1", "/api/v1/orders/o1", "/api/v1/inventory/MUG"):
        assert api.get(path).headers["cache-control"] == "private, no-cache"


def test_a_page_says_when_it_changed(long: ViewShop, api: httpx.Client) -> None:
    page = api.get(PAGE)
    said = parsedate_to_datetime(page.headers["last-modified"])
    assert said.isoformat() == page.json()["changed_at"][:19] + "+00:00"
    # A second may have two changes: only the tag tells.
    later = api.get(PAGE, headers={"If-Modified-Since": page.headers["last-modified"]})
    assert later.status_code == 200


def test_an_attribute_of_the_same_name_is_no_moment(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(listed("MUG", changed_at="never"), received("MUG", 1))
    assert parsedate_to_datetime(api.get(PAGE).headers["last-modified"]).year >= 2020


def test_several_products_are_had_at_once(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG", "CUP", "TEA")
    shop.happens(received("NEVER-LISTED", 1))
    found = api.get("/api/v1/products?sku=TEA,NONE,MUG,NEVER-LISTED,TEA").json()
    assert [one["sku"] for one in found["items"]] == ["TEA", "MUG"]
    assert found["items"][1] == api.get(PAGE).json()
    assert found["next"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sku=", "sku"),
        ("sku=MUG,", "sku"),
        ("sku=MUG&category=Kitchen", "category"),
        ("sku=MUG&limit=3", "limit"),
        ("sku=" + ",".join(f"S{number}" for number in range(101)), "sku"),
        ("sku=MUG%00", "sku"),
    ],
)
def test_what_cannot_be_had_at_once_is_refused(
    shop: ViewShop, api: httpx.Client, query: str, field: str
) -> None:
    shop.lists("MUG")
    refused = api.get(f"/api/v1/products?{query}")
    assert 400 <= refused.status_code < 500
    assert refused.json().get("field", field) == field


def test_products_had_at_once_are_as_fresh_as_asked(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")
    behind = shop.happens(received("MUG", 1), but_not_in=("product",))
    headers = {"Daybook-Min-Position": str(behind), "Prefer": "handling=strict"}
    assert api.get("/api/v1/products?sku=MUG", headers=headers).status_code == 412
    shop.happens()
    fresh = api.get("/api/v1/products?sku=MUG", headers=headers)
    assert (fresh.status_code, fresh.json()["items"][0]["available"]) == (200, 6)


def test_no_cache_keeps_a_problem(long: ViewShop, api: httpx.Client) -> None:
    """Else one may show that there is no such product, minutes after it was listed."""
    for path, status in (
        ("/api/v1/products/SOON", 404),
        ("/api/v1/products/SOON?market=main", 404),
        ("/api/v1/nowhere", 404),
        ("/api/v1/products?cursor=x", 400),
        ("/api/v1/products?limit=0", 422),
    ):
        answered = api.get(path)
        assert (answered.status_code, answered.headers["cache-control"]) == (status, "no-store"), path
    assert api.post(PAGE).headers["cache-control"] == "no-store"
