"""How far an import is, on standard error: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 5.0
DAMAGED_TOLD_MAX = 20


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
        self._began = self._told_at = time.monotonic()
        self._told = 0

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        """Begins a stage; without `total` there is no telling how long it takes."""
        self.close()
        self._stage, self._unit, self._total, self._done = name, unit, total, 0
        self._began = self._told_at = time.monotonic()
        if self._terminal and total:
            self._bar = tqdm(total=total, desc=name, unit=unit, file=self._stream, smoothing=0.05)
        else:
            self._say(name)

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
            return
        now = time.monotonic()
        if now - self._told_at >= SECONDS_BETWEEN_LINES:
            self._told_at = now
            rate = self._done / (now - self._began)
            done, left = f"{self._done:,}", ""
            if self._total:
                done = f"{done} of {self._total:,}"
                left = f", {(self._total - self._done) / rate if rate else 0.0:,.0f} s left"
            self._say(f"{self._stage}: {done}{self._unit}, {rate:,.0f} a second{left}")

    def tell(self, line: str) -> None:
        """Says something that matters in itself; after a while only how to find the rest."""
        self._told += 1
        if self._told <= DAMAGED_TOLD_MAX:
            self._say(line)
        elif self._told == DAMAGED_TOLD_MAX + 1:
            self._say("more such lines follow: they are all in the list beside the books")

    def close(self) -> None:
        """Ends the stage under way."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _say(self, line: str) -> None:
        if self._terminal:
            tqdm.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)
