"""What is Elasticsearch's own: indexes that are taken away, and documents that are not what was written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from projections.documents.search import ProductQuery
from projections.engine.follower import TargetDamaged, TargetMoved
from tests.shop.elasticsearch_shop import ElasticsearchShop
from tests.shop.facts import listed, received
from tests.shop.views import skus
from tests.stores.store import delete_gone


@pytest.fixture
def shop(elasticsearch_url: str) -> Iterator[ElasticsearchShop]:
    shop = ElasticsearchShop(elasticsearch_url)
    yield shop
    shop.close()


def found(shop: ElasticsearchShop) -> tuple[list[str], int]:
    """What readers find, and the position that they are told."""
    page = shop.reader.search(ProductQuery(), limit=100)
    assert page.position == shop.reader.position()
    return skus(page.items), page.position


def equals_a_fresh_build(shop: ElasticsearchShop) -> bool:
    """Whether every document is, byte for byte, what a build from nothing makes of the same events."""
    beside = shop.build.beside(keeps=True)
    beside.apply(shop._log, up_to=shop.position, tailing=True)
    beside.settle(may_hold_back=False)
    try:
        return shop.build.compare(beside).differing_keys == []
    finally:
        beside.drop()


@pytest.mark.parametrize("lost", ["search-v*", "views", "*"])
def test_what_is_taken_away_is_built_anew(shop: ElasticsearchShop, lost: str) -> None:
    shop.lists("kettle", "mug")
    for index in shop.client.indices.get(index=f"{shop.names.prefix}-{lost}", features="aliases"):
        shop.client.indices.delete(index=index)
    shop.notices_losses()
    assert found(shop) == (["kettle", "mug"], 4)
    assert equals_a_fresh_build(shop)
    delete_gone(shop.build)
    assert shop.versions() == [shop.build.version]


def test_a_deleted_index_is_not_made_anew_by_a_late_write(shop: ElasticsearchShop) -> None:
    shop.lists("kettle")
    shop.client.cluster.put_settings(persistent={"action.auto_create_index": "true"})
    try:
        (index,) = shop.client.indices.get(index=f"{shop.names.alias}-v*")
        shop.client.indices.delete(index=index)
        shop.build.apply([*shop._log, *shop._log[1:2]], up_to=3, tailing=True)
        with pytest.raises(TargetMoved):
            shop.build.settle(may_hold_back=False)
        assert not shop.client.indices.exists(index=index)
    finally:
        shop.client.cluster.put_settings(persistent={"action.auto_create_index": None})


def test_a_bulk_refused_in_part_is_written_again_and_what_cannot_be_read_is_damage(
    shop: ElasticsearchShop,
) -> None:
    shop.lists("kettle", "mug")
    index = shop.names.version(shop.build.version)
    shop.happens(listed("pan"), listed("pot"), settled=False)
    newer = {"kind": "hidden", "sku": "pan", "state": ""}
    shop.client.index(index=index, id="sku pan", document=newer, version=6, version_type="external")
    with pytest.raises(TargetMoved):
        shop.build.settle(may_hold_back=False)
    assert found(shop) == (["kettle", "mug"], 4)
    shop.build.open()
    with pytest.raises(TargetDamaged):
        shop.happens(received("pan", 1))
    shop.build.discard()
    shop.happens()
    assert found(shop) == (["kettle", "mug", "pan", "pot"], 7)
    assert equals_a_fresh_build(shop)


def test_an_index_that_is_not_as_it_was_left_is_noticed(shop: ElasticsearchShop) -> None:
    shop.lists("kettle")
    index = shop.names.version(shop.build.version)
    document = {"kind": "checkpoint", "position": 9, "event": "another"}
    shop.client.index(index=index, id="checkpoint", document=document, version=9, version_type="external")
    with pytest.raises(TargetMoved):
        shop.build.check()
