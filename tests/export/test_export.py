"""An export: whole, only what is new, one log's, and unharmed by whatever ends it."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from event_store.records import RecordedEvent
from replays.export import pages
from replays.export.errors import AnotherExport, ExportError, NotAnExport
from replays.export.export import export
from replays.export.folder import TEMPORARY, Folder
from replays.export.manifest import NAME, Manifest, load
from replays.export.verify import faults
from tests.restored import RestoredLog
from tests.shop.facts import ADDRESS, EMAIL, received
from tests.shop.story import Story


def events_of(log: RestoredLog) -> list[RecordedEvent]:
    return log.read_all(after=0, limit=10_000)


def rows_in(folder: Folder) -> list[tuple[int, str, int]]:
    """Position, stream and version of every row, by position."""
    manifest = load(folder)
    assert manifest is not None
    found = []
    for part in manifest.parts:
        table = pq.read_table(folder.place(part.file), partitioning=None)
        rows = zip(*(table[name].to_pylist() for name in ("position", "stream", "version")), strict=True)
        found.extend(rows)
    return sorted(found)


def everything(log: RestoredLog) -> list[tuple[int, str, int]]:
    return [(event.position, event.stream, event.version) for event in events_of(log)]


def contents(folder: Folder) -> dict[str, bytes]:
    return {name: Path(folder.place(name)).read_bytes() for name in folder.names()}


def test_every_event_is_in_one_file_of_its_type_and_month(shop: Story, folder: Folder) -> None:
    manifest = export(shop.log, folder)

    assert rows_in(folder) == everything(shop.log)
    assert (manifest.log, manifest.checkpoint) == (shop.log.log_id(), events_of(shop.log)[-1].checkpoint)
    for part in manifest.parts:
        table = pq.read_table(folder.place(part.file), partitioning=None)
        assert set(table["type"].to_pylist()) == {part.type}
        assert {moment.strftime("%Y-%m") for moment in table["valid_at"].to_pylist()} == {part.month}
        assert part.file == f"{part.type}/month={part.month}/part-{part.first}-{part.last}.parquet"
        assert pq.read_metadata(folder.place(part.file)).row_group(0).column(0).compression == "ZSTD"
    assert faults(folder, manifest) == []


def test_what_is_personal_is_in_no_file(shop: Story, folder: Folder) -> None:
    export(shop.log, folder)

    placed = next(name for name in folder.names() if name.startswith("orders.order_placed"))
    table = pq.read_table(folder.place(placed), partitioning=None)
    assert table["email"].null_count == table["shipping_address"].null_count == len(table)
    words = [word.encode() for word in (EMAIL, ADDRESS.name, ADDRESS.line1)]
    text = str(table.to_pylist()).encode()
    assert [word for word in words if word in text] == []


def test_a_second_run_writes_only_what_is_new(shop: Story, folder: Folder) -> None:
    export(shop.log, folder)
    before = contents(folder)
    assert contents(folder) == before
    export(shop.log, folder)
    assert contents(folder) == before

    shop.receive("NEW-1")
    manifest = export(shop.log, folder)

    after = contents(folder)
    assert {name: content for name, content in after.items() if name in before and name != NAME} == {
        name: content for name, content in before.items() if name != NAME
    }
    (new,) = after.keys() - before.keys()
    assert new.startswith("inventory.stock_received/")
    assert rows_in(folder) == everything(shop.log)
    assert faults(folder, manifest) == []


def test_events_of_one_type_lie_by_the_month_of_their_valid_time(shop: Story, folder: Folder) -> None:
    for month in (1, 2):
        shop.write("receive_stock", received(f"M-{month}", 3), valid_at=datetime(2019, month, 28, tzinfo=UTC))

    manifest = export(shop.log, folder)

    of_2019 = [part for part in manifest.parts if part.month.startswith("2019")]
    assert [(part.type, part.month, part.rows) for part in of_2019] == [
        ("inventory.stock_received", "2019-01", 1),
        ("inventory.stock_received", "2019-02", 1),
    ]


def test_another_logs_events_never_join(shop: Story, folder: Folder) -> None:
    export(shop.log, folder)
    before = contents(folder)
    other = Story(RestoredLog())
    other.whole_story()
    other.receive("MORE")

    with pytest.raises(AnotherExport, match="another log"):
        export(other.log, folder)

    assert contents(folder) == before


@pytest.mark.parametrize("added", [0, 2, 5], ids=["shorter", "as long", "longer"])
def test_another_history_of_the_log_never_joins(shop: Story, folder: Folder, added: int) -> None:
    export(shop.log, folder)
    before = contents(folder)
    shop.log.lose(2)
    for number in range(added):
        shop.receive(f"OTHER-{number}")

    with pytest.raises(AnotherExport):
        export(shop.log, folder)

    assert contents(folder) == before


def test_a_folder_with_other_things_is_left_alone(shop: Story, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")

    with pytest.raises(NotAnExport, match=r"letter\.txt"):
        export(shop.log, Folder(str(tmp_path)))

    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_a_damaged_manifest_is_said(shop: Story, folder: Folder) -> None:
    export(shop.log, folder)
    Path(folder.place(NAME)).write_bytes(b'{"format": 1')

    with pytest.raises(NotAnExport, match="damaged"):
        export(shop.log, folder)


def test_what_a_killed_run_left_is_no_part_and_goes(shop: Story, folder: Folder) -> None:
    manifest = export(shop.log, folder)
    part = Path(folder.place(manifest.parts[0].file))
    whole, half = part.with_name("part-900-901.parquet"), part.with_name("part-902-903.parquet" + TEMPORARY)
    whole.write_bytes(part.read_bytes())
    half.write_bytes(b"PAR1")
    assert len(faults(folder, manifest)) == 2

    manifest = export(shop.log, folder)

    assert not whole.exists()
    assert not half.exists()
    assert faults(folder, manifest) == []


def test_a_full_disk_is_one_line_and_harms_nothing(shop: Story, folder: Folder) -> None:
    manifest = export(shop.log, folder)
    shop.receive("NEW-1")
    blocked = Path(folder.place(NAME + TEMPORARY))
    blocked.symlink_to("/dev/full")

    with pytest.raises(ExportError, match=r"the disk is full.*run the same command again"):
        export(shop.log, folder)

    assert load(folder) == manifest
    assert not blocked.exists()
    manifest = export(shop.log, folder)
    assert rows_in(folder) == everything(shop.log)
    assert faults(folder, manifest) == []


def test_a_folder_that_cannot_be_made_is_said(shop: Story, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be made: Not a directory"):
        export(shop.log, Folder(str(tmp_path / "file" / "export")))


def test_two_at_once_in_one_folder_are_refused(shop: Story, folder: Folder) -> None:
    with folder.alone(), pytest.raises(ExportError, match="another export writes there now"):
        export(shop.log, Folder(folder.address))


def test_whoever_is_alone_no_more_names_nothing(shop: Story, folder: Folder) -> None:
    manifest = export(shop.log, folder)
    shop.receive("NEW-1")

    with pytest.raises(ExportError, match="another export writes there now"):
        export(shop.log, folder, still_alone=lambda: False)

    assert load(folder) == manifest
    assert faults(folder, export(shop.log, folder)) == []


def test_steps_are_kept_one_by_one(shop: Story, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many manifests as steps: each names what was written so far."""
    monkeypatch.setattr(pages, "PAGE", 10)
    reached: list[int] = []
    kept: list[int] = []

    def progress(position: int, head: int) -> None:
        manifest = load(folder)
        reached.append(position)
        kept.append(0 if manifest is None else manifest.checkpoint.position)

    manifest = export(shop.log, folder, progress=progress, step_events=10)

    head = shop.log.head()
    assert reached == [*range(0, head, 10), head]
    assert kept == [0, *range(0, head, 10)]
    assert rows_in(folder) == everything(shop.log)
    assert faults(folder, manifest) == []


