"""How tests wait: for facts, and with one limit that only what hangs reaches."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS_MAX = 120.0
"""Of each wait for a fact. A machine that is slow, or busy with everything else, takes its time."""


def wait_until(
    holds: Callable[[], object], *, seconds: float = SECONDS_MAX, why: Callable[[], str] = lambda: "too slow"
) -> None:
    """Fails with `why` where it does not come to hold."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {why()}"
        time.sleep(0.02)
