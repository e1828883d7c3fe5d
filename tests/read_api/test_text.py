"""What is typed is looked for as it is spelt, and is refused where it is no text."""

from __future__ import annotations

import time
from urllib.parse import quote

import httpx
import pytest

from tests.read_api.test_hostile import CPU_SECONDS_MAX
from tests.search.hostile import HOSTILE
from tests.shop.facts import listed
from tests.shop.views import ViewShop


@pytest.fixture
def cafe(shop: ViewShop) -> None:
    shop.happens(listed("CUP", category="Küche > Café"), listed("MUG"))


def found(api: httpx.Client, path: str) -> list[str]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return [item["sku"] for item in answer.json()["items"]]


@pytest.mark.usefixtures("cafe")
def test_words_and_categories_are_found_in_any_spelling(api: httpx.Client) -> None:
    for words in ("café", "cafe\u0301", "\u00a0café\u2007cup\u2028", "CAFE"):
        assert found(api, f"/api/v1/search?q={quote(words)}") == ["CUP"]
    for category in ("Küche > Café", "Ku\u0308che\u00a0>\u00a0Cafe\u0301", "\u3000Küche"):
        assert found(api, f"/api/v1/products?category={quote(category)}") == ["CUP"]
        assert found(api, f"/api/v1/search?category={quote(category)}") == ["CUP"]


@pytest.mark.usefixtures("cafe")
def test_words_that_say_nothing_are_no_words(api: httpx.Client) -> None:
    for blank in ("", "%20", "%C2%A0", "%E2%80%8B", "%E3%85%A4", "%CC%81"):
        assert found(api, f"/api/v1/search?q={blank}") == ["CUP", "MUG"]


@pytest.mark.usefixtures("cafe")
@pytest.mark.parametrize(
    "unfit", ["%20", "%C2%A0", "%E2%80%8B", "%EF%BB%BF", "%00", "a%00b", "a%09b", "%C2%85"]
)
@pytest.mark.parametrize("path", ["/api/v1/products?category=", "/api/v1/search?category="])
def test_a_category_that_says_nothing_or_controls_is_refused(
    api: httpx.Client, path: str, unfit: str
) -> None:
    problem = api.get(path + unfit).json()
    assert (problem["type"], problem["field"]) == ("/problems/invalid-request", "category")


@pytest.mark.usefixtures("cafe")
def test_what_is_no_text_is_refused(api: httpx.Client) -> None:
    blank = ("%20", "%C2%A0", "%E2%80%8B", "%EF%BB%BF", "%3E")
    controls = ("%00", "a%00b", "a%09b", "%7F", "%C2%85")
    for path, parameter, unfit in (
        ("/api/v1/products", "category", blank + controls),
        ("/api/v1/search", "category", blank + controls),
        ("/api/v1/search", "q", controls),
    ):
        for value in unfit:
            answer = api.get(f"{path}?{parameter}={value}")
            assert (answer.status_code, answer.json()["field"]) == (422, parameter), value
            assert answer.json()["type"] == "/problems/invalid-request"


@pytest.mark.usefixtures("cafe")
@pytest.mark.parametrize("path", ["/api/v1/search?q=", "/api/v1/suggest?q="])
def test_hostile_text_is_found_or_refused_at_once(api: httpx.Client, path: str) -> None:
    """Nothing typed is an operator, and none of it is dear: the least of three tries is what it costs."""
    for text in HOSTILE:
        seconds = []
        for _ in range(3):
            begun = time.process_time()
            response = api.get(path + quote(text))
            seconds.append(time.process_time() - begun)
        assert response.status_code in (200, 400, 414, 422, 431), (text[:40], response.status_code)
        assert min(seconds) < CPU_SECONDS_MAX, (text[:40], seconds)
