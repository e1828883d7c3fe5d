"""The schema moves forward only, beneath writers who go on: those of the code before it too."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from event_store.errors import StoreUnavailable
from event_store.postgres.log import PostgresLog
from event_store.postgres.migrations import migrate, pending
from event_store.postgres.queries import migrations
from event_store.records import Appended
from tests.event_store import given_out
from tests.event_store.given import adding, append

ROOT = Path(__file__).parents[2]
FIRST_RELEASE = 3  # The migrations that there never was code without.
LATER = [number for number, _, _ in migrations() if number > FIRST_RELEASE]
ALL_WELL = ["Appended", "Moved", "Replayed", "Appended", "Moved", True, [1, 2], True, True]


def test_migrations_are_numbered_one_after_another() -> None:
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_migration_that_was_given_out_never_changes() -> None:
    assert given_out.faults(migrations()) == []


def test_a_change_to_what_was_given_out_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "given_out.json"
    given_out.record_new([(1, "tables", "CREATE TABLE a ()"), (2, "more", "")], file)
    changed = [(1, "tables", "CREATE TABLE b ()"), (3, "new", "")]
    given_out.record_new(changed, file)
    assert given_out.faults(changed, file) == [
        "0002 more was given out, and is not there",
        "0001 tables was given out with another text: write a new one",
    ]


@pytest.mark.parametrize("number", LATER)
def test_a_migration_takes_away_nothing_that_the_code_before_it_uses(
    postgres_url: str, schema: str, sql: psycopg.Connection, number: int
) -> None:
    migrate(postgres_url, schema, up_to=number - 1)
    before = shape(sql, schema)
    assert len(migrate(postgres_url, schema, up_to=number)) == 1
    assert before - shape(sql, schema) == set()


def test_what_a_migration_takes_away_is_seen(postgres_url: str, schema: str, sql: psycopg.Connection) -> None:
    migrate(postgres_url, schema)
    for change in (
        "DROP TABLE tracking",
        "ALTER TABLE events RENAME COLUMN actor TO who",
        "ALTER TABLE events ALTER COLUMN correlation SET NOT NULL",
        "ALTER TABLE events ADD COLUMN more text NOT NULL",
        "ALTER TABLE events ALTER COLUMN version TYPE integer",
        "ALTER FUNCTION insert_events RENAME TO add_events",
    ):
        before = shape(sql, schema)
        sql.execute(change.encode())
        assert before - shape(sql, schema), change


def shape(sql: psycopg.Connection, schema: str) -> set[tuple[object, ...]]:
    """What code can rely on: columns to read and to fill, which may be left out, and functions to call."""
    columns = sql.execute(
        "SELECT 'column', table_name::text, column_name::text, udt_name::text"
        " FROM information_schema.columns WHERE table_schema = %s",
        [schema],
    ).fetchall()
    # By what must be given, so that one more of these is something taken away.
    enough = sql.execute(
        "SELECT 'enough', table_name::text, array_agg(column_name::text ORDER BY column_name)::text, ''"
        " FROM information_schema.columns"
        " WHERE table_schema = %s AND is_nullable = 'NO' AND column_default IS NULL GROUP BY table_name",
        [schema],
    ).fetchall()
    functions = sql.execute(
        "SELECT 'function', proname::text, pg_get_function_arguments(oid), pg_get_function_result(oid)"
        " FROM pg_proc WHERE pronamespace = %s::regnamespace",
        [schema],
    ).fetchall()
    return {*columns, *enough, *functions}


class OldCode:
    """A process of the commit before a migration, with a log that it made itself."""

    def __init__(self, number: int, folder: Path, url: str, schema: str) -> None:
        files = f":(glob)event_store/**/{number:04}_*.sql"  # The file may have moved since.
        commits = git("log", "--diff-filter=A", "--format=%H", "--", files).decode().split()
        before = (
            f"{commits[-1]}^" if commits else "HEAD"
        )  # Not committed yet: all that is committed is before it.
        with tarfile.open(fileobj=io.BytesIO(git("archive", before, "event_store"))) as archive:
            archive.extractall(folder, filter="data")
        program = Path(__file__).with_name("old_code.py").read_text()
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, url, schema],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == str(folder / "event_store")

    def round_of_calls(self) -> list[object]:
        assert self._process.stdin is not None
        self._process.stdin.write("go on\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert isinstance(answer, list)
        return answer

    def close(self) -> None:
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0

    def _answer(self) -> object:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


@pytest.fixture
def old_code(postgres_url: str, schema: str, tmp_path: Path) -> Iterator[Callable[[int], OldCode]]:
    """Makes the code before a migration run, on a log that it makes."""
    if not (ROOT / ".git").exists():
        pytest.skip("a copy without its history: the code before a migration is not there")
    started: list[OldCode] = []

    def start(number: int) -> OldCode:
        started.append(OldCode(number, tmp_path, postgres_url, schema))
        return started[-1]

    yield start
    for old in started:
        old.close()


@pytest.mark.parametrize("number", LATER)
def test_the_code_before_a_migration_goes_on_after_it(
    postgres_url: str, schema: str, sql: psycopg.Connection, old_code: Callable[[int], OldCode], number: int
) -> None:
    old = old_code(number)
    assert old.round_of_calls() == [*ALL_WELL, 1, 1]
    assert pending(postgres_url, schema)[0] == migrations()[number - 1][1]
    assert len(migrate(postgres_url, schema, up_to=number)) == 1
    assert old.round_of_calls() == [*ALL_WELL, 2, 1]
    sql.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'daybook'"
    )
    assert old.round_of_calls() == [*ALL_WELL, 3, 1]  # Its new connections too find what they need.


@pytest.mark.parametrize("number", LATER)
def test_a_migration_runs_while_the_code_before_it_appends(
    postgres_url: str, schema: str, old_code: Callable[[int], OldCode], number: int
) -> None:
    old = old_code(number)
    done = threading.Event()
    rounds: list[list[object]] = []

    def write() -> None:
        while not done.is_set():
            rounds.append(old.round_of_calls())

    def until(count: int) -> None:
        while len(rounds) < count and writer.is_alive():
            done.wait(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    until(3)
    applied = migrate(postgres_url, schema, up_to=number)
    until(len(rounds) + 3)
    done.set()
    writer.join()
    assert len(applied) == 1
    assert len(rounds) >= 6
    assert rounds == [[*ALL_WELL, n, 1] for n in range(1, len(rounds) + 1)]


def test_a_migration_that_must_wait_for_a_table_gives_way(
    postgres_url: str, schema: str, sql: psycopg.Connection, old_code: Callable[[int], OldCode]
) -> None:
    """It would hold up every append behind it."""
    last = max(number for number, _, text in migrations() if "ALTER TABLE" in text or "DROP INDEX" in text)
    old = old_code(last)
    with sql.transaction():
        sql.execute(
            "LOCK TABLE commands, snapshots, tracking, open_work, schema_migrations IN ROW EXCLUSIVE MODE"
        )
        with pytest.raises(StoreUnavailable):
            migrate(postgres_url, schema)
        assert old.round_of_calls() == [*ALL_WELL, 1, 1]
    assert pending(postgres_url, schema) == [name for number, name, _ in migrations() if number >= last]
    assert migrate(postgres_url, schema) != []
    with contextlib.closing(PostgresLog(postgres_url, schema, read_only=False)) as log:
        assert isinstance(append(log, adding("cart-b"))[0], Appended)


def daybook_events_migrate(url: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "daybook", "events", "migrate", *options],
        cwd=ROOT,
        env={**os.environ, "DAYBOOK_POSTGRES_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_says_what_it_does_and_any_number_may_start_at_once(fresh_postgres: str) -> None:
    names = [name for _, name, _ in migrations()]
    granted = [
        "daybook_feed may read the events",
        "daybook_reader may read",
        "daybook_writer may append and read",
    ]

    dry = daybook_events_migrate(fresh_postgres, "--dry-run")
    output, complained = dry.communicate(timeout=60)
    assert (dry.returncode, complained) == (0, "")
    assert output.splitlines() == [
        *(f"to be applied: {name}" for name in names),
        *(f"to be granted: {one}" for one in granted),
    ]
    assert pending(fresh_postgres, "daybook") == names

    at_once = [daybook_events_migrate(fresh_postgres) for _ in range(3)]
    answers = sorted((one.communicate(timeout=60)[0].splitlines() for one in at_once), key=len)
    assert [one.returncode for one in at_once] == [0, 0, 0]
    nothing_to_do = ["The log's tables are up to date.", *(f"granted: {one}" for one in granted)]
    assert answers[0] == answers[1] == nothing_to_do
    assert answers[2] == [*(f"applied: {name}" for name in names), *nothing_to_do[1:]]
    PostgresLog.open(fresh_postgres).close()
