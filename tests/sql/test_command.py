"""`daybook sql`, as a person runs it."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from deploy.local.addresses import Addresses
from event_store.postgres.log import PostgresLog
from replays.cli import replays_group
from replays.duckdb.cli import sql_command
from replays.duckdb.formats import ROWS_SHOWN
from tests.shop.story import ANNA, Story
from tests.system.running import default_signals
from tests.waiting import SECONDS_MAX, wait_until


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    return data


@pytest.fixture
def postgres_shop(fresh_postgres: str) -> Iterator[Story]:
    log = PostgresLog.open(fresh_postgres)
    shop = Story(log)
    shop.whole_story()
    yield shop
    log.close()


def ask(url: str, data: Path, *arguments: str, typed: str | None = None) -> Result:
    addresses = SimpleNamespace(postgres_url=url, data_dir=data)
    return CliRunner().invoke(sql_command, arguments, obj=addresses, input=typed)


@pytest.fixture
def in_files(fresh_postgres: str, postgres_shop: Story, data: Path) -> None:
    """What the shop has so far is exported."""
    CliRunner().invoke(
        replays_group, ["export", str(data / "export")], obj=SimpleNamespace(postgres_url=fresh_postgres)
    )


@pytest.mark.usefixtures("in_files")
def test_files_in_the_data_folder_and_the_log_are_one(
    fresh_postgres: str, postgres_shop: Story, data: Path
) -> None:
    postgres_shop.receive("NEW-1", 7)
    count = "SELECT count(*) AS events, max(position) AS last FROM events"

    both = ask(fresh_postgres, data, count, "--format", "json")
    files = ask("postgresql://nowhere.invalid/", data, count, "--format", "json", "--no-log")

    head = postgres_shop.log.head()
    assert json.loads(both.stdout) == [{"events": head, "last": head}]
    assert json.loads(files.stdout) == [{"events": head - 1, "last": head - 1}]


def test_without_files_all_is_read_from_the_log(
    fresh_postgres: str, postgres_shop: Story, data: Path
) -> None:
    result = ask(fresh_postgres, data, "SELECT order_id, net, NULL AS none FROM orders ORDER BY 1 LIMIT 1")

    header, rule, row, count = result.stdout.splitlines()
    assert header.split() == ["order_id", "net", "none"]
    assert set(rule) == {"-", " "}
    assert row.split()[0] == ANNA
    assert count == "(1 row)"


def test_formats_have_the_same_rows(
    fresh_postgres: str, postgres_shop: Story, data: Path, tmp_path: Path
) -> None:
    sql = "SELECT order_id, unit_price, placed_at, quantity, NULL AS gift FROM lines ORDER BY order_id"
    nested = "SELECT lines, taxes FROM orders_order_placed LIMIT 1"
    file = tmp_path / "answer.parquet"

    in_json = json.loads(ask(fresh_postgres, data, sql, "--format", "json").stdout)
    in_csv = list(csv.DictReader(io.StringIO(ask(fresh_postgres, data, sql, "--format", "csv").stdout)))
    written = ask(fresh_postgres, data, sql, "--format", "parquet", "--output", str(file))

    assert written.exit_code == 0, written.output
    rows = pq.read_table(file).to_pylist()
    assert [row["order_id"] for row in in_json] == [row["order_id"] for row in rows]
    assert [row["order_id"] for row in in_csv] == [row["order_id"] for row in rows]
    assert [float(row["unit_price"]) for row in in_csv] == [float(row["unit_price"]) for row in rows]
    assert [row["quantity"] for row in in_json] == [row["quantity"] for row in rows] == [2, 3]
    assert {row["gift"] for row in in_csv} == {""}
    assert {row["placed_at"] for row in in_json} == {row["placed_at"] for row in in_csv}
    ((lines, _),) = list(
        csv.reader(io.StringIO(ask(fresh_postgres, data, nested, "--format", "csv").stdout))
    )[1:]
    assert json.loads(lines)[0]["sku"] == "MUG-1"
    assert json.loads(ask(fresh_postgres, data, "SELECT 1 WHERE false", "--format", "json").stdout) == []


def test_a_table_for_people_shows_so_many_rows_and_counts_all(
    fresh_postgres: str, postgres_shop: Story, data: Path
) -> None:
    long = ask(fresh_postgres, data, f"SELECT i FROM range({ROWS_SHOWN + 1}) AS numbers(i)")
    hostile = ask(fresh_postgres, data, "SELECT chr(27) || '[2J' || chr(10) || 'b' AS a")

    assert len(long.stdout.splitlines()) == ROWS_SHOWN + 3
    assert long.stdout.splitlines()[-1].startswith(f"({ROWS_SHOWN + 1} rows, {ROWS_SHOWN} of them shown")
    assert hostile.stdout.splitlines()[2] == " [2J b"


def test_an_answer_in_a_file_is_whole_or_not_there(
    fresh_postgres: str, postgres_shop: Story, data: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("before")
    fails = "SELECT CASE WHEN i >= 900000 THEN ('x' || i)::INT END FROM range(1000000) AS numbers(i)"

    failed = ask(fresh_postgres, data, fails, "--format", "csv", "--output", str(kept))
    nowhere = ask(fresh_postgres, data, "SELECT 1", "--output", str(tmp_path / "no" / "file"))

    assert (failed.exit_code, nowhere.exit_code) == (1, 1)
    assert kept.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["kept.csv"]
    assert "cannot be written: No such file or directory" in nowhere.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["SELEC 1"], 1, "syntax error"),
        (["DROP VIEW orders"], 1, "only answers questions"),
        (["SELECT 1", "--format", "parquet"], 2, "--output FILE"),
        (["--format", "csv"], 2, 'daybook sql "SELECT …"'),
        (["SELECT 1; SELECT 2", "--output", "x"], 2, "one question"),
        (["SELECT 1", "--no-log"], 1, "daybook replays export"),
        (["SELECT 1", "--files", "nowhere"], 1, "nowhere has no export"),
    ],
    ids=[
        "no SQL",
        "writes",
        "Parquet on a terminal",
        "no question",
        "two in a file",
        "no files",
        "no export",
    ],
)
def test_what_cannot_be_is_said(
    fresh_postgres: str, postgres_shop: Story, data: Path, arguments: list[str], code: int, words: str
) -> None:
    result = ask(fresh_postgres, data, *arguments)

    assert (result.exit_code, words in result.stderr) == (code, True), result.output


def test_where_nothing_runs_it_says_what_to_do(data: Path) -> None:
    result = CliRunner().invoke(sql_command, ["SELECT 1"], obj=Addresses(data_dir=data))

    assert "daybook up" in str(result.exception)


SHELL = """
import sys
from pathlib import Path
from types import SimpleNamespace
from replays.duckdb.cli import sql_command
sql_command([], obj=SimpleNamespace(postgres_url=sys.argv[1], data_dir=Path(sys.argv[2])))
"""


def test_questions_come_one_after_another(fresh_postgres: str, postgres_shop: Story, data: Path) -> None:
    typed = (
        ".tables\n.columns carts\nSELECT\n1 AS one;\n\nSELEC;\n.nothing\n.format csv\n"
        "SELECT 2 AS two; SELECT 3 AS three;\n.format parquet\nSELECT count(*) AS events FROM events"
    )

    asked = subprocess.run(
        [sys.executable, "-c", SHELL, fresh_postgres, str(data)],
        input=typed,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS_MAX,
    )

    lines = asked.stdout.splitlines()
    assert any(line.startswith("customer_value") for line in lines)
    assert any(line.split() == ["checked_out_at", "TIMESTAMP", "WITH", "TIME", "ZONE"] for line in lines)
    events = str(postgres_shop.log.head())
    assert lines[-10:-4] == ["one", "---", "  1", "(1 row)", "two", "2"]
    assert lines[-4:] == ["three", "3", "events", events]
    assert "syntax error" in asked.stderr
    assert ".refresh" in asked.stderr


@pytest.mark.slow
def test_ctrl_c_gives_up_a_question_and_the_next_is_answered(
    fresh_postgres: str, postgres_shop: Story, data: Path
) -> None:
    """At a terminal, with history."""
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        [sys.executable, "-c", SHELL, fresh_postgres, str(data)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=default_signals,  # noqa: PLW1509 - nothing runs here beside
    )
    os.close(theirs)
    seen = ""

    def shows(words: str) -> None:
        nonlocal seen
        while words not in seen:
            assert select.select([ours], [], [], SECONDS_MAX)[0], f"no {words!r} after {seen!r}"
            seen += os.read(ours, 4096).decode(errors="replace")
        seen = seen.partition(words)[2]

    def works(seconds: float) -> bool:
        """Whether it has taken so much CPU since it had the question: what is only typed takes none."""
        return sum(psutil.Process(shell.pid).cpu_times()[:2]) > before + seconds

    try:
        shows("daybook> ")
        os.write(ours, b"SELECT 6 * 7 AS number;\n")
        shows("42")
        shows("daybook> ")
        before = sum(psutil.Process(shell.pid).cpu_times()[:2])
        os.write(ours, b"SELECT count(*) FROM range(100000) a, range(100000000) b;\n")
        shows("b;")
        wait_until(lambda: works(0.5))
        shell.send_signal(signal.SIGINT)
        shows("given up")
        shows("daybook> ")
        os.write(ours, b"SELECT 6 * 8 AS number;\n")
        shows("48")
        shows("daybook> ")
        os.write(ours, b".quit\n")
        assert shell.wait(SECONDS_MAX) == 0
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    assert "6 * 7" in (data / "sql_history").read_text()
