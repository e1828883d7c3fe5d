"""An export on a server that speaks S3 has what one in a folder has, and refuses what that refuses."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from event_store.postgres.log import PostgresLog
from replays.duckdb.questions import Questions, SqlError, Tail
from replays.export.errors import AnotherExport, ExportError, NotAnExport
from replays.export.export import export
from replays.export.folder import Folder
from replays.export.manifest import NAME, load
from replays.export.verify import faults
from tests.export import s3_server
from tests.export.test_command import EXPORTING
from tests.prerequisites import missing
from tests.restored import RestoredLog
from tests.shop.facts import received
from tests.shop.story import Story
from tests.sql.conftest import rows_of
from tests.waiting import SECONDS_MAX

ADDRESS = f"s3://{s3_server.BUCKET}/daybook"


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    program = s3_server.build()
    if program is None:
        missing("Go")
    with s3_server.running(program, tmp_path_factory.mktemp("s3")) as access:
        yield access


@pytest.fixture
def address(request: pytest.FixtureRequest) -> str:
    return f"{ADDRESS}/{request.node.name}"


def test_it_has_what_an_export_in_a_folder_has(
    access: Mapping[str, str], address: str, tmp_path: Path
) -> None:
    shop, there, here = Story(RestoredLog()), Folder(address, access), Folder(str(tmp_path / "here"))
    for _ in range(2):
        shop.whole_story() if shop.log.head() == 0 else shop.receive("NEW-1")
        manifest = export(shop.log, there)
        assert export(shop.log, here) == manifest
        assert faults(there, manifest) == []
    assert {name: there.read(name) for name in there.names()} == {
        name: here.read(name) for name in here.names()
    }


def test_questions_are_answered_from_there(access: Mapping[str, str], address: str) -> None:
    shop, folder = Story(RestoredLog()), Folder(address, access)
    shop.whole_story()
    manifest = export(shop.log, folder)
    shop.receive("NEW-1")

    with Questions(folder, manifest, Tail(shop.log, manifest.checkpoint)) as questions:
        assert rows_of(questions, "SELECT count(*) FROM events") == [(shop.log.head(),)]
        with pytest.raises(SqlError):
            rows_of(questions, f"FROM read_parquet('{address}/**/*.parquet')")


def test_it_refuses_another_log_and_other_things(access: Mapping[str, str], address: str) -> None:
    shop, folder = Story(RestoredLog()), Folder(address, access)
    shop.receive()
    before = export(shop.log, folder)
    other = Story(RestoredLog())
    other.receive()

    with pytest.raises(AnotherExport):
        export(other.log, folder)
    assert load(folder) == before
    folder.write("things/letter.txt", b"Dear")
    with pytest.raises(NotAnExport, match=r"letter\.txt"):
        export(shop.log, Folder(f"{address}/things", access))


def test_a_bucket_that_is_not_there_and_a_wrong_key_are_said(access: Mapping[str, str]) -> None:
    shop = Story(RestoredLog())
    shop.receive()
    with pytest.raises(ExportError, match="s3://nowhere/daybook"):
        export(shop.log, Folder("s3://nowhere/daybook", access))
    with pytest.raises(ExportError, match=ADDRESS):
        export(shop.log, Folder(ADDRESS, {**access, "AWS_SECRET_ACCESS_KEY": "other"}))


def test_killed_again_and_again_it_ends_with_every_event_once(
    access: Mapping[str, str], address: str, fresh_postgres: str
) -> None:
    log = PostgresLog.open(fresh_postgres)
    shop = Story(log)
    for number in range(1_500):
        shop.record((received(f"S-{number}", 1),), name="receive_stock")
    shop.flush()
    reached = 0
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", EXPORTING, fresh_postgres, address],
            stdout=subprocess.PIPE,
            text=True,
            env=dict(access),
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) > reached + 200:
                break
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS_MAX)
        process.stdout.close()
        manifest = load(Folder(address, access))
        reached = 0 if manifest is None else manifest.checkpoint.position
    folder = Folder(address, access)

    manifest = export(log, folder)

    assert reached > 0
    assert manifest.rows == log.head() == 1_500
    assert faults(folder, manifest) == []
    assert set(folder.names()) == {NAME, *(part.file for part in manifest.parts)}
    log.close()
