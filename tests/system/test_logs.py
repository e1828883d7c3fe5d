"""The processes' logs stay bounded, and of them a person sees what matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.logs import log_files as logs
from deploy.local.logs.log_files import TROUBLES_AT_ONCE, LogWatch, as_text, bound_all, is_trouble


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "the log is away", "level": "warning"}',
        '{"event": "request_failed", "level": "error"}',
        '2026-11-21 10:12:05.420 UTC [17] PANIC:  could not write to file "pg_wal/xlogtemp.17"',
        "17:M 21 Nov 2026 10:02:23.636 # Can't save in background: fork: Cannot allocate memory",
        "2026-11-27T12:19:04.242Z ERROR DataPlaneAcceptor - Unable to start acceptor for CONTROLLER",
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
        "2026-11-27T12:19:20.485Z WARN QuorumController - Performing controller activation.",
        "2026-11-27T12:19:21.113Z INFO KafkaRaftServer - Kafka Server started",
        "17:M 21 Nov 2026 10:02:23.636 * Ready to accept connections",
        "",
    ],
)
def test_routine_is_not(line: str) -> None:
    assert not is_trouble(line)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"event":"away","level":"warning","timestamp":"2026-11-27T02:34:48Z"}', "away"),
        (
            '{"view":"cart","position":7,"event":"view_stopped","level":"error"}',
            "view_stopped (view=cart, position=7)",
        ),
        (
            '{"event":"request_failed","exception":"Traceback:\\n  File\\nValueError: no\\n"}',
            "request_failed ValueError: no",
        ),
        ('{"event":"two\\nlines"}', "two lines"),
        ("512:M 27 Nov # Out of memory", "512:M 27 Nov # Out of memory"),
        ('{"cut', '{"cut'),
    ],
)
def test_a_line_is_shown_as_people_read_it(line: str, text: str) -> None:
    assert as_text(line) == text


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


def test_of_many_troubles_a_few_are_shown_and_the_others_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "commands.log"
    log.touch()
    watch = LogWatch(log)
    log.write_text('{"level": "error", "event": "one of many"}\n' * 50)
    assert len(watch.troubles()) == TROUBLES_AT_ONCE
    assert watch.troubles() == []
    monkeypatch.setattr(logs, "TROUBLES_A_MINUTE", 1e9)
    assert watch.troubles() == [f"and 40 more lines in {log}"]


def test_a_line_without_an_end_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "commands.log"
    log.touch()
    watch = LogWatch(log)
    log.write_text("x" * 1_500_000 + '\n{"level": "error", "event": "after it"}\n')
    assert [line for _ in range(2) for line in watch.troubles()] == [
        '{"level": "error", "event": "after it"}'
    ]


def test_logs_that_grow_are_moved_aside_under_their_writers(tmp_path: Path) -> None:
    with (tmp_path / "redis.log").open("ab", 0) as redis, (tmp_path / "query.log").open("ab", 0) as query:
        query.write(b"little\n")
        for _ in range(100):
            redis.write(b"x" * 99 + b"\n")
            bound_all(tmp_path, bytes_max=4_000)
            assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4_000
        redis.write(b"last\n")
    assert (tmp_path / "redis.log").read_bytes().endswith(b"last\n")
    assert (tmp_path / "redis.log.1").stat().st_size == 1_000
    assert (tmp_path / "query.log").read_bytes() == b"little\n"


def test_of_a_log_that_grew_at_once_the_end_is_kept(tmp_path: Path) -> None:
    (tmp_path / "redis.log").write_bytes(b"x" * 1_000_000 + b"end\n")
    bound_all(tmp_path, bytes_max=2_000)
    assert (tmp_path / "redis.log").read_bytes() == b""
    assert (tmp_path / "redis.log.1").read_bytes() == b"x" * 996 + b"end\n"


def test_a_log_that_cannot_be_moved_aside_is_emptied_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "redis.log").write_bytes(b"x" * 10_000)
    (tmp_path / "redis.log.1").symlink_to("/dev/full")
    bound_all(tmp_path, bytes_max=2_000)
    assert [(file.name, file.stat().st_size) for file in tmp_path.iterdir()] == [("redis.log", 0)]
