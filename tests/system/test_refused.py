"""What `daybook up` cannot run on: one clear line each, nothing harmed, nothing left behind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.system.running import daybook, refused


def test_a_port_in_use_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    data = tmp_path / "books" / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(data, environment={"DAYBOOK_READ_PORT": str(port)}, output=tmp_path)
    assert f"port {port}" in line
    assert "DAYBOOK_READ_PORT" in line
    assert not data.parent.exists()


def test_a_file_in_place_of_the_data_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("the accounts")
    assert "is not a folder" in refused(data)
    assert data.read_text() == "the accounts"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    assert "Permission denied" in refused(data)
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("version", [None, "garbage"])
def test_a_damaged_cluster_is_left_as_it_is(tmp_path: Path, version: str | None) -> None:
    tmp_path.chmod(0o755)
    cluster = tmp_path / "data" / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "base").mkdir()
    if version is not None:
        (cluster / "PG_VERSION").write_text(version)
    before = sorted(cluster.rglob("*"))
    line = refused(tmp_path / "data")
    assert "postgres" in line
    assert sorted(cluster.rglob("*")) == before


def test_an_open_door_beyond_this_machine(tmp_path: Path) -> None:
    line = refused(tmp_path / "data", environment={"DAYBOOK_HOST": "0.0.0.0"})
    assert "DAYBOOK_OPERATOR_TOKEN" in line
    assert not (tmp_path / "data").exists()


def test_a_setting_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    assert "DAYBOOK_COMMANDS_PORT" in refused(
        tmp_path / "data", environment={"DAYBOOK_COMMANDS_PORT": "http"}
    )


def test_a_real_data_set_that_is_not_there(tmp_path: Path) -> None:
    line = refused(tmp_path / "data", "--demo", "retail", environment={"DAYBOOK_DATASETS": str(tmp_path)})
    assert "DAYBOOK_DATASETS" in line
    assert not (tmp_path / "data").exists()


def test_a_given_server_that_is_away(tmp_path: Path) -> None:
    away = f"postgresql://daybook@/daybook?host={tmp_path}&port=1"
    line = refused(tmp_path / "data", environment={"DAYBOOK_POSTGRES_URL": away})
    assert str(tmp_path) in line


@pytest.mark.parametrize("words", [["replays", "verify"], ["events", "tail"], ["projections", "status"]])
def test_sub_commands_say_what_to_do_when_nothing_runs(tmp_path: Path, words: list[str]) -> None:
    done = daybook(*words, "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "daybook up" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()
