"""The writing half on a real server: nothing lost, nothing doubled, whatever is taken away or comes late."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import psutil
import pytest

from aggregates.catalog.events import ProductDelisted
from deploy.local.servers.elasticsearch import ElasticsearchServer
from projections.documents.errors import ReadStoreUnavailable
from projections.documents.search import ProductQuery
from projections.engine.follower import Decoded, TargetDamaged, TargetMoved, TargetUnavailable
from tests.shop.elasticsearch_shop import ElasticsearchShop
from tests.shop.facts import listed, received, recorded
from tests.shop.views import skus


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
    beside = shop.build.beside()
    beside.apply(shop._log, up_to=shop.position, tailing=True)
    beside.settle(may_hold_back=False)
    try:
        return shop.build.compare(beside).differing_keys == []
    finally:
        beside.drop()


def test_what_is_folded_is_found_at_its_position(shop: ElasticsearchShop) -> None:
    shop.lists("kettle", "mug")
    assert found(shop) == (["kettle", "mug"], 4)
    shop.happens(ProductDelisted(sku="mug", reason="sold out"))
    assert found(shop) == (["kettle"], 5)
    assert equals_a_fresh_build(shop)


def test_the_checkpoint_is_durable_and_a_restart_goes_on_from_it(shop: ElasticsearchShop) -> None:
    shop.lists("kettle")
    twin = shop.another()
    assert twin.open() == 2
    assert twin.checkpoint == shop.build.checkpoint
    twin.apply(shop._log, up_to=2, tailing=True)
    twin.settle(may_hold_back=False)
    assert found(shop) == (["kettle"], 2)


def test_a_writer_that_wakes_late_changes_nothing(shop: ElasticsearchShop) -> None:
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
    assert found(shop)[1] == 4
    assert equals_a_fresh_build(shop)


@pytest.mark.parametrize("lost", ["search-v*", "views", "*"])
def test_what_is_taken_away_is_built_anew(shop: ElasticsearchShop, lost: str) -> None:
    shop.lists("kettle", "mug")
    for index in shop.client.indices.get(index=f"{shop.names.prefix}-{lost}", features="aliases"):
        shop.client.indices.delete(index=index)
    shop.notices_losses()
    assert found(shop) == (["kettle", "mug"], 4)
    assert equals_a_fresh_build(shop)
    assert len(shop.client.indices.get(index=f"{shop.names.alias}-v*")) == 1


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


def test_a_rebuild_beside_shows_nothing_of_itself_before_it_is_published(shop: ElasticsearchShop) -> None:
    shop.lists("kettle")
    beside = shop.build.beside()
    assert found(shop) == (["kettle"], 2)
    beside.apply(shop._log, up_to=2, tailing=True)
    beside.settle(may_hold_back=False)
    assert shop.build.compare(beside) == (1, [])
    before = shop.build.version
    beside.publish()
    assert found(shop) == (["kettle"], 2)
    assert beside.version > before
    assert shop.indexes() == [shop.names.version(beside.version), shop.names.views]
    with pytest.raises(TargetMoved):
        shop.build.check()


def test_no_two_documents_share_a_place(shop: ElasticsearchShop) -> None:
    shop.lists("checkpoint", "sku checkpoint")
    assert found(shop) == (["checkpoint", "sku checkpoint"], 4)


def test_documents_without_their_checkpoint_are_not_seen_and_count_once(shop: ElasticsearchShop) -> None:
    shop.lists("kettle")
    event = Decoded(recorded(3, received("kettle", 7)), received("kettle", 7))
    killed = shop.another()
    killed.open()
    killed.apply([event], up_to=3, tailing=True)
    killed._write(killed._changed.values())  # What a kill between documents and checkpoint leaves.
    assert found(shop) == (["kettle"], 2)
    assert units(shop) == 5
    shop.notices_losses()  # The next writer's.
    assert (found(shop), shop.build.position) == ((["kettle"], 2), 2)
    shop.happens(received("kettle", 7))
    assert (found(shop)[1], units(shop)) == (3, 12)
    assert equals_a_fresh_build(shop)


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


@pytest.mark.slow
def test_a_server_killed_and_started_again_has_all_that_was_committed(
    own_elasticsearch: ElasticsearchServer,
) -> None:
    server = own_elasticsearch
    server.start()
    shop = ElasticsearchShop(server.url)
    shop.lists("kettle")
    started = psutil.Process(server.process.pid)
    for process in (*started.children(recursive=True), started):
        process.kill()
    server.process.wait()
    with pytest.raises(TargetUnavailable):
        shop.happens(received("kettle", 7))
    with pytest.raises(ReadStoreUnavailable):
        shop.reader.position()
    server.start()
    shop.happens()
    assert (found(shop), units(shop)) == ((["kettle"], 3), 12)
    assert equals_a_fresh_build(shop)
    shop.close()


def units(shop: ElasticsearchShop) -> int:
    """Of the first product."""
    (item, *_) = shop.reader.search(ProductQuery(), limit=1).items
    return int(msgspec.json.decode(item)["available"])
