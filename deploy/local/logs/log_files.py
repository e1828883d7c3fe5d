"""The processes' logs: kept to a bounded size, and watched for what a person at the terminal should see."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

LOGS_BYTES_MAX = 100_000_000  # of all together
TROUBLES_AT_ONCE = 10  # lines of one log that are shown
TROUBLES_A_MINUTE = 10

_LOOK_BYTES_MAX = 1_000_000

_SERVER_TROUBLE = re.compile(r"\b(?:WARNING|ERROR|FATAL|PANIC): ")
# Logged for connections that come too early or too late, ours above all.
_SERVER_ROUTINE = re.compile(r"FATAL: +(?:the database system is|terminating .* due to administrator)")


_REDIS_ROUTINE = re.compile(
    r"# (?:oO0O|Redis version=|Configuration loaded|Server initialized|User requested shutdown"
    r"|Redis is now ready|WARNING Memory overcommit|WARNING you have Transparent Huge|WARNING: The TCP)"
)


def bound(log: Path, bytes_max: int) -> None:
    """Move what a log that has grown too large holds aside. Its writers append, so it is emptied under them.

    A line written between the two is lost; where there is no room to move it, all of it is.
    """
    if log.stat().st_size <= bytes_max:
        return
    rotated = log.with_name(f"{log.name}.1")
    try:
        with log.open("rb") as file:
            file.seek(-bytes_max, os.SEEK_END)  # It may have grown to any size between two looks.
            rotated.write_bytes(file.read(bytes_max))
    except OSError:
        rotated.unlink(missing_ok=True)
    os.truncate(log, 0)


def bound_all(folder: Path, bytes_max: int = LOGS_BYTES_MAX) -> None:
    """Keep all logs of this folder, and what was moved aside of them, within `bytes_max` together."""
    logs = sorted(folder.glob("*.log"))
    for log in logs:
        bound(log, bytes_max // (2 * len(logs)))


class LogWatch:
    """New lines of one log since the last look, of those the ones at warning level or above."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen = log.stat().st_size if log.exists() else 0
        self._left = float(TROUBLES_AT_ONCE)
        self._looked_at = time.monotonic()
        self._suppressed = 0

    def troubles(self) -> list[str]:
        """A few at once and then some a minute, with a line that counts those between."""
        now = time.monotonic()
        self._left += (now - self._looked_at) * TROUBLES_A_MINUTE / 60
        self._left = min(self._left, TROUBLES_AT_ONCE)
        self._looked_at = now
        shown = []
        for line in filter(is_trouble, self._fresh()):
            if self._left >= 1:
                self._left -= 1
                shown.append(line)
            else:
                self._suppressed += 1
        if self._suppressed and self._left >= 1:
            self._left -= 1
            shown.append(f"and {self._suppressed} more lines in {self._log}")
            self._suppressed = 0
        return shown

    def _fresh(self) -> list[str]:
        try:
            size = self._log.stat().st_size
            if size < self._seen:
                self._seen = 0
            if size == self._seen:
                return []
            with self._log.open("rb") as file:
                file.seek(self._seen)
                fresh = file.read(_LOOK_BYTES_MAX)
        except OSError:
            return []
        complete = fresh[: fresh.rfind(b"\n") + 1]
        # More without an end than is read at once is no line that anybody would want to see.
        self._seen += len(complete) or (len(fresh) if len(fresh) == _LOOK_BYTES_MAX else 0)
        return complete.decode(errors="replace").splitlines()


_SHOWN_OTHERWISE = frozenset({"event", "exception", "level", "timestamp"})


def as_text(line: str) -> str:
    """A process's log line as people read it, on one line: what happened, the facts, and of an exception its
    last line. What no logger of ours wrote is as it is."""
    try:
        fields = json.loads(line) if line.startswith("{") else None
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or "event" not in fields:
        return line
    facts = ", ".join(f"{name}={value}" for name, value in fields.items() if name not in _SHOWN_OTHERWISE)
    exception = str(fields.get("exception", "")).strip().rpartition("\n")[2]
    parts = (str(fields["event"]), f"({facts})" if facts else "", exception)
    return " ".join(" ".join(filter(None, parts)).split())


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
    # Kafka: it warns of its routine. Where in the code that was follows on lines of their own.
    return bool(re.match(r"\d{4}-\d\d-\d\dT\S+ (?:ERROR|FATAL) ", text))
