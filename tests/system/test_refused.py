"""What `daybook up` cannot run on: one clear line each, nothing harmed, nothing left behind."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.data_folder import socket_folder
from deploy.local.servers.account import server_account
from tests.system.running import daybook, refused


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the servers' user may walk through, unlike pytest's own folder."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-refused-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_port_in_use_is_named_and_nothing_is_made(folder: Path) -> None:
    data = folder / "books" / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(data, environment={"DAYBOOK_READ_PORT": str(port)})
    assert f"port {port}" in line
    assert "DAYBOOK_READ_PORT" in line
    assert not data.parent.exists()


def test_an_unknown_time_zone_is_named_and_nothing_is_made(folder: Path) -> None:
    line = refused(folder / "data", environment={"DAYBOOK_TIME_ZONE": "Europe/Atlantis"})
    assert "DAYBOOK_TIME_ZONE" in line
    assert "'Europe/Atlantis' is no IANA name" in line
    assert list(folder.iterdir()) == []


def test_a_file_in_place_of_the_data_folder(folder: Path) -> None:
    data = folder / "data"
    data.write_text("the accounts")
    assert "is not a folder" in refused(data)
    assert data.read_text() == "the accounts"


@pytest.mark.parametrize(
    ("name", "reason"), [("/".join(["x" * 200] * 5), "its path has"), ("\udcff", "its name is not UTF-8")]
)
def test_a_path_that_the_servers_cannot_take(folder: Path, name: str, reason: str) -> None:
    assert reason in refused(folder / name)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_a_data_folder_that_cannot_be_written(folder: Path) -> None:
    data = folder / "data"
    data.mkdir(mode=0o500)
    assert "Permission denied" in refused(data)
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("version", [None, "garbage"])
def test_a_damaged_cluster_is_left_as_it_is(folder: Path, version: str | None) -> None:
    cluster = folder / "data" / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "base").mkdir()
    if version is not None:
        (cluster / "PG_VERSION").write_text(version)
    before = sorted(folder.rglob("*"))
    line = refused(folder / "data")
    assert "PG_VERSION" in line
    assert sorted(folder.rglob("*")) == before
    assert not socket_folder(folder / "data", server_account()).exists()


def test_an_open_door_beyond_this_machine(folder: Path) -> None:
    line = refused(folder / "data", environment={"DAYBOOK_HOST": "0.0.0.0"})
    assert "DAYBOOK_OPERATOR_TOKEN" in line
    assert not (folder / "data").exists()


@pytest.mark.parametrize("process", ["commands", "query"])
def test_an_open_port_of_one_process_beyond_this_machine(process: str) -> None:
    """Alone, as in a container of its own."""
    away = {"DAYBOOK_POSTGRES_URL": "postgresql:///away", "DAYBOOK_REDIS_URL": "redis://127.0.0.1:1"}
    done = daybook("serve", process, environment={**away, "DAYBOOK_HOST": "0.0.0.0"})
    assert done.returncode == 1
    assert "DAYBOOK_OPERATOR_TOKEN" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_setting_of_the_wrong_type_is_named(folder: Path) -> None:
    assert "DAYBOOK_COMMANDS_PORT" in refused(folder / "data", environment={"DAYBOOK_COMMANDS_PORT": "http"})


def test_a_given_server_that_is_away(folder: Path) -> None:
    away = f"postgresql://daybook@/daybook?host={folder}&port=1"
    line = refused(folder / "data", environment={"DAYBOOK_POSTGRES_URL": away})
    assert str(folder) in line


@pytest.mark.parametrize("words", [["replays", "verify"], ["events", "tail"], ["projections", "status"]])
def test_sub_commands_say_what_to_do_when_nothing_runs(folder: Path, words: list[str]) -> None:
    done = daybook(*words, "--data", str(folder / "data"))
    assert done.returncode == 1
    assert "daybook up" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "data").exists()
