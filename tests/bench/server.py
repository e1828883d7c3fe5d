"""A PostgreSQL of its own for measuring, as `daybook up` starts it: fsync and synchronous_commit on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from deploy.local.servers.account import Account, server_account
from deploy.local.servers.binaries import find_binaries
from deploy.local.servers.postgres import PostgresServer


@dataclass(frozen=True)
class Server:
    """Where it is, and where its programs lie."""

    url: str
    programs: Path
    postgres: PostgresServer
    account: Account
    folder: Path
    sockets: Path


@contextmanager
def own_postgres() -> Iterator[Server]:
    """Started empty, gone afterwards."""
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="daybook-bench-", dir="/tmp"))
    folder.chmod(0o711)
    sockets = folder / "s"
    sockets.mkdir()
    sockets.chmod(0o777)
    programs = find_binaries(account).postgres
    server = PostgresServer(
        programs=programs,
        folder=folder / "postgres",
        sockets=sockets,
        account=account,
        log=folder / "postgres.log",
    )
    try:
        server.start()
        yield Server(server.url(), programs, server, account, folder, sockets)
    finally:
        server.stop()
        shutil.rmtree(folder)


def writing_backend(url: str) -> int:
    """The process id of the server's end that wrote a log last."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT append%'"
            " ORDER BY query_start DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    return int(row[0])


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
