"""What the database itself refuses to those who read and to those who append, whatever their code tries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from event_store.errors import LogUnreadable, SchemaMissing
from event_store.postgres.connections import FEED_ROLE, READER_ROLE
from event_store.postgres.log import PostgresLog
from event_store.postgres.migrations import WRITER_ROLE, grant, migrate
from event_store.selection import Selection
from tests.event_store.given import adding, append, positions
from tests.waiting import SECONDS_MAX

FACTS = {  # table: a column of it
    "events": "data",
    "commands": "answer",
    "subject_keys": "key",
    "installation": "secret",
    "schema_migrations": "name",
    "log": "id",
}
CHANGES = (
    "INSERT INTO {table} SELECT * FROM {table}",
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "ALTER TABLE {table} ADD COLUMN more text",
    "DROP TABLE {table}",
    "CREATE TRIGGER silent BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
)
TAKE_OVER = (
    "CREATE TABLE own (a integer)",
    "CREATE FUNCTION own() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION append() RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
    "ALTER FUNCTION append_one SECURITY INVOKER",
    "DROP SCHEMA {schema} CASCADE",
    "SET ROLE daybook",
    "SET session_replication_role = replica",
)


@pytest.fixture(params=["feed", "reader", "writer"])
def role(
    request: pytest.FixtureRequest, postgres_log: PostgresLog, schema: str
) -> Iterator[psycopg.Connection]:
    """A session of that role, beside a log with an event in it; it may write as far as its rights go."""
    append(postgres_log, adding("cart-a", new_subject_keys={"ann": b"1" * 32}))
    url = request.getfixturevalue(f"{request.param}_url")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET search_path = {schema}".encode())
        connection.execute("SET default_transaction_read_only = off")
        yield connection


def test_no_role_changes_a_fact(role: psycopg.Connection, postgres_log: PostgresLog) -> None:
    for table, column in FACTS.items():
        for change in CHANGES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                role.execute(change.format(table=table, column=column).encode())
    assert postgres_log.head() == postgres_log.journal_head() == 1


def test_no_role_takes_the_log_over(role: psycopg.Connection, schema: str) -> None:
    for statement in TAKE_OVER:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            role.execute(statement.format(schema=schema).encode())


@pytest.mark.parametrize("role", ["reader", "writer"], indirect=True)
def test_what_may_be_read_is_read(role: psycopg.Connection) -> None:
    for table in ("events", "commands", "subject_keys"):
        assert role.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (1,)


@pytest.mark.parametrize("role", ["feed"], indirect=True)
def test_the_feed_reads_events_and_neither_keys_nor_arguments(role: psycopg.Connection) -> None:
    readable = {"events", "log", "schema_migrations"}
    tables = role.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace = %s::regnamespace",
        [role.execute("SELECT current_schema()").fetchone()[0]],
    ).fetchall()  # type: ignore[index]
    assert readable | {"subject_keys", "commands", "installation"} <= {name for (name,) in tables}
    for (table,) in tables:
        if table in readable:
            assert role.execute(f"SELECT count(*) > 0 FROM {table}".encode()).fetchone() == (True,)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                role.execute(f"SELECT FROM {table}".encode())


def test_a_log_that_is_read_as_the_feed_has_all_that_the_feed_needs(
    postgres_log: PostgresLog, feed_url: str, postgres_url: str, schema: str
) -> None:
    """Also where the address's user may do more."""
    append(postgres_log, adding("cart-a", new_subject_keys={"ann": b"1" * 32}))
    for url in (feed_url, postgres_url):
        log = PostgresLog.open(url, schema=schema, read_only=True)
        log.close()
        log = PostgresLog(url, schema, read_only=True, role=FEED_ROLE)
        assert log.head() == log.wait(after=0, timeout_seconds=SECONDS_MAX) == 1
        assert log.read_all(after=0, limit=10) == postgres_log.read_all(after=0, limit=10)
        assert log.log_id() == postgres_log.log_id()
        selection = Selection(streams=frozenset({"cart-a"}))
        assert log.read_selected(selection, after=0, limit=10) == log.read_stream("cart-a")
        assert log.position_before(datetime.now(UTC) + timedelta(1)) == 1
        with pytest.raises(LogUnreadable, match="permission denied"):
            log.subject_keys(["ann"])
        log.close()


