"""A shop per test, on each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from projections.documents.words.lexicon import Lexicon
from tests.shop.elasticsearch_shop import ElasticsearchShop
from tests.shop.views import SearchShop, TantivyShop

NewShop = Callable[[Lexicon | None], SearchShop]


@pytest.fixture(params=["tantivy", "elasticsearch"])
def new_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewShop]:
    """Makes shops with a lexicon of their own, closed after the test."""
    opened: list[SearchShop] = []

    def shop(lexicon: Lexicon | None) -> SearchShop:
        if request.param == "tantivy":
            opened.append(TantivyShop(tmp_path / f"index-{len(opened)}", lexicon))
        else:
            opened.append(ElasticsearchShop(request.getfixturevalue("elasticsearch_url"), lexicon))
        return opened[-1]

    yield shop
    for one in opened:
        one.close()


@pytest.fixture
def shop(new_shop: NewShop) -> SearchShop:
    """One with the default lexicon, on each engine."""
    return new_shop(None)
