"""The progress and failures that `daybook up` prints on standard error: text at a terminal, else JSON."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime

EVENT_CHARACTERS_MAX = 500


class Display:
    """Prints the progress of the start, and later failures."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._for_a_person = sys.stderr.isatty()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def show(self, event: str, *, process: str | None = None, level: str = "info") -> None:
        if len(event) > EVENT_CHARACTERS_MAX:
            event = f"{event[:EVENT_CHARACTERS_MAX]} …"
        if self._for_a_person:
            mark = {"info": " ", "warning": "!", "error": "!"}[level]
            print(f"{mark} {self.seconds:6.1f} s  {process or '':<12} {event}", file=sys.stderr, flush=True)  # noqa: T201
            return
        line = {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "seconds": round(self.seconds, 2),
        }
        if process is not None:
            line["process"] = process
        print(json.dumps(line), file=sys.stderr, flush=True)  # noqa: T201
