"""`daybook import online-retail`: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from commands.importing.cli import import_group
from commands.importing.running import LOCK
from commands.importing.views import ViewsUnreachable, wait_for_views
from event_store import limits as entries
from event_store.postgres.log import PostgresLog
from tests.importing.files import HEADER, SMALL, written


@dataclass(frozen=True)
class Found:
    """The system as the command line finds it."""

    postgres: str | None
    data_dir: Path
    read: str | None = None

    @property
    def postgres_url(self) -> str:
        if self.postgres is None:
            raise click.ClickException("nothing runs")
        return self.postgres


def called(url: str | None, folder: Path, *arguments: str, read: str | None = None) -> Result:
    return CliRunner().invoke(import_group, ["online-retail", *arguments], obj=Found(url, folder, read))


def test_the_table_is_on_standard_output_and_progress_on_standard_error(
    fresh_postgres: str, tmp_path: Path
) -> None:
    result = called(fresh_postgres, tmp_path, str(SMALL))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[-1].strip() == "GBP aside"
    assert any(
        line.split() == ["products", "sold", "12", "84.65", "12", "84.65", "0", "0.00"] for line in lines
    )
    assert any(
        line.split() == ["all", "lines", "42", "5,767.90", "31", "8.84", "11", "5,759.06"] for line in lines
    )
    assert lines[-1] == "Every line is accounted for, to the penny."
    assert "going through the invoices" in result.stderr
    assert "record_sale" not in result.output  # no log line per command
    [aside] = (tmp_path / "imports").iterdir()
    assert str(aside) in result.stdout
    assert len(aside.read_text().splitlines()) == 1 + 11


def test_a_second_import_says_that_nothing_changed(fresh_postgres: str, tmp_path: Path) -> None:
    called(fresh_postgres, tmp_path, str(SMALL))
    again = called(fresh_postgres, tmp_path, str(SMALL), "--aside", str(tmp_path / "mine.csv"))
    assert again.exit_code == 0
    assert "nothing changed" in again.stdout
    assert (tmp_path / "mine.csv").is_file()


CONTENTS = {
    "empty": b"",
    "only a header": HEADER.encode(),
    "a PDF": b"%PDF-1.7",
    "HTML": b"<html><body>Sign in</body></html>",
    "a zip": b"PK\x03\x04",
    "wrong columns": b"a,b\n1,2\n",
    "cut gzip": gzip.compress(SMALL.read_bytes(), mtime=0)[:-9],
    "nothing but damage": f"{HEADER}\n1,2,3\n{'x,' * 7}x\n".encode(),
    "ambiguous dates": SMALL.read_bytes().replace(b"2011-03-0", b"3/1/201").replace(b"2011-06-0", b"3/1/201"),
}


def test_where_nothing_can_be_read_it_says_so_in_one_line_and_writes_nothing(
    fresh_postgres: str, tmp_path: Path
) -> None:
    path = tmp_path / "given"
    for name, content in CONTENTS.items():
        path.write_bytes(content)
        for arguments in ([], ["--dry-run"]):
            result = called(fresh_postgres, tmp_path, str(path), *arguments)
            assert (result.exit_code, result.stdout) == (1, ""), name
            assert len([line for line in result.stderr.splitlines() if line.startswith("Error:")]) == 1, name
            assert "Traceback" not in result.stderr
    assert head_of(fresh_postgres) == 0
    assert not (tmp_path / "imports").exists()


def test_what_is_no_file_ends_with_1(fresh_postgres: str, tmp_path: Path) -> None:
    for path, words in {tmp_path / "none.csv": "there is no such file", tmp_path: "is a directory"}.items():
        result = called(fresh_postgres, tmp_path, str(path))
        assert (result.exit_code, result.stdout) == (1, "")
        assert words in result.stderr


def head_of(url: str) -> int:
    log = PostgresLog.open(url)
    head = log.head()
    log.close()
    return head


def in_turn(text: str) -> str:
    """The small shop's dates as 1/3/2011 9:00, none of which decides its form."""
    return re.sub(r"2011-0(\d)-0(\d) 0?(\d+:\d\d):00", r"\2/\1/2011 \3", text)


