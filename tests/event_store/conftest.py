"""Both stores, for the one suite of promises."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from deploy.local.servers.postgres import PostgresServer
from event_store.memory.log import MemoryLog, utc_now
from event_store.postgres.connections import FEED_ROLE, READER_ROLE
from event_store.postgres.log import PostgresLog
from event_store.postgres.migrations import WRITER_ROLE, migrate
from event_store.records import EventLog
from tests.conftest import ServerPlace
from tests.event_store.backups import Archived


class Store:
    """A log, and the power to make it older."""

    def __init__(self, log: EventLog, age: Callable[[timedelta], None]) -> None:
        self.log = log
        self.age = age


@pytest.fixture
def schema(postgres_url: str) -> Iterator[str]:
    """The name of a schema that is not there yet: cheaper than a database of its own."""
    name = f"test_{uuid4().hex}"
    yield name
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())


@pytest.fixture(scope="session")
def writer_url(postgres_server: PostgresServer) -> str:
    """The session's server, for a role that has the writers' rights and no others."""
    return _url_for(postgres_server, WRITER_ROLE)


@pytest.fixture(scope="session")
def reader_url(postgres_server: PostgresServer) -> str:
    """The session's server, for a role that has the readers' rights and no others."""
    return _url_for(postgres_server, READER_ROLE)


@pytest.fixture(scope="session")
def feed_url(postgres_server: PostgresServer) -> str:
    """The session's server, for a role that has the feed's rights and no others."""
    return _url_for(postgres_server, FEED_ROLE)


def _url_for(server: PostgresServer, role: str) -> str:
    member = f"test_{role}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        with suppress(psycopg.errors.DuplicateObject):  # Any test's log may have made it.
            connection.execute(f"CREATE ROLE {role} NOLOGIN".encode())
        connection.execute(f"CREATE ROLE {member} LOGIN IN ROLE {role}".encode())
    return server.url(user=member)


@pytest.fixture
def postgres_log(postgres_url: str, writer_url: str, schema: str) -> Iterator[PostgresLog]:
    """Every promise is kept to who has the writers' rights only."""
    migrate(postgres_url, schema)
    log = PostgresLog.open(writer_url, schema=schema)
    yield log
    log.close()


@pytest.fixture
def sql(postgres_url: str, schema: str) -> Iterator[psycopg.Connection]:
    """Beside the log, in its schema: for damage."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"SET search_path = {schema}".encode())
        yield connection


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "postgres":
        connection = request.getfixturevalue("sql")

        def age_rows(by: timedelta) -> None:
            connection.execute("UPDATE commands SET recorded_at = recorded_at - %s", [by])

        return Store(request.getfixturevalue("postgres_log"), age_rows)

    ahead = [timedelta(0)]

    def age_clock(by: timedelta) -> None:
        ahead[0] += by

    return Store(MemoryLog(clock=lambda: utc_now() + ahead[0]), age_clock)


@pytest.fixture
def log(store: Store) -> EventLog:
    return store.log


@pytest.fixture
def archived(own_server: PostgresServer, server_place: ServerPlace) -> Iterator[Archived]:
    folder = server_place.folder / "backups"
    sockets = server_place.folder / "o"
    archived = Archived(own_server, server_place.binaries.postgres, sockets, server_place.account, folder)
    archived.begin()
    yield archived
    shutil.rmtree(folder)
