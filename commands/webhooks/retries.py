"""When an attempt is made again, and when an endpoint is given up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """`pauses`: seconds after each failed attempt, the last of them before the last attempt.
    `failing_max`: an endpoint that took nothing for so long is disabled.
    `struggling_pauses`: seconds between the attempts at an endpoint at which one after another fails."""

    pauses: tuple[float, ...] = (
        *(5, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 1 * HOUR, 2 * HOUR),
        *(4 * HOUR, 8 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR),
    )
    failing_max: timedelta = timedelta(days=3)
    struggling_pauses: tuple[float, ...] = (5, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE)

    @property
    def attempts_max(self) -> int:
        """Of one delivery."""
        return len(self.pauses) + 1

    def pause(self, attempts: int) -> timedelta:
        """After so many failed attempts. A tenth more or less, by chance: what failed together is not tried
        together."""
        seconds = self.pauses[min(attempts, len(self.pauses)) - 1]
        return timedelta(seconds=seconds * random.uniform(0.9, 1.1))

    def struggling_pause(self, failures: int) -> timedelta:
        """After so many failures in a row, of different deliveries."""
        place = min(failures, len(self.struggling_pauses)) - 1
        return timedelta(seconds=self.struggling_pauses[place] * random.uniform(0.9, 1.1))
