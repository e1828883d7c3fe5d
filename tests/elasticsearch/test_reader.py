"""What only a reader of several requests can get wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from projections.documents.elasticsearch_connection import Connection, Version
from projections.documents.search import ProductQuery
from tests.shop.elasticsearch_shop import ElasticsearchShop
from tests.shop.facts import listed
from tests.shop.views import skus


@pytest.fixture
def shop(elasticsearch_url: str) -> Iterator[ElasticsearchShop]:
    shop = ElasticsearchShop(elasticsearch_url)
    yield shop
    shop.close()


def test_a_commit_between_two_requests_of_a_search_is_seen_by_both(
    shop: ElasticsearchShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the words find was counted before the commit that brings them."""
    shop.happens(listed("MUG", title="Steel mug"))
    search, kettle = Connection.search, [listed("KETTLE", title="Copper kettle")]

    async def with_a_commit_after_the_first(
        connection: Connection, version: Version, *bodies: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        found = await search(connection, version, *bodies)
        if kettle:
            shop.happens(kettle.pop())
        return found

    monkeypatch.setattr(Connection, "search", with_a_commit_after_the_first)
    for _ in range(2):
        page = shop.reader.search(ProductQuery(words="copper kettle", sort="relevance"), limit=10)
        assert not kettle
        assert skus(page.items) == ["KETTLE"]
        assert page.did_you_mean is None
        assert page.relaxed == []
