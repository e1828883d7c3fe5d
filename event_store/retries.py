"""The pauses of what tries again: a client while the log is away, and all others like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Pauses in seconds that double from the first one up to the longest."""

    pause_first: float
    pause_max: float

    def pauses(self) -> Iterator[float]:
        """Without end; begin anew once something succeeded."""
        pause = self.pause_first
        while True:
            yield min(pause, self.pause_max)
            pause = min(pause * 2, self.pause_max)
