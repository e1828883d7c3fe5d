"""What the index keeps through crashes, rebuilds and deletions."""

from __future__ import annotations

import time

import pytest

from aggregates.inventory.events import StockAdjusted
from projections.documents.errors import ViewNotReady
from projections.documents.search import ProductQuery
from projections.engine.follower import Decoded, TargetMoved
from tests.shop.facts import listed, priced, received, recorded
from tests.shop.views import SearchShop
from tests.waiting import SECONDS_MAX

_EVERYTHING = ProductQuery()


def test_readers_see_nothing_before_the_first_publication(shop: SearchShop) -> None:
    with pytest.raises(ViewNotReady):
        shop.reader.position()
    shop.happens(listed("A"))
    assert (shop.reader.position(), shop.finds()) == (1, ["A"])


def test_what_was_not_committed_is_folded_again_after_a_crash(shop: SearchShop) -> None:
    shop.happens(listed("A", price="1.00"), received("A", 5))
    shop.happens(received("A", 7), settled=False)
    assert (shop.build.position, shop.reader.position()) == (3, 2)
    shop.build.close()
    again = shop.another()
    assert again.open() == 2
    again.apply([Decoded(recorded(3), received("A", 7))], up_to=3, tailing=True)
    again.settle(may_hold_back=False)
    assert shop.reader.position() == 3
    assert b'"available":12' in shop.reader.search(_EVERYTHING, limit=1).items[0]
    again.close()


def test_an_event_given_twice_counts_once(shop: SearchShop) -> None:
    shop.happens(listed("A"), received("A", 5))
    shop.build.apply([Decoded(recorded(2), received("A", 5))], up_to=2, tailing=True)
    shop.happens(received("B", 1))
    assert b'"available":5' in shop.reader.search(_EVERYTHING, limit=1).items[0]


def test_events_of_no_product_move_the_position(shop: SearchShop) -> None:
    shop.happens(listed("A"))
    shop.build.apply([], up_to=50, tailing=True)
    shop.build.settle(may_hold_back=False)
    assert (shop.reader.position(), shop.new_reader().position()) == (50, 50)


def test_commits_are_held_back_only_for_a_moment(shop: SearchShop, monkeypatch: pytest.MonkeyPatch) -> None:
    held_back = "projections.search.build._HELD_BACK_SECONDS"
    monkeypatch.setattr(held_back, 60.0)
    shop.happens(listed("A"))
    shop.happens(listed("B"), settled=False)
    shop.build.settle(may_hold_back=True)
    assert shop.finds() == ["A"]
    monkeypatch.setattr(held_back, 0.01)
    deadline = time.monotonic() + SECONDS_MAX
    while shop.finds() == ["A"] and time.monotonic() < deadline:
        shop.build.settle(may_hold_back=True)
    assert shop.finds() == ["A", "B"]


def test_a_rebuild_is_seen_only_when_it_is_whole(shop: SearchShop) -> None:
    events = [listed("A"), received("A", 2), listed("B"), priced("A", "0.09")]
    shop.happens(*events)
    beside = shop.build.beside()
    batch = [Decoded(recorded(n), event) for n, event in enumerate(events, 1)]
    beside.apply(batch[:2], up_to=2, tailing=False)
    beside.settle(may_hold_back=False)
    assert (shop.finds(), shop.reader.position()) == (["A", "B"], 4)
    beside.apply(batch[2:], up_to=4, tailing=False)
    beside.settle(may_hold_back=False)
    assert shop.build.compare(beside).differing_keys == []
    before = shop.reader
    beside.publish()
    assert (beside.is_published, shop.build.is_published) == (True, False)
    assert (before.search(_EVERYTHING, limit=9).total, before.position()) == (2, 4)
    assert shop.versions() == [beside.version]
    with pytest.raises(TargetMoved):
        shop.build.check()
    beside.close()


def test_a_comparison_names_every_product_that_differs(shop: SearchShop) -> None:
    shop.happens(listed("A"), listed("B"), received("C", 1))
    beside = shop.build.beside()
    batch = [Decoded(recorded(1), listed("A")), Decoded(recorded(2), listed("B", "Another title"))]
    beside.apply(batch, up_to=3, tailing=False)
    beside.settle(may_hold_back=False)
    compared = shop.build.compare(beside)
    assert (compared.documents, compared.differing_keys) == (3, ["B", "C"])
    beside.drop()
    assert beside.version not in shop.versions()


def test_a_rebuild_that_was_given_up_does_not_disturb_the_next(shop: SearchShop) -> None:
    shop.happens(listed("A"))
    given_up = shop.build.beside()
    given_up.apply([Decoded(recorded(1), listed("Z"))], up_to=1, tailing=False)
    given_up.settle(may_hold_back=False)
    given_up.close()
    next_one = shop.build.beside()
    assert (next_one.position, next_one.version) == (0, given_up.version + 1)
    next_one.close()


def test_products_long_forgotten_are_read_back(shop: SearchShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.search.build._REMEMBERED_MAX", 2)
    shop.happens(*(listed(f"S{n}") for n in range(9)), *(received(f"S{n}", 4) for n in range(9)))
    shop.happens(*(StockAdjusted(sku=f"S{n}", location="main", delta=-4, reason="x") for n in range(5)))
    assert shop.finds(in_stock=False) == [f"S{n}" for n in range(5)]


def test_an_index_is_restarted_beside_the_one_that_readers_read(shop: SearchShop) -> None:
    shop.happens(listed("A"))
    shop.build.restart()
    assert (shop.build.position, shop.build.is_published) == (0, False)
    assert (shop.reader.position(), shop.finds()) == (1, ["A"])
    shop.begins_anew()
    shop.happens(listed("B"))
    assert (shop.reader.position(), shop.finds()) == (1, ["B"])