def test_ambiguous_dates_are_refused_without_the_option(fresh_postgres: str, tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_text(in_turn(SMALL.read_text()))
    result = called(fresh_postgres, tmp_path, str(path))
    assert result.exit_code == 1
    assert "--dates day-month or --dates month-day" in result.stderr
    refused = called(fresh_postgres, tmp_path, str(path), "--dates", "iso")
    assert refused.exit_code == 1
    assert "--dates iso is contradicted by line 2 ('1/3/2011 9:00')" in refused.stderr
    assert head_of(fresh_postgres) == 0
    chosen = called(fresh_postgres, tmp_path, str(path), "--dates", "day-month")
    assert chosen.exit_code == 0
    assert "dates day-month" in chosen.stderr
    assert "dates day-month" in chosen.stdout
    iso = called(fresh_postgres, tmp_path, str(SMALL))  # the same moments: nothing is new
    assert "nothing changed" in iso.stdout


def test_how_the_file_is_read_is_named(fresh_postgres: str, tmp_path: Path) -> None:
    path = tmp_path / "given.csv"
    path.write_bytes(SMALL.read_text().replace("WHISTLE", "WHISTLE £1").encode("cp1252"))
    result = called(fresh_postgres, tmp_path, str(path))
    assert result.exit_code == 0
    words = "read as Online Retail, Windows-1252, commas between columns, dates iso"
    assert words in result.stdout
    assert words in result.stderr


def table_of(result: Result) -> list[str]:
    return result.stdout.partition("\n\n")[0].splitlines()


def test_a_dry_run_shows_the_table_of_the_import_and_writes_nothing(
    fresh_postgres: str, tmp_path: Path
) -> None:
    dry = called(fresh_postgres, tmp_path, str(SMALL), "--dry-run")
    assert dry.exit_code == 0
    assert "15 of 18 invoices would be new to the log; nothing was written" in dry.stdout
    assert head_of(fresh_postgres) == 0
    assert not (tmp_path / "imports").exists()
    alone = called(None, tmp_path, str(SMALL), "--dry-run")
    assert "no running system was found: the log is taken to be empty" in alone.stderr
    done = called(fresh_postgres, tmp_path, str(SMALL))
    head = head_of(fresh_postgres)
    again = called(fresh_postgres, tmp_path, str(SMALL), "--dry-run")
    assert "0 of 18 invoices would be new to the log" in again.stdout
    assert head_of(fresh_postgres) == head
    assert table_of(dry) == table_of(alone) == table_of(done) == table_of(again)
    assert len(table_of(done)) > 20


def test_a_dry_run_names_what_the_log_has_otherwise(fresh_postgres: str, tmp_path: Path) -> None:
    lines = SMALL.read_text().splitlines()[1:]
    called(fresh_postgres, tmp_path, str(written(tmp_path, *lines[1:])))
    result = called(fresh_postgres, tmp_path, str(SMALL), "--dry-run")
    assert result.exit_code == 1
    assert "  900001: products sold 3 lines 24.08 in the file, 2 lines 8.78 in the log" in result.stdout


def test_without_a_system_it_is_the_file_that_is_told_of_first(tmp_path: Path) -> None:
    assert "nothing runs" in called(None, tmp_path, str(SMALL)).stderr
    assert "there is no such file" in called(None, tmp_path, str(tmp_path / "none")).stderr


def test_an_account_that_does_not_add_up_ends_with_1(fresh_postgres: str, tmp_path: Path) -> None:
    lines = SMALL.read_text().splitlines()[1:]
    called(fresh_postgres, tmp_path, str(written(tmp_path, *lines[1:])))
    result = called(fresh_postgres, tmp_path, str(SMALL))
    assert result.exit_code == 1
    assert "THE ACCOUNT DOES NOT ADD UP." in result.stdout
    assert "In the log with other lines than in the file: 900001" in result.stdout


def test_two_imports_never_run_at_once(fresh_postgres: str, tmp_path: Path) -> None:
    log = PostgresLog.open(fresh_postgres)
    held = log.try_exclusive(LOCK)
    assert held is not None
    result = called(fresh_postgres, tmp_path, str(SMALL))
    assert result.exit_code == 1
    assert "another import is under way" in result.stderr
    assert log.head() == 0
    held.release()
    log.close()


class SlowViews(BaseHTTPRequestHandler):
    """A query side whose views come nearer with every question."""

    def do_GET(self) -> None:
        self.server.requests += 1  # type: ignore[attr-defined]
        self.send_response(404 if "orders" in self.path else 200)
        self.send_header("Daybook-View-Position", str(self.server.requests))  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def read_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowViews)
    server.requests = 0  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_slowest_read_model_is_waited_for(read_url: str) -> None:
    seen: list[int] = []
    wait_for_views(read_url, position=30, moved=seen.append)
    assert seen[0] == 1
    assert seen == sorted(seen)
    assert seen[-1] >= 30


def test_books_are_written_though_nobody_can_show_them(fresh_postgres: str, tmp_path: Path) -> None:
    result = called(fresh_postgres, tmp_path, str(SMALL), read="http://127.0.0.1:9")
    assert result.exit_code == 0
    assert "The books are written; the query side does not answer" in result.stderr
    with pytest.raises(ViewsUnreachable):
        wait_for_views("http://127.0.0.1:9", position=1, moved=lambda _: None)


def test_an_invoice_past_the_event_limit_ends_the_import_in_one_line(
    fresh_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "EVENT_DATA_BYTES_MAX", 1_000)
    result = called(fresh_postgres, tmp_path, str(SMALL))
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert "was refused: TooLarge(what='bytes of " in last
    assert "Traceback" not in result.output
