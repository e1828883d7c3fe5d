"""A system of today's code on each log that code of before wrote."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from commands.gateways.sandbox import SandboxGateway
from event_store.postgres.migrations import migrate
from tests.faults.stored_state import StoredState
from tests.system.running import RunningSystem, call
from tests.upgrades.record import order_of

RECORDED = sorted(path.parent for path in Path(__file__).parent.glob("*/migration"))


@dataclass
class Upgraded:
    """A system of today's code on a log of before."""

    system: RunningSystem
    stored: StoredState
    data: Path

    def get(self, path: str) -> Any:
        status, document = call(f"{self.system.addresses['read']}/api/v1{path}")
        assert status == 200, document
        return document

    def do(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        key = f"{path} {sha256(str(body).encode()).hexdigest()[:16]} after the upgrade"
        return call(f"{self.system.addresses['commands']}/api/v1{path}", body, key=key)

    def set_home(self, body: dict[str, Any]) -> None:
        answer = httpx.put(f"{self.system.addresses['commands']}/api/v1/home", json=body)
        assert answer.status_code == 201, answer.text

    def stands(self, story: str) -> str:
        order = self.get(f"/orders/{order_of(story)}")
        return f"{order['status']} {order['payment']['status']}"

    def charge(self, story: str) -> tuple[str, int, int]:
        with closing(SandboxGateway(self.data / "sandbox.sqlite")) as gateway:
            (charge,) = gateway.charges(order_of(story))
        return charge.status, charge.captured, charge.refunded


def let_it_be_of_now(connection: psycopg.Connection[Any]) -> None:
    """The upgrade follows the recording by a minute: calls are made again while gateways know their keys."""
    (age,) = connection.execute(
        "SELECT clock_timestamp() - interval '1 minute' - max(recorded_at) FROM daybook.events"
    ).fetchone() or (None,)
    for table in (b"events", b"commands"):
        connection.execute(b"UPDATE daybook." + table + b" SET recorded_at = recorded_at + %s", [age])


@pytest.fixture(scope="module", params=RECORDED, ids=lambda folder: folder.name)
def upgraded(request: pytest.FixtureRequest, postgres_server: Any) -> Iterator[Upgraded]:
    recorded: Path = request.param
    folder = Path(tempfile.mkdtemp(prefix="daybook-upgrade-", dir="/tmp"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir()
    name = f"upgrade_{request.module.__name__.rpartition('.')[2]}_{recorded.name}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = postgres_server.url(name)
    migrate(url, "daybook", up_to=int((recorded / "migration").read_text()))
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for file in recorded.glob("*.copy.gz"):
            table = file.name.partition(".")[0]
            cursor.execute(f"TRUNCATE daybook.{table}".encode())
            with cursor.copy(f"COPY daybook.{table} FROM STDIN".encode()) as rows:
                rows.write(gzip.decompress(file.read_bytes()))
        let_it_be_of_now(connection)
    with closing(sqlite3.connect(data / "sandbox.sqlite")) as ledger:
        ledger.executescript((recorded / "ledger.sql").read_text())
    system = RunningSystem(data, environment={"DAYBOOK_POSTGRES_URL": url})
    try:
        system.wait_ready()
        with closing(StoredState(postgres_url=url, redis_url=system.addresses["redis"], data=data)) as stored:
            yield Upgraded(system, stored, data)
    finally:
        system.end()
        shutil.rmtree(folder)
