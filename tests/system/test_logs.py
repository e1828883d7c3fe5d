"""The processes' logs stay bounded, and of them a person sees what matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import logs
from deploy.local.logs import LogWatch, bound, is_trouble


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "the log is away", "level": "warning"}',
        '{"event": "request_failed", "level": "error"}',
        '2026-11-21 10:12:05.420 UTC [17] PANIC:  could not write to file "pg_wal/xlogtemp.17"',
        "17:M 21 Nov 2026 10:02:23.636 # Can't save in background: fork: Cannot allocate memory",
    ],
)
def test_a_warning_is_shown(line: str) -> None:
    assert is_trouble(line)


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "request", "level": "info"}',
        "2026-11-21 10:12:05.420 UTC [17] LOG:  checkpoint complete",
        "2026-11-21 10:12:05.420 UTC [17] FATAL:  the database system is starting up",
        "17:M 21 Nov 2026 10:02:23.636 # Server initialized",
        "17:M 21 Nov 2026 10:02:23.636 * Ready to accept connections",
        "",
    ],
)
def test_routine_is_not(line: str) -> None:
    assert not is_trouble(line)


def test_a_watch_tells_each_line_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "commands.log"
    log.write_text('{"level": "error", "event": "of an earlier run"}\n')
    watch = LogWatch(log)
    with log.open("a") as file:
        file.write('{"level": "warning", "event": "first"}\n{"level": "warning", "event": "sec')
    assert [line.split('"')[-2] for line in watch.troubles()] == ["first"]
    with log.open("a") as file:
        file.write('ond"}\n')
    assert [line.split('"')[-2] for line in watch.troubles()] == ["second"]
    assert list(watch.troubles()) == []


def test_a_log_that_has_grown_is_moved_aside_under_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES_MAX", 100)
    log = tmp_path / "redis.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        bound(log)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert (tmp_path / "redis.log.1").read_bytes() == b"x" * 101
