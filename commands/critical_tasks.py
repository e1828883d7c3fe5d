"""The tasks a command process needs: where one ends by itself, the process stops and reports why."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Ended = Callable[[str, BaseException | None], None]
"""Gets the name of what has ended by itself, and what ended it."""


def end_this_process(name: str, error: BaseException | None) -> None:
    """Stops the server in order."""
    _write_error(f"{name} has ended: {_in_words(error)}")
    signal.raise_signal(signal.SIGTERM)


def has_failed(task: asyncio.Task[Any], *, stopping: bool) -> bool:
    """Whether a task that never returns has ended by itself: nobody canceled it, or asked it to stop."""
    if task.cancelled():
        return not task.cancelling()
    return task.exception() is not None or not stopping


def error_of(task: asyncio.Task[Any]) -> BaseException | None:
    """What ended the task; None where that was no error."""
    return None if task.cancelled() else task.exception()


class CriticalTasks:
    """Notes whether something has ended by itself."""

    def __init__(self) -> None:
        self._failed = False

    def ended(self, name: str, error: BaseException | None) -> None:
        """Stops the server in order. Only the first is reported."""
        if not self._failed:
            self._failed = True
            end_this_process(name, error)

    def require(self) -> None:
        """Ends the process with exit code 1, where something has ended by itself."""
        if self._failed:
            raise SystemExit(1)


def _in_words(error: BaseException | None) -> str:
    return "canceled" if error is None else f"{type(error).__name__}: {' '.join(str(error).split())}"


def _write_error(line: str) -> None:
    # The failure may be that nothing can be written any more.
    with suppress(Exception):
        sys.stderr.write(f"daybook: {line}\n")
        sys.stderr.flush()
