"""A circuit breaker: what failed several times in a row is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens at the `failures_max`-th failure in a row. `pause_seconds` later one call is let through: where
    that succeeds, it closes; else the next pause begins."""

    def __init__(
        self,
        *,
        failures_max: int = 5,
        pause_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_max = failures_max
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    def lets_through(self) -> bool:
        """Whether a call may be made now."""
        if self._failures < self._failures_max:
            return True
        now = self._clock()
        if now < self._open_until:
            return False
        self._open_until = now + self._pause_seconds  # the others wait for what becomes of this call
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures = 0

    def failed(self) -> None:
        """A call was not answered, or by nonsense."""
        self._failures += 1
        if self._failures >= self._failures_max:
            self._open_until = self._clock() + self._pause_seconds
