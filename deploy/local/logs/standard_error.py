"""Standard error that takes what can be written now, and never raises.

A line is not worth a command: a full disk, a closed pipe and a terminal that is gone drop lines, and a
reader that has stopped reading is waited for once. The number of dropped lines is written as soon as a line
can be written again.
"""

from __future__ import annotations

import io
import json
import os
import select
import stat
import sys
import threading
from datetime import UTC, datetime
from typing import Any

WAIT_SECONDS_MAX = 1.0
"""How long a reader may make us wait before lines are dropped; while they are, nobody waits."""

_AT_ONCE_BYTES = 4096  # What a pipe that has room at all takes without waiting.


class BestEffortWriter(io.RawIOBase):
    """Bytes to a file descriptor, each call whole or not at all as far as the system allows."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._torn = False  # The last line to be written was cut off in its middle.
        self._readers: select.poll | None = None
        self.dropped = 0
        try:
            may_wait = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        except OSError:
            may_wait = False
        if may_wait:
            self._readers = select.poll()
            self._readers.register(descriptor, select.POLLOUT)

    def write(self, data: Any, /) -> int:
        """Writes it or counts it as dropped; either way it is done with."""
        line = bytes(data)
        with self._lock:
            if self.dropped and self._sent(self._lost()):
                self.dropped = 0
            if self.dropped or not self._sent(line):
                self.dropped += 1
        return len(line)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def _sent(self, data: bytes) -> bool:
        left = memoryview(data)
        try:
            while left:
                if self._readers is None:
                    left = left[os.write(self._descriptor, left) :]
                elif self._readers.poll(0 if self.dropped else WAIT_SECONDS_MAX * 1000):
                    left = left[os.write(self._descriptor, left[:_AT_ONCE_BYTES]) :]
                else:
                    break
        except OSError:
            pass
        self._torn = (self._torn and len(left) == len(data)) or 0 < len(left) < len(data)
        return not left

    def _lost(self) -> bytes:
        event = "lines were dropped: they could not be written"
        line = {
            "timestamp": datetime.now(UTC).isoformat(),
            "level": "warning",
            "event": event,
            "dropped": self.dropped,
        }
        text = f"! {self.dropped} {event}" if self.isatty() else json.dumps(line)
        return f"{chr(10) if self._torn else ''}{text}\n".encode()


def make_standard_error_best_effort() -> None:
    """From now on whatever this process writes to `sys.stderr`, in whichever way, raises nothing.

    A standard stream that was closed when the process began is opened to nowhere: the next file to be opened
    would bear its number, and be written to.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stderr = _best_effort(2, sys.stderr)
    if sys.stdout is None:
        sys.stdout = _best_effort(1, None)


def make_standard_output_best_effort() -> None:
    """The same for `sys.stdout`, of a process whose purpose is not its output."""
    sys.stdout = _best_effort(1, sys.stdout)


def _best_effort(descriptor: int, before: Any) -> io.TextIOWrapper:
    if isinstance(getattr(before, "buffer", None), BestEffortWriter):
        return before  # type: ignore[no-any-return]
    encoding = getattr(before, "encoding", None) or "utf-8"
    writer: Any = BestEffortWriter(descriptor)
    return io.TextIOWrapper(writer, encoding=encoding, errors="backslashreplace", line_buffering=True)
