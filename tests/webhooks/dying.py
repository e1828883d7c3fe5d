"""Processes that send webhooks, and that SIGKILL ends, or SIGSTOP stops, before or after a write of theirs.

Forked from a server that has loaded the code, so that dozens of them take seconds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from event_store.postgres.log import PostgresLog
from tests.webhooks.sending import sending

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])

WRITES = ("begin_deliveries", "queue_deliveries", "note_attempt", "append")


@dataclass(frozen=True)
class End:
    """The step at which a process ends, the how many-eth of its kind, and by which signal."""

    step: str  # "before note_attempt"
    number: int = 1
    signal: signal.Signals = signal.SIGKILL


class SteppedLog(PostgresLog):
    """The real one; each write of the sender's is a step before it and one after."""

    end: End
    reached = 0

    def begin_deliveries(self, *values: Any, **named: Any) -> Any:
        return self._step("begin_deliveries", super().begin_deliveries, *values, **named)

    def queue_deliveries(self, *values: Any, **named: Any) -> Any:
        return self._step("queue_deliveries", super().queue_deliveries, *values, **named)

    def note_attempt(self, *values: Any, **named: Any) -> Any:
        return self._step("note_attempt", super().note_attempt, *values, **named)

    async def append_async(self, *values: Any, **named: Any) -> Any:
        self._reach("before append")
        outcomes = await super().append_async(*values, **named)
        self._reach("after append")
        return outcomes

    def _step(self, name: str, write: Any, *values: Any, **named: Any) -> Any:
        self._reach(f"before {name}")
        result = write(*values, **named)
        self._reach(f"after {name}")
        return result

    def _reach(self, step: str) -> None:
        if step != self.end.step:
            return
        self.reached += 1
        if self.reached == self.end.number:
            os.kill(os.getpid(), self.end.signal)


@contextmanager
def sender_process(url: str, folder: Path, end: End) -> Iterator[Any]:
    """A process that sends until it comes to this step."""
    process = _processes.Process(target=_send, args=(url, str(folder / "out"), end))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _send(url: str, out: str, end: End) -> None:
    sys.stdout = sys.stderr = Path(out).open("a")  # noqa: SIM115 - for the process's life

    async def run() -> None:
        SteppedLog.end = end
        async with sending(SteppedLog.open(url)):
            await asyncio.Event().wait()

    asyncio.run(run())
