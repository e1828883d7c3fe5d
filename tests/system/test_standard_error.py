"""A log line that cannot be written costs nobody anything but that line; how many were lost is said later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.local.logs.standard_error import BestEffortWriter
from tests.waiting import SECONDS_MAX

PREAMBLE = """
import logging, os, resource, sys
from deploy.local.logs.standard_error import make_standard_error_best_effort
make_standard_error_best_effort()
from deploy.local.logs.structured_logs import configure_logs
configure_logs()
import structlog
log_lines = structlog.get_logger("tried")
"""


def run(code: str, *, stderr: int | str = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """In a process of its own; `stderr` may be a shell's redirection."""
    words = [sys.executable, "-c", PREAMBLE + code]
    if isinstance(stderr, str):
        words = ["sh", "-c", f'exec "$0" "$@" {stderr}', *words]
        stderr = subprocess.DEVNULL
    return subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
        cwd=Path.cwd(),
    )


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with suppress(OSError):
            os.close(end)


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


SAYS = "log_lines.info('said'); logging.error('said'); print('said', file=sys.stderr); print('went on')"


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_nothing_is_raised_where_nothing_can_be_written(stderr: str) -> None:
    done = run(SAYS, stderr=stderr)
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_nothing_is_raised_where_nobody_reads_any_more(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    done = run(SAYS, stderr=pipe[1])
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_a_standard_error_that_was_closed_is_no_other_file(tmp_path: Path) -> None:
    code = f"books = open({str(tmp_path / 'books')!r}, 'w'); {SAYS}"
    assert run(code, stderr="2>&-").returncode == 0
    assert (tmp_path / "books").read_text() == ""


def test_what_was_dropped_is_counted_and_said_once_it_works_again(tmp_path: Path) -> None:
    code = f"""
log = os.open({str(tmp_path / "log")!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(log, 2)
log_lines.info("before")
written = os.fstat(2).st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (written + 10, resource.RLIM_INFINITY))
for _ in range(5):
    log_lines.info("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log_lines.info("after")
log_lines.info("once")
"""
    assert run(code).returncode == 0
    before, torn, notice, after, once = (tmp_path / "log").read_text().splitlines()
    assert len(torn) == 10
    assert [json.loads(line)["event"] for line in (before, after, once)] == ["before", "after", "once"]
    line = json.loads(notice)
    assert (line["dropped"], line["level"]) == (5, "warning")


@pytest.mark.parametrize(
    "fact", ["'\\ud800'", "Unsayable()", "itself", "{(1, 2): 3}", "b'\\xff'", "float('nan')", "Unsayable"]
)
def test_what_cannot_be_said_as_it_is_meant_is_said_as_well_as_can_be(fact: str) -> None:
    code = f"""
class Unsayable:
    def __repr__(self): raise RuntimeError
itself = []
itself.append(itself)
log_lines.info("said", fact={fact})
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    (line,) = lines_of(done.stderr)
    assert (line["event"], "fact" in line) == ("said", True)


def test_a_fault_in_the_making_of_a_line_is_not_the_callers() -> None:
    code = """
import deploy.local.logs.structured_logs as logs
structlog.configure(processors=[lambda *_: 1 / 0])
structlog.get_logger("tried").info("said")
"""
    (line,) = lines_of(run(code).stderr)
    assert line == {"level": "info", "event": "said", "cut": "ZeroDivisionError"}


def test_no_line_is_long() -> None:
    code = """
log_lines.warning("request", path="/" + "x" * 1_000_000)
log_lines.warning("many", faults=["fault"] * 1_000_000, trace_id="t" * 32)
logging.getLogger("server").error("said %s", "y" * 1_000_000)
try:
    raise ValueError("z" * 1_000_000)
except ValueError:
    log_lines.exception("failed")
"""
    done = run(code)
    assert max(map(len, done.stderr.splitlines())) < 16_000
    request, many, last, failed = lines_of(done.stderr)
    assert str(request["path"]).endswith("… (999501 characters more)")
    assert (many["trace_id"], "bytes" in str(many["cut"])) == ("t" * 32, True)
    assert (last["logger"], last["level"]) == ("server", "error")
    assert "Traceback" in str(failed["exception"])


def test_a_reader_that_has_stopped_holds_nobody_up(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.logs.standard_error.WAIT_SECONDS_MAX", 0.01)
    reading, writing = pipe
    writer = BestEffortWriter(writing)
    line = b"x" * 999 + b"\n"
    for _ in range(1_000):  # A pipe holds 64 kB: without the limit, the process would stand still here.
        writer.write(line)
    assert writer.dropped > 900
    lost = writer.dropped
    os.read(reading, 1_000_000)
    writer.write(b"again\n")
    notice, again = os.read(reading, 1_000_000).splitlines()[-2:]
    assert (json.loads(notice)["dropped"], again) == (lost, b"again")
