"""`daybook import online-retail`: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from commands.importing.cli import import_group
from commands.importing.running import LOCK
from commands.importing.views import ViewsUnreachable, wait_for_views
from event_store.postgres_log import PostgresLog
from tests.importing.given import SMALL, written


@dataclass(frozen=True)
class Found:
    """The system as the command line finds it."""

    postgres_url: str
    data_dir: Path
    read: str | None = None


def called(url: str, folder: Path, *arguments: str, read: str | None = None) -> Result:
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
    assert "writing invoices" in result.stderr
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


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", b"a,b\n1,2\n", gzip.compress(SMALL.read_bytes(), mtime=0)[:-9]]
)
def test_another_format_is_one_clear_line_and_nothing_is_written(
    fresh_postgres: str, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    result = called(fresh_postgres, tmp_path, str(path))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error:")]) == 1
    log = PostgresLog.open(fresh_postgres)
    assert log.head() == 0
    log.close()
    assert not (tmp_path / "imports").exists()


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
        self.server.asked += 1  # type: ignore[attr-defined]
        self.send_response(404 if "orders" in self.path else 200)
        self.send_header("Daybook-View-Position", str(self.server.asked))  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def read_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowViews)
    server.asked = 0  # type: ignore[attr-defined]
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
