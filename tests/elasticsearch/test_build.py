"""The writing half on a real server: nothing lost, nothing doubled, whatever is taken away or comes late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from elasticsearch import Elasticsearch

from aggregates.catalog.events import ProductDelisted
from event_store.memory.log import MemoryLog
from projections.elasticsearch.build import ElasticsearchBuild
from projections.engine.follower import TargetMoved
from tests.shop.facts import listed, received
from tests.shop.views import ViewShop


class Shop(ViewShop):
    """The index being written, and what any reader of the alias finds in it."""

    def __init__(self, client: Elasticsearch) -> None:
        self.client = client
        self.numbers = MemoryLog()
        self.build = ElasticsearchBuild(client, self.numbers)
        super().__init__(self.build)

    def another(self) -> ElasticsearchBuild:
        """A twin of the writer, not opened."""
        return ElasticsearchBuild(self.client, self.numbers)

    def found(self, **query: Any) -> dict[str, Any]:
        """Title and units by SKU, of what is on sale, and the position that readers are told."""
        answer = self.client.search(
            index="daybook-search",
            query={"bool": {"filter": [{"term": {"kind": "product"}}]}},
            aggs={"all": {"global": {}, "aggs": {"position": {"max": {"field": "position"}}}}},
            **query,
        )
        pages = [hit["_source"]["sku"] for hit in answer["hits"]["hits"]]
        return {"skus": sorted(pages), "position": answer["aggregations"]["all"]["position"]["value"]}

    def equals_a_fresh_build(self) -> bool:
        """Whether every document is, byte for byte, what a build from nothing makes of the same events."""
        beside = self.build.beside()
        beside.apply(self._log, up_to=self.position, tailing=True)
        beside.settle(may_hold_back=False)
        try:
            return self.build.compare(beside).differing_keys == []
        finally:
            beside.drop()


@pytest.fixture
def shop(client: Elasticsearch) -> Iterator[Shop]:
    shop = Shop(client)
    yield shop
    shop.close()


def test_what_is_folded_is_found_at_its_position(shop: Shop) -> None:
    shop.lists("kettle", "mug")
    assert shop.found() == {"skus": ["kettle", "mug"], "position": 4}
    shop.happens(ProductDelisted(sku="mug", reason="sold out"))
    assert shop.found() == {"skus": ["kettle"], "position": 5}
    assert shop.equals_a_fresh_build()


def test_the_checkpoint_is_durable_and_a_restart_goes_on_from_it(shop: Shop) -> None:
    shop.lists("kettle")
    twin = shop.another()
    assert twin.open() == 2
    assert twin.checkpoint == shop.build.checkpoint
    twin.apply(shop._log, up_to=2, tailing=True)
    twin.settle(may_hold_back=False)
    assert shop.found() == {"skus": ["kettle"], "position": 2}


def test_a_writer_that_wakes_late_changes_nothing(shop: Shop) -> None:
    shop.lists("kettle")
    late = shop.build
    shop.builds["search"] = shop.build = shop.another()
    shop.build.open()
    shop.happens(received("kettle", 7), listed("mug"))
    late.apply(shop._log[2:3], up_to=3, tailing=True)
    with pytest.raises(TargetMoved):
        late.settle(may_hold_back=False)
    with pytest.raises(TargetMoved):
        late.check()
    assert shop.found()["position"] == 4
    assert shop.equals_a_fresh_build()


@pytest.mark.parametrize("lost", ["daybook-search-v*", "daybook-views", "*"])
def test_what_is_taken_away_is_built_anew(shop: Shop, lost: str) -> None:
    shop.lists("kettle", "mug")
    for index in shop.client.indices.get(index=lost, features="aliases"):
        shop.client.indices.delete(index=index)
    shop.notices_losses()
    assert shop.found() == {"skus": ["kettle", "mug"], "position": 4}
    assert shop.equals_a_fresh_build()
    assert len(shop.client.indices.get(index="daybook-search-v*")) == 1


def test_a_deleted_index_is_not_made_anew_by_a_late_write(shop: Shop) -> None:
    shop.lists("kettle")
    shop.client.cluster.put_settings(persistent={"action.auto_create_index": "true"})
    try:
        (index,) = shop.client.indices.get(index="daybook-search-v*")
        shop.client.indices.delete(index=index)
        shop.build.apply([*shop._log, *shop._log[1:2]], up_to=3, tailing=True)
        with pytest.raises(TargetMoved):
            shop.build.settle(may_hold_back=False)
        assert not shop.client.indices.exists(index=index)
    finally:
        shop.client.cluster.put_settings(persistent={"action.auto_create_index": None})


def test_a_rebuild_beside_shows_nothing_of_itself_before_it_is_published(shop: Shop) -> None:
    shop.lists("kettle")
    beside = shop.build.beside()
    assert shop.found() == {"skus": ["kettle"], "position": 2}
    beside.apply(shop._log, up_to=2, tailing=True)
    beside.settle(may_hold_back=False)
    assert shop.build.compare(beside) == (1, [])
    before = shop.build.version
    beside.publish()
    assert shop.found() == {"skus": ["kettle"], "position": 2}
    assert beside.version > before
    assert list(shop.client.indices.get(index="daybook-search-v*")) == [f"daybook-search-v{beside.version}"]
    with pytest.raises(TargetMoved):
        shop.build.check()


def test_no_two_documents_share_a_place(shop: Shop) -> None:
    shop.lists("checkpoint", "sku checkpoint")
    assert shop.found() == {"skus": ["checkpoint", "sku checkpoint"], "position": 4}
    assert msgspec.json.encode(shop.found())
