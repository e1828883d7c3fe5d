"""How far an import is, on standard error: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 5.0
NOTES_MAX = 20


class Progress:
    """One stage after another, each with its rate and the time left."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._bar: tqdm | None = None
        self._stage = ""
        self._unit = ""
        self._total = 0
        self._done = 0
        self._began = self._shown_at = time.monotonic()
        self._notes = 0

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        """Begins a stage; without `total` how long it takes is not known."""
        self.close()
        self._stage, self._unit, self._total, self._done = name, unit, total, 0
        self._began = self._shown_at = time.monotonic()
        if self._terminal and total:
            self._bar = tqdm(total=total, desc=name, unit=unit, file=self._stream, smoothing=0.05)
        else:
            self._print(name)

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
            return
        now = time.monotonic()
        if now - self._shown_at >= SECONDS_BETWEEN_LINES:
            self._shown_at = now
            rate = self._done / (now - self._began)
            done, left = f"{self._done:,}", ""
            if self._total:
                done = f"{done} of {self._total:,}"
                left = f", {(self._total - self._done) / rate if rate else 0.0:,.0f} s left"
            self._print(f"{self._stage}: {done}{self._unit}, {rate:,.0f} a second{left}")

    def note(self, line: str) -> None:
        """Prints a line of its own; after NOTES_MAX of them only where to find the rest."""
        self._notes += 1
        if self._notes <= NOTES_MAX:
            self._print(line)
        elif self._notes == NOTES_MAX + 1:
            self._print("more such lines follow: they are all in the list beside the books")

    def close(self) -> None:
        """Ends the stage under way."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _print(self, line: str) -> None:
        if self._terminal:
            tqdm.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)
