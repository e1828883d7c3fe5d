"""What befalls the folder of the embedded index."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.documents.errors import ViewNotReady
from projections.documents.search import ProductQuery
from projections.engine.follower import TargetMoved, TargetUnavailable
from projections.tantivy.build import TantivyBuild
from tests.shop.facts import listed
from tests.shop.views import TantivyShop

_EVERYTHING = ProductQuery()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TantivyShop]:
    shop = TantivyShop(tmp_path / "index")
    yield shop
    shop.close()


def test_two_writers_cannot_have_one_index(shop: TantivyShop) -> None:
    shop.happens(listed("A"))
    with pytest.raises(TargetUnavailable):
        TantivyBuild(shop.folder, shop.numbers).open()


def test_a_deleted_folder_is_noticed_and_begun_anew(shop: TantivyShop) -> None:
    shop.happens(listed("A"))
    assert shop.finds() == ["A"]
    shutil.rmtree(shop.folder)
    with pytest.raises(ViewNotReady):
        shop.reader.position()
    with pytest.raises(TargetMoved):
        shop.build.check()
    assert shop.build.open() == 0
    assert not shop.build.is_published
    shop.begins_anew()
    shop.happens(listed("A"), listed("B"))
    assert shop.finds() == ["A", "B"]


def test_a_folder_deleted_under_a_write_is_noticed(shop: TantivyShop) -> None:
    shop.happens(listed("A"))
    shutil.rmtree(shop.folder)
    shop.happens(listed("B"), settled=False)
    with pytest.raises(TargetMoved):
        shop.build.settle(may_hold_back=False)


def test_a_lost_version_is_withdrawn(shop: TantivyShop, tmp_path: Path) -> None:
    shop.happens(listed("A"))
    shop.build.close()
    shutil.rmtree(next(shop.folder.glob("search.v*")))
    again = TantivyBuild(shop.folder, shop.numbers)
    assert (again.open(), again.is_published) == (0, False)
    again.close()
