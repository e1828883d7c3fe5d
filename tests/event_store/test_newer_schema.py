"""Code of today on a schema that newer code made: it goes on where the schema says that it suits it."""

from __future__ import annotations

import psycopg
import pytest

from event_store.errors import SchemaTooNew
from event_store.postgres import migrations as postgres_migrations
from event_store.postgres.connections import READER_ROLE
from event_store.postgres.log import PostgresLog
from event_store.postgres.migrations import grant, migrate, pending
from event_store.postgres.queries import migrations
from tests.event_store.given import adding, append, positions

NOW = migrations()[-1][0]
LATER = "ALTER TABLE events ADD COLUMN more text;\nCREATE TABLE later (a integer);\n"
FURTHER = "ALTER TABLE later ADD COLUMN b integer;\n"


def newer_code_migrates(monkeypatch: pytest.MonkeyPatch, url: str, schema: str, *texts: str) -> None:
    """What code does that knows more migrations than ours."""
    more = [(NOW + n, f"later_{n}", text) for n, text in enumerate(texts, 1)]
    with monkeypatch.context() as newer:
        newer.setattr(postgres_migrations, "migrations", lambda: [*migrations(), *more])
        assert migrate(url, schema)[-len(texts) :] == [name for _, name, _ in more]


def suiting(text: str, *, readable: int = NOW, writable: int = NOW) -> str:
    return f"-- readable from {readable}, writable from {writable}\n{text}"


def refused(url: str, schema: str, *, read_only: bool) -> str:
    with pytest.raises(SchemaTooNew) as error:
        PostgresLog.open(url, schema=schema, read_only=read_only)
    return str(error.value)


@pytest.mark.parametrize(("writes", "reads"), [("postgres", "postgres"), ("writer", "reader")])
def test_a_newer_schema_that_suits_is_written_and_read(
    monkeypatch: pytest.MonkeyPatch,
    postgres_url: str,
    schema: str,
    request: pytest.FixtureRequest,
    writes: str,
    reads: str,
) -> None:
    migrate(postgres_url, schema)
    newer_code_migrates(monkeypatch, postgres_url, schema, suiting(LATER), suiting(FURTHER, readable=1))
    assert pending(postgres_url, schema) == []
    assert migrate(postgres_url, schema) == []
    log = PostgresLog.open(request.getfixturevalue(f"{writes}_url"), schema=schema)
    assert positions(append(log, adding("cart-a"), adding("cart-b"))) == [1, 2]
    log.close()
    reading = PostgresLog.open(request.getfixturevalue(f"{reads}_url"), schema=schema, read_only=True)
    assert [event.stream for event in reading.read_all(after=0, limit=10)] == ["cart-a", "cart-b"]
    reading.close()


def test_a_newer_schema_that_can_only_be_read_is_not_written(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, schema: str
) -> None:
    newer_code_migrates(monkeypatch, postgres_url, schema, suiting(LATER, writable=NOW + 1))
    message = refused(postgres_url, schema, read_only=False)
    assert f"at migration {NOW + 1}" in message
    assert f"only code that knows migration {NOW + 1} can write it, and this code knows {NOW}" in message
    with pytest.raises(SchemaTooNew):
        migrate(postgres_url, schema)
    PostgresLog.open(postgres_url, schema=schema, read_only=True).close()


@pytest.mark.parametrize(
    "texts",
    [
        (LATER,),  # Says nothing of code from before it.
        (suiting(LATER, readable=NOW + 1, writable=NOW + 1),),
        (suiting(LATER), FURTHER),
        (LATER, suiting(FURTHER)),
    ],
)
def test_a_newer_schema_that_does_not_suit_is_refused(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, schema: str, texts: tuple[str, ...]
) -> None:
    newer_code_migrates(monkeypatch, postgres_url, schema, *texts)
    for read_only in (False, True):
        message = refused(postgres_url, schema, read_only=read_only)
        assert f"this code knows {NOW}" in message


def test_rights_on_a_newer_schema_are_newer_codes_to_give(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, schema: str, sql: psycopg.Connection
) -> None:
    """Or those on its new tables would be taken back, and who runs newer code would lose them."""
    newer_code_migrates(monkeypatch, postgres_url, schema, suiting(LATER))
    sql.execute(f"GRANT SELECT ON later TO {READER_ROLE}".encode())
    with pytest.raises(SchemaTooNew, match="newer code's to give"):
        grant(postgres_url, schema)
    held = sql.execute("SELECT has_table_privilege(%s, 'later', 'SELECT')", [READER_ROLE]).fetchone()
    assert held == (True,)


def test_what_is_too_new_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, schema: str, sql: psycopg.Connection
) -> None:
    newer_code_migrates(monkeypatch, postgres_url, schema, LATER)
    applied = "SELECT number, readable_from, writable_from FROM schema_migrations ORDER BY number"
    before = sql.execute(applied).fetchall()
    refused(postgres_url, schema, read_only=False)
    assert sql.execute(applied).fetchall() == before
    assert before[-1] == (NOW + 1, None, None)
