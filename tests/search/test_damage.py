"""An index that is damaged counts as one that is missing: not read, and built anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
import tantivy

from projections.documents.errors import ViewNotReady
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.follower import TargetMoved
from projections.tantivy.build import TantivyBuild
from tests.shop.facts import listed, received
from tests.shop.views import TantivyShop
from tests.stores.store import delete_gone

Damage = Callable[[Path], None]
"""Given the folder of the live version."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TantivyShop]:
    shop = TantivyShop(tmp_path / "index")
    yield shop
    shop.close()


def one(folder: Path, kind: str) -> Path:
    return min(folder.glob(f"*.{kind}"))


def replaced(path: Path, content: bytes) -> None:
    """Under a new inode: whoever has the old file mapped keeps it."""
    aside = path.with_name("aside")
    aside.write_bytes(content)
    aside.replace(path)


def truncated(folder: Path) -> None:
    store = one(folder, "store")
    replaced(store, store.read_bytes()[:-40])


def emptied(folder: Path) -> None:
    replaced(one(folder, "term"), b"")


def zeroed(folder: Path) -> None:
    term = one(folder, "term")
    replaced(term, bytes(term.stat().st_size))


def one_bit_turned(folder: Path) -> None:
    store = one(folder, "store")
    content = bytearray(store.read_bytes())
    content[len(content) // 3] ^= 4
    replaced(store, bytes(content))


def random_bytes(folder: Path) -> None:
    replaced(one(folder, "fast"), os.urandom(1_000))


def segment_missing(folder: Path) -> None:
    one(folder, "idx").unlink()


def everything_but_the_list_missing(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "meta.json":
            path.unlink()


def list_cut_off(folder: Path) -> None:
    replaced(folder / "meta.json", (folder / "meta.json").read_bytes()[:200])


def list_emptied(folder: Path) -> None:
    replaced(folder / "meta.json", b"")


def list_missing(folder: Path) -> None:
    (folder / "meta.json").unlink()


def list_a_folder(folder: Path) -> None:
    (folder / "meta.json").unlink()
    (folder / "meta.json").mkdir()


def engines_own_list_broken(folder: Path) -> None:
    replaced(folder / ".managed.json", b"{")


def another_index(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("title", stored=True)
    writer = tantivy.Index(builder.build(), str(folder)).writer(15_000_000, 1)
    writer.add_document(tantivy.Document(title="stranger"))
    writer.commit()
    writer.wait_merging_threads()


def folder_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


def pointer_garbage(folder: Path) -> None:
    replaced(folder.parent / "search.json", b"\x00\xff{")


def pointer_elsewhere(folder: Path) -> None:
    replaced(folder.parent / "search.json", b'{"version":99,"shards":1,"model":1}')


def pointer_a_folder(folder: Path) -> None:
    (folder.parent / "search.json").unlink()
    (folder.parent / "search.json").mkdir()


def index_a_file(folder: Path) -> None:
    shutil.rmtree(folder.parent)
    folder.parent.write_text("")


EVERY_DAMAGE = [
    *(truncated, emptied, zeroed, one_bit_turned, random_bytes, segment_missing),
    *(everything_but_the_list_missing, list_cut_off, list_emptied, list_missing, list_a_folder),
    *(another_index, folder_a_file, pointer_garbage, pointer_elsewhere, pointer_a_folder, index_a_file),
]


@pytest.fixture
def stocked(shop: TantivyShop) -> TantivyShop:
    shop.happens(listed("A", "Red mug"), received("A", 5))
    shop.happens(listed("B", "Blue mug"))
    assert shop.finds() == ["A", "B"]
    return shop


def live(shop: TantivyShop) -> Path:
    return shop.folder / f"search.v{shop.build.version}"


def build_anew(shop: TantivyShop, build: TantivyBuild) -> None:
    """Where only the pointer was lost, what it named is sound, and goes on where it stands."""
    assert (build.open() in {0, 3}, build.is_published) == (True, False)
    shop.taken_over_by(build)
    assert build.position == 3


@pytest.mark.parametrize("damage", EVERY_DAMAGE)
def test_a_damaged_index_is_noticed_while_it_is_open_and_built_anew(
    stocked: TantivyShop, damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.documents.tantivy_reader._LOOK_SECONDS", 0.0)
    damage(live(stocked))
    with pytest.raises(TargetMoved):
        stocked.build.check()
    for _ in range(2):
        with pytest.raises(ViewNotReady):
            stocked.reader.position()
        with pytest.raises(ViewNotReady):
            stocked.finds("mug")
    build_anew(stocked, stocked.build)
    assert stocked.finds("red") == ["A"]  # The same reader, without a restart.
    stocked.build.check()


@pytest.mark.parametrize("damage", [*EVERY_DAMAGE, engines_own_list_broken])
def test_a_damaged_index_is_noticed_when_it_is_opened_and_built_anew(
    stocked: TantivyShop, damage: Damage
) -> None:
    stocked.build.close()
    damage(live(stocked))
    reader = TantivyReader(stocked.folder)
    with pytest.raises(ViewNotReady):
        reader.position()
    build = TantivyBuild(stocked.folder, stocked.numbers)
    build_anew(stocked, build)
    assert reader.position() == 3
    delete_gone(build)
    assert len(list(stocked.folder.glob("search.v*"))) == 1


def test_damage_is_told(stocked: TantivyShop) -> None:
    one_bit_turned(live(stocked))
    with structlog.testing.capture_logs() as lines:
        stocked.build.open()
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["event"], line["version"]) == ("search index is damaged: built anew", 1)
    assert line["reason"].endswith(".store is not as it was written")


def test_what_is_only_touched_or_beside_is_no_damage(stocked: TantivyShop) -> None:
    (live(stocked) / "notes.txt").write_text("a stranger's")
    for path in live(stocked).glob("*.store"):
        os.utime(path, (1, 1))
    stocked.build.check()
    stocked.build.close()
    assert stocked.build.open() == 3
    assert stocked.finds() == ["A", "B"]


def test_a_reader_looks_at_files_again_after_a_while(
    stocked: TantivyShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_bit_turned(live(stocked))
    monkeypatch.setattr("projections.documents.tantivy_reader._LOOK_SECONDS", 0.0)
    with pytest.raises(ViewNotReady):
        stocked.reader.position()


def test_many_commits_and_merges_are_no_damage(shop: TantivyShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.documents.tantivy_reader._LOOK_SECONDS", 0.0)
    for number in range(60):
        shop.happens(listed(f"S{number}"))
        shop.build.check()
        assert shop.reader.position() == number + 1