def test_a_reader_neither_sees_the_secret_nor_moves_a_checkpoint(
    postgres_log: PostgresLog, reader_url: str, schema: str
) -> None:
    with psycopg.connect(reader_url, autocommit=True) as connection:
        connection.execute(f"SET search_path = {schema}".encode())
        for statement in (
            "SELECT secret FROM installation",
            "UPDATE tracking SET position = 0",
            "INSERT INTO snapshots DEFAULT VALUES",
            "DELETE FROM snapshots",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_a_reader_cannot_call_what_appends(postgres_log: PostgresLog, reader_url: str, schema: str) -> None:
    log = PostgresLog(reader_url, schema, read_only=False)  # Only its rights are in the way.
    assert log.head() == 0
    for call in (
        lambda: append(log, adding("cart-a")),
        lambda: log.insert_events([("cart-a", 1, "things.moved", b"{}")]),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            call()
    assert postgres_log.head() == 0
    log.close()


def test_what_runs_with_the_owners_rights_looks_names_up_in_the_log_only(
    postgres_log: PostgresLog, sql: psycopg.Connection, schema: str
) -> None:
    """A caller's own temporary table `events` must never stand in for the log's."""
    functions = sql.execute(
        "SELECT proname, prosecdef, proconfig, has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc"
        " WHERE pronamespace = %s::regnamespace",
        [schema],
    ).fetchall()
    as_owner = {name for name, definer, _, _ in functions if definer}
    assert {"append", "insert_events"} <= as_owner
    for name, _, settings, open_to_all in functions:
        assert not open_to_all, name
        if name in as_owner:
            assert f"search_path={schema}, pg_temp" in settings, name


def test_a_callers_own_tables_stay_out_of_the_append(
    writer_url: str, postgres_log: PostgresLog, schema: str
) -> None:
    assert positions(append(postgres_log, adding("cart-a"))) == [1]
    with psycopg.connect(writer_url, autocommit=True) as connection:
        connection.execute(f"CREATE TEMP TABLE events AS SELECT * FROM {schema}.events WHERE false".encode())
        connection.execute(f"SET search_path = pg_temp, {schema}".encode())
        connection.execute(
            "SELECT insert_events(true, 1, '{1}', '{cart-b}', '{1}', '{things.moved}', '{\\\\x7b7d}',"
            " '{}', '{}', '{}')"
        )
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    assert [event.stream for event in postgres_log.read_all(after=0, limit=10)] == ["cart-a", "cart-b"]


def test_a_role_that_came_later_gets_its_rights_by_migrating(
    postgres_url: str, writer_url: str, schema: str, sql: psycopg.Connection
) -> None:
    """As though the roles had been made after the log was."""
    migrate(postgres_url, schema)
    for role in (FEED_ROLE, READER_ROLE, WRITER_ROLE):
        sql.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}".encode())
        sql.execute(f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM {role}".encode())
        sql.execute(f"REVOKE ALL ON SCHEMA {schema} FROM {role}".encode())
    for read_only in (False, True):
        with pytest.raises(SchemaMissing, match="events migrate"):
            PostgresLog.open(writer_url, schema=schema, read_only=read_only)
    with pytest.raises(SchemaMissing, match="events migrate"):
        PostgresLog.open(postgres_url, schema=schema, read_only=True)

    assert grant(postgres_url, schema) == [FEED_ROLE, READER_ROLE, WRITER_ROLE]

    log = PostgresLog.open(writer_url, schema=schema)
    assert positions(append(log, adding("cart-a"))) == [1]
    log.close()
    PostgresLog.open(postgres_url, schema=schema, read_only=True).close()


def test_rights_that_somebody_gave_by_hand_are_taken_back(
    postgres_url: str, schema: str, sql: psycopg.Connection
) -> None:
    migrate(postgres_url, schema)
    roles = (FEED_ROLE, READER_ROLE, WRITER_ROLE)
    sql.execute(f"GRANT UPDATE ON events TO {', '.join(roles)}".encode())
    sql.execute(f"GRANT SELECT ON subject_keys TO {FEED_ROLE}".encode())
    grant(postgres_url, schema)
    taken_back = [(FEED_ROLE, "subject_keys", "SELECT"), *((role, "events", "UPDATE") for role in roles)]
    for role, table, right in taken_back:
        held = sql.execute("SELECT has_table_privilege(%s, %s, %s)", [role, table, right]).fetchone()
        assert held == (False,)


def test_who_does_not_own_the_log_gives_no_rights_and_makes_none(
    postgres_url: str, writer_url: str, schema: str
) -> None:
    migrate(postgres_url, schema)
    assert grant(writer_url, schema) is None
    assert migrate(writer_url, schema) == []
    with pytest.raises(SchemaMissing, match="cannot be made by this role"):
        migrate(writer_url, f"test_{uuid4().hex}")
