"""Suggestions while typing: the catalogue's own words, categories, products."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.documents.search import Suggestion
from tests.shop.facts import listed, placed
from tests.shop.views import SearchShop


def suggested(shop: SearchShop, typed: str, kind: str, limit: int = 10) -> list[str]:
    """The texts of one kind."""
    return [item.text for item in shop.reader.suggest(typed, limit=limit).items if item.kind == kind]


@pytest.fixture
def lanterns(shop: SearchShop) -> SearchShop:
    shop.happens(
        listed("A", "Paper lantern", category="Garden > Lanterns"),
        listed("B", "Lantern holder", category="Garden > Lanterns"),
        listed("C", "Steel lantern holder", category="Garden > Lanterns"),
        listed("D", "Mug", category="Kitchen", description="Looks well beside a lantern"),
        listed("HX-204", "Kettle", category="Kitchen"),
    )
    return shop


def test_a_begun_word_suggests_words_categories_and_products(lanterns: SearchShop) -> None:
    assert suggested(lanterns, "lan", "query") == ["lantern", "lantern holder"]
    assert suggested(lanterns, "lan", "category") == ["Garden > Lanterns"]
    assert sorted(suggested(lanterns, "lan", "product")) == [
        "Lantern holder",
        "Paper lantern",
        "Steel lantern holder",
    ]


def test_words_before_the_last_stay_as_typed(lanterns: SearchShop) -> None:
    assert suggested(lanterns, "Steel lan", "query") == ["steel lantern"]
    assert suggested(lanterns, "steel lan", "product") == ["Steel lantern holder"]


@pytest.mark.parametrize("typed", ["lantren", "lanetr", "lnatern hold"])
def test_one_slip_is_forgiven_also_in_what_is_only_begun(lanterns: SearchShop, typed: str) -> None:
    assert "Lantern holder" in suggested(lanterns, typed, "product")
    assert all(text.endswith(("lantern", "holder")) for text in suggested(lanterns, typed, "query"))


def test_a_sku_suggests_its_product(lanterns: SearchShop) -> None:
    (item,) = lanterns.reader.suggest("hx2", limit=10).items
    assert item == Suggestion("Kettle", "product", "HX-204")


def test_products_come_by_popularity_then_exactness(lanterns: SearchShop) -> None:
    lanterns.happens(listed("E", "Lantern"))
    assert suggested(lanterns, "lantern", "product")[0] == "Lantern"
    lanterns.happens(placed("1", "C", 9), placed("2", "B", 2))
    assert suggested(lanterns, "lantern", "product")[:3] == [
        "Steel lantern holder",
        "Lantern holder",
        "Lantern",
    ]
    lanterns.happens(placed("3", "D", 5_000))
    assert suggested(lanterns, "lantern", "product")[0] == "Steel lantern holder"


def test_what_is_not_on_sale_is_not_suggested(shop: SearchShop) -> None:
    shop.happens(placed("1", "GONE", 9), listed("A", "Mug"))
    assert shop.reader.suggest("gone", limit=10).items == []


def test_no_more_than_the_limit_are_suggested(lanterns: SearchShop) -> None:
    for limit in (1, 2, 3, 10):
        assert len(lanterns.reader.suggest("lan", limit=limit).items) <= limit
    assert suggested(lanterns, "lan", "product", limit=1) != []


def test_japanese_and_arabic_are_suggested(shop: SearchShop) -> None:
    shop.happens(listed("A", "有田焼茶碗セット", category="食器"), listed("B", "فنجان قهوة", category="مطبخ"))
    assert suggested(shop, "茶碗", "product") == ["有田焼茶碗セット"]
    assert suggested(shop, "食器", "category") == ["食器"]
    assert suggested(shop, "فنج", "product") == ["فنجان قهوة"]
    assert suggested(shop, "فنج", "query") == ["فنجان"]


@pytest.mark.parametrize(
    "typed", ["", " ", "\x00\x07", "%", "a", "茶", "ق", "a" * 10_000, "mug " * 2_500, "茶碗" * 5_000]
)
def test_whatever_is_typed_is_answered_in_100_ms(lanterns: SearchShop, typed: str) -> None:
    lanterns.reader.suggest("warm", limit=10)
    started = time.thread_time()
    lanterns.reader.suggest(typed, limit=10)
    assert time.thread_time() - started < 0.1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text(max_size=60))
def test_any_text_has_suggestions_or_none(lanterns: SearchShop, typed: str) -> None:
    lanterns.reader.suggest(typed, limit=10)
