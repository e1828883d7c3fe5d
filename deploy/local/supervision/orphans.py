"""The record of the processes that `up` started, so that the next `up` can end those that outlived it.

A process counts as ours only by number and start time together: numbers are given out again. The time is
counted from the machine's start, which setting its clock does not move.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import psutil

from deploy.local.supervision.child_processes import end_processes


class ProcessRecord:
    """The processes started on one data folder that have not been seen to end."""

    def __init__(self, run: Path) -> None:
        self._file = run / "processes.json"
        self._started: dict[int, float] = {}

    def started(self, pid: int) -> None:
        try:
            self._started[pid] = _started_at(psutil.Process(pid))
        except psutil.NoSuchProcess:
            return
        self._write()

    def ended(self, pid: int) -> None:
        if self._started.pop(pid, None) is not None:
            self._write()

    def end_orphans(self) -> int:
        """End the recorded processes that still run, by SIGTERM first; returns their number."""
        orphans = [process for pid, time in self._read().items() if (process := _same(pid, time))]
        end_processes(orphans, seconds=15)
        with suppress(OSError):
            self._file.unlink(missing_ok=True)
        return len(orphans)

    def _read(self) -> dict[int, float]:
        try:
            return {int(pid): float(time) for pid, time in json.loads(self._file.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}  # None, or cut off by the crash: the kernel's signal to the children stands in for it.

    def _write(self) -> None:
        temporary = self._file.with_suffix(".new")
        # Where it cannot be noted, the kernel's signal to the children stands in for it.
        with suppress(OSError):
            temporary.write_text(json.dumps(self._started))
            temporary.replace(self._file)


def _same(pid: int, started_at: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if abs(_started_at(process) - started_at) < 0.02 else None
    except psutil.Error:
        return None


def _started_at(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()