@pytest.mark.parametrize("fault", ["missing", "other bytes", "a row less"])
def test_verifying_names_what_is_wrong(shop: Story, folder: Folder, fault: str) -> None:
    manifest = export(shop.log, folder)
    part = next(part for part in manifest.parts if part.rows > 1)
    file = Path(folder.place(part.file))
    if fault == "missing":
        file.unlink()
    elif fault == "other bytes":
        file.write_bytes(file.read_bytes()[:-1] + b"2")
    else:
        manifest = without_a_row(folder, manifest, part.file)

    found = faults(folder, manifest)

    assert len(found) == 1
    assert (part.file in found[0]) == (fault != "a row less")


def without_a_row(folder: Folder, manifest: Manifest, name: str) -> Manifest:
    """A manifest that names a file with a row less, rightly."""
    table = pq.read_table(folder.place(name), partitioning=None)[:-1]
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content = sink.getvalue().to_pybytes()
    Path(folder.place(name)).write_bytes(content)
    parts = [
        msgspec.structs.replace(
            part,
            rows=len(table),
            last=table["position"][-1].as_py(),
            bytes=len(content),
            sha256=sha256(content).hexdigest(),
        )
        if part.file == name
        else part
        for part in manifest.parts
    ]
    return msgspec.structs.replace(manifest, parts=tuple(parts))


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ExportError, match="s3://"):
        Folder("gs://bucket/folder")
