"""The processes' logs: kept to a bounded size, and watched for what a person at the terminal should see."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

LOG_BYTES_MAX = 20_000_000

_SERVER_TROUBLE = re.compile(r"\b(?:WARNING|ERROR|FATAL|PANIC): ")
# Said to whoever asks too early or too late, ourselves above all.
_SERVER_ROUTINE = re.compile(r"FATAL: +(?:the database system is|terminating .* due to administrator)")


_REDIS_ROUTINE = re.compile(
    r"# (?:oO0O|Redis version=|Configuration loaded|Server initialized|User requested shutdown"
    r"|Redis is now ready|WARNING Memory overcommit|WARNING you have Transparent Huge|WARNING: The TCP)"
)


def bound(log: Path) -> None:
    """Move a log that has grown too large aside. Its writers append, so it can be emptied under them."""
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        with log.open("r+b") as file:
            file.truncate()


class LogWatch:
    """New lines of one log since the last look, of those the ones at warning level or above."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen = log.stat().st_size if log.exists() else 0

    def troubles(self) -> Iterator[str]:
        if not self._log.exists():
            return
        size = self._log.stat().st_size
        if size < self._seen:
            self._seen = 0
        if size == self._seen:
            return
        with self._log.open("rb") as file:
            file.seek(self._seen)
            fresh = file.read(1_000_000)
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._seen += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if is_trouble(line):
                yield line


def is_trouble(line: str) -> bool:
    """Whether a person should see this line: a warning or worse. What no logger wrote stays in the log."""
    text = line.strip()
    if not text:
        return False
    if text.startswith("{"):
        try:
            level = json.loads(text).get("level", "info")
        except ValueError:
            return False
        return level not in {"debug", "info"}
    if re.match(r"\d{4}-\d\d-\d\d .* \[\d+\] ", text):  # PostgreSQL
        return bool(_SERVER_TROUBLE.search(text)) and not _SERVER_ROUTINE.search(text)
    if re.match(r"\d+:[A-Z] \d\d ", text):  # Redis: `#` is its warning
        return " # " in text and not _REDIS_ROUTINE.search(text)
    return False
