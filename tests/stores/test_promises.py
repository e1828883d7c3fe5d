"""What every store of a view promises: nothing is lost, nothing counts twice, no reader sees half of it."""

from __future__ import annotations

from typing import Any

import pytest

from aggregates.inventory.events import StockAdjusted
from event_store.memory.log import MemoryLog
from projections.documents.errors import ViewNotReady
from projections.engine.build import NotKept
from projections.engine.follower import Decoded, TargetMoved
from tests.shop.facts import listed, priced, received, recorded
from tests.stores.memory_store import MemoryStore
from tests.stores.store import StoreShop, able_to, delete_gone

LIFE: list[Any] = [
    listed("kettle", "Copper kettle", price="12.99", color="red"),
    received("kettle", 5),
    listed("mug", "Blue mug"),
    received("mug", 3),
    priced("kettle", "9.99"),
]


def test_nothing_is_read_before_the_first_publication(shop: StoreShop) -> None:
    with pytest.raises(ViewNotReady):
        shop.store.read("kettle")
    shop.build.apply([Decoded(recorded(1, LIFE[0]), LIFE[0])], up_to=1, tailing=True)
    shop.build.settle(may_hold_back=False)
    with pytest.raises(ViewNotReady):
        shop.store.read("kettle")


def test_what_happened_is_read_at_its_position(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    assert shop.store.read("kettle", "mug").position == 5
    shop.happens(received("mug", 4))
    seen = shop.store.read("kettle", "mug", "nothing")
    assert (seen.position, sorted(seen.pages)) == (6, ["kettle", "mug"])
    assert (seen.available("kettle"), seen.available("mug")) == (5, 7)
    assert shop.differing() == []


def test_every_store_serves_the_same_bytes(shop: StoreShop) -> None:
    plainest = StoreShop(MemoryStore())
    for one in (shop, plainest):
        one.happens(*LIFE)
    assert shop.store.read("kettle", "mug") == plainest.store.read("kettle", "mug")


def test_events_of_no_product_move_the_position(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.build.apply([], up_to=50, tailing=True)
    shop.build.settle(may_hold_back=False)
    assert shop.store.read().position == 50


def test_an_event_given_twice_counts_once(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.build.apply(shop.log[1:], up_to=5, tailing=True)
    shop.build.settle(may_hold_back=False)
    shop.happens(received("kettle", 1))
    assert shop.store.read("kettle").available("kettle") == 6


def test_a_worker_goes_on_where_the_one_before_stopped(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    checkpoint = shop.build.checkpoint
    shop.build.close()
    shop.taken_over()
    assert (shop.build.position, shop.build.checkpoint) == (5, checkpoint)
    assert shop.build.is_published
    shop.build.apply(shop.log, up_to=5, tailing=True)
    shop.happens(received("kettle", 1))
    assert shop.store.read("kettle").available("kettle") == 6


def test_what_was_not_made_durable_is_folded_again(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.happens(received("kettle", 7), settled=False)
    shop.build.close()
    shop.taken_over()
    assert shop.build.position == 5
    shop.happens()
    assert (shop.store.read("kettle").position, shop.store.read("kettle").available("kettle")) == (6, 12)


@pytest.mark.parametrize("store", able_to("be half written"), indirect=True)
def test_what_was_written_in_part_counts_once(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.build.close()
    later = [
        received("kettle", 7),
        received("mug", 2),
        listed("pan"),
        received("pan", 1),
        received("kettle", 1),
    ]
    shop.happens(*later, but_not_in=(shop.store.view,))
    shop.store.write_half(shop.log[5:])
    shop.taken_over()
    assert shop.build.position == 5
    shop.happens()
    seen = shop.store.read("kettle", "mug", "pan")
    assert [seen.available(sku) for sku in ("kettle", "mug", "pan")] == [13, 5, 1]
    assert shop.differing() == []


@pytest.mark.parametrize("store", able_to("have two writers"), indirect=True)
def test_a_writer_that_wakes_late_changes_nothing(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    late = shop.taken_over()
    shop.happens(received("kettle", 7), listed("pan"))
    late.apply(shop.log[5:6], up_to=6, tailing=True)
    with pytest.raises(TargetMoved):
        late.settle(may_hold_back=False)
    with pytest.raises(TargetMoved):
        late.check()
    for act in (late.drop_kept, late.restart, late.discard, late.beside):
        with pytest.raises(TargetMoved):
            act()
    late.close()
    assert (shop.store.read("kettle").position, shop.store.read("kettle").available("kettle")) == (7, 12)
    assert shop.differing() == []


@pytest.mark.parametrize("store", able_to("have two writers"), indirect=True)
def test_a_writer_that_slept_while_it_built_does_not_turn_readers(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    slept = shop.build.beside()
    slept.apply(shop.log, up_to=5, tailing=True)
    slept.settle(may_hold_back=False)
    shop.taken_over()
    shop.happens(received("kettle", 1))
    for act in (slept.publish, slept.drop):
        with pytest.raises(TargetMoved):
            act()
    slept.close()
    assert shop.store.read("kettle").position == 6
    assert shop.build.is_published


def test_an_emptied_store_is_noticed_and_filled_again(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    before = shop.build.version
    shop.store.empty()
    with pytest.raises(ViewNotReady):
        shop.store.read("kettle")
    with pytest.raises(TargetMoved):
        shop.build.check()
    assert (shop.build.open(), shop.build.is_published) == (0, False)
    shop.happens(received("mug", 1))
    assert (shop.store.read("mug").position, shop.store.read("mug").available("mug")) == (6, 4)
    assert shop.build.version > before, "readers may trust the pointer that they read last for a while"
    assert shop.differing() == []


def test_who_remembers_what_an_emptied_store_forgot_writes_nothing(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.store.empty()
    shop.happens(received("kettle", 7), settled=False)
    with pytest.raises(TargetMoved):
        shop.build.settle(may_hold_back=False)
    assert shop.store.versions() == []
    shop.build.open()
    shop.happens()
    assert shop.store.read("kettle").available("kettle") == 12


@pytest.mark.parametrize("while_open", [True, False], ids=["while it is open", "before it is opened"])
def test_a_version_that_lost_a_part_of_itself_is_withdrawn_and_begun_anew(
    shop: StoreShop, while_open: bool
) -> None:
    shop.happens(*LIFE)
    lost = shop.build.version
    if not while_open:
        shop.build.close()
    shop.store.lose_a_part(lost)
    if while_open:
        with pytest.raises(TargetMoved):
            shop.build.check()
        shop.build.open()
    else:
        shop.taken_over()
    assert (shop.build.position, shop.build.is_published) == (0, False)
    with pytest.raises(ViewNotReady):
        shop.store.read("kettle")
    shop.happens()
    delete_gone(shop.build)
    assert shop.store.versions() == [shop.build.version]
    assert shop.build.version > lost
    assert shop.differing() == []


def test_a_damaged_document_is_not_gone_on_with(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.build.close()
    shop.store.damage(shop.build.version, "kettle")
    shop.taken_over()
    try:
        shop.happens(received("kettle", 1), received("mug", 1))
    except TargetMoved:  # An index that is damaged anywhere is found so when it is opened.
        shop.build.discard()
        with pytest.raises(ViewNotReady):
            shop.store.read("kettle")
    shop.happens()
    assert shop.store.read("kettle").available("kettle") == 6
    assert shop.differing() == []


def test_what_is_brought_back_from_before_is_noticed_and_caught_up(shop: StoreShop) -> None:
    """Documents vanish, positions go back; nothing else does."""
    shop.happens(*LIFE)
    restore = shop.store.save()
    shop.happens(received("kettle", 7), listed("pan"), received("pan", 1))
    restore()
    assert shop.store.read("kettle", "pan").position == 5
    with pytest.raises(TargetMoved):
        shop.build.check()
    assert shop.build.open() == 5
    shop.happens(received("kettle", 1))
    seen = shop.store.read("kettle", "pan")
    assert (seen.position, seen.available("kettle"), seen.available("pan")) == (9, 13, 1)
    assert shop.differing() == []


def test_what_was_brought_back_is_not_written_from_what_a_worker_remembers(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    restore = shop.store.save()
    shop.happens(received("kettle", 7))
    restore()
    shop.happens(received("kettle", 1), settled=False)
    try:
        shop.build.settle(may_hold_back=False)
        shop.build.check()
    except TargetMoved:
        shop.build.open()
    shop.happens()
    assert shop.store.read("kettle").available("kettle") == 13
    assert shop.differing() == []


@pytest.mark.parametrize("while_open", [True, False], ids=["while it is open", "before it is opened"])
def test_a_store_of_before_a_rebuild_is_caught_up(shop: StoreShop, while_open: bool) -> None:
    """Its pointer names a version that is gone since, and its record knows of no later one."""
    shop.happens(*LIFE)
    restore = shop.store.save()
    for _ in range(2):
        shop.rebuild()
    newest = shop.build.version
    shop.happens(received("kettle", 7))
    if not while_open:
        shop.build.close()
    restore()
    if while_open:
        with pytest.raises(TargetMoved):
            shop.build.check()
        shop.build.open()
    else:
        shop.taken_over()
    assert (shop.build.version, shop.build.position) == (1, 5)
    shop.happens()
    assert shop.store.read("kettle").available("kettle") == 12
    shop.rebuild()
    assert shop.build.version > newest, "no number is given to two versions"
    delete_gone(shop.build)
    assert shop.store.versions() == [shop.build.version]
    assert shop.differing() == []


def test_a_rebuild_is_seen_once_it_is_published_and_in_one_step(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    live = shop.build
    beside = live.beside()
    beside.apply(shop.log[:2], up_to=2, tailing=False)
    beside.settle(may_hold_back=False)
    shop.happens(received("mug", 1))
    assert shop.store.read("mug").position == 6, "the live version goes on"
    beside.apply(shop.log[2:], up_to=6, tailing=True)
    beside.settle(may_hold_back=False)
    assert live.compare(beside) == (2, [])
    before = shop.store.read("kettle", "mug")
    beside.publish()
    assert shop.store.read("kettle", "mug") == before
    assert (beside.is_published, live.is_published) == (True, False)
    delete_gone(beside)
    assert shop.store.versions() == [beside.version]
    with pytest.raises(TargetMoved):
        live.check()
    live.close()
    shop.builds[shop.store.view] = beside
    shop.happens(received("mug", 1))
    assert shop.store.read("mug").available("mug") == 5


def test_a_comparison_names_every_document_that_differs(shop: StoreShop) -> None:
    shop.happens(listed("kettle"), listed("mug"), received("pan", 1))
    events = [listed("kettle"), listed("mug", "Another title")]
    beside = shop.build.beside()
    beside.apply([Decoded(recorded(n, one), one) for n, one in enumerate(events, 1)], up_to=3, tailing=False)
    beside.settle(may_hold_back=False)
    compared = shop.build.compare(beside)
    assert (compared.documents, compared.differing_keys) == (3, ["mug", "pan"])
    beside.drop()
    beside.close()
    delete_gone(shop.build)
    assert shop.store.versions() == [shop.build.version]


def test_a_rebuild_that_was_left_is_gone_and_its_number_with_it(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    left = shop.build.beside()
    left.apply(shop.log[:2], up_to=2, tailing=False)
    left.settle(may_hold_back=False)
    left.close()
    shop.build.close()
    shop.taken_over()
    delete_gone(shop.build)
    assert shop.store.versions() == [shop.build.version]
    again = shop.build.beside()
    assert (again.position, again.version) == (0, left.version + 1)
    again.drop()
    again.close()


def test_what_is_half_built_is_gone_on_with(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.store.empty()
    shop.build.open()
    shop.build.apply(shop.log[:2], up_to=2, tailing=False)
    shop.build.settle(may_hold_back=False)
    shop.build.close()
    shop.taken_over()
    assert (shop.build.position, shop.build.is_published) == (2, False)
    shop.happens()
    assert shop.store.read("kettle").position == 5
    assert shop.differing() == []


def test_a_view_is_restarted_beside_what_is_read(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.build.restart()
    assert (shop.build.position, shop.build.is_published) == (0, False)
    assert shop.store.read("kettle").position == 5
    shop.begins_anew()
    shop.happens(listed("kettle", "Another kettle"))
    assert (shop.store.read("kettle").position, shop.store.read("kettle").available("kettle")) == (1, 0)
    assert shop.differing() == []


def test_what_was_read_before_is_kept_turned_back_to_and_dropped(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    first = shop.build.version
    with pytest.raises(NotKept, match="no version is kept"):
        shop.build.open_kept()
    shop.rebuild(keep=True)
    second = shop.build.version
    shop.happens(received("kettle", 7))
    delete_gone(shop.build)
    assert shop.store.versions() == [first, second]
    back = shop.build.open_kept()
    assert back.position == 5, "nothing follows the log for it"
    back.apply(shop.log, up_to=shop.position, tailing=True)
    back.settle(may_hold_back=False)
    before = shop.store.read("kettle", "mug")
    back.publish(keep=True)
    assert shop.store.read("kettle", "mug") == before, "nothing shows that it is another version"
    shop.build.close()
    shop.builds[shop.store.view] = back
    shop.happens(received("mug", 1))
    assert (back.version, back.kept.version) == (first, second)
    back.drop_kept()
    delete_gone(back)
    assert (shop.store.versions(), back.kept) == ([first], None)
    with pytest.raises(NotKept):
        back.open_kept()
    assert shop.store.read("mug").available("mug") == 4
    assert shop.differing() == []


def test_what_is_kept_and_was_lost_is_not_turned_back_to(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    first = shop.build.version
    shop.rebuild(keep=True)
    shop.store.lose_a_part(first)
    with pytest.raises(NotKept, match=f"version {first} is no longer there"):
        shop.build.open_kept()
    shop.happens(received("kettle", 1))
    assert shop.store.read("kettle").available("kettle") == 6


def test_to_verify_a_view_leaves_what_is_kept(shop: StoreShop) -> None:
    shop.happens(*LIFE)
    shop.rebuild(keep=True)
    kept = shop.build.kept
    assert shop.differing() == []
    delete_gone(shop.build)
    assert shop.build.kept == kept
    assert shop.store.versions() == [kept.version, shop.build.version]


@pytest.mark.parametrize("forgets", ["the store", "the log"])
def test_no_number_is_given_to_two_versions(shop: StoreShop, forgets: str) -> None:
    begun = []
    for _ in range(3):
        shop.happens(received("kettle", 1))
        if shop.build.version not in begun:
            begun.append(shop.build.version)
        beside = shop.build.beside()
        begun.append(beside.version)
        beside.drop()
        beside.close()
        if forgets == "the store":
            shop.store.empty()
            shop.build.open()
        else:
            shop.build.close()
            shop.store.numbers = MemoryLog()
            shop.taken_over()
    assert begun == ([1, 2, 3, 4, 5, 6] if forgets == "the store" else [1, 2, 3, 4])


def test_products_long_forgotten_are_read_back(shop: StoreShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.search.build._REMEMBERED_MAX", 2)
    monkeypatch.setattr("projections.redis.shards._HELD_BYTES_MAX", 500)
    many = [f"S{n}" for n in range(9)]
    shop.happens(*map(listed, many), *(received(sku, 4) for sku in many))
    shop.happens(*(StockAdjusted(sku=sku, location="main", delta=-4, reason="x") for sku in many[:5]))
    seen = shop.store.read(*many)
    assert [seen.available(sku) for sku in many] == [0] * 5 + [4] * 4
    assert shop.differing() == []


def test_a_product_may_bear_a_name_of_the_stores_own(shop: StoreShop) -> None:
    shop.lists("checkpoint", ":checkpoint event", "sku checkpoint", ":")
    seen = shop.store.read("checkpoint", ":checkpoint event", "sku checkpoint", ":")
    assert (len(seen.pages), seen.position) == (4, 8)
    assert shop.differing() == []
