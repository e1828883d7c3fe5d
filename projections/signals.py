"""How a process of the projections ends: softly by a signal, and by force when that takes too long."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOP_SECONDS_MAX = 12
"""After so long it ends by force: what a batch has left half done is found, and counts once."""


@contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT call `stop`, in a thread of its own, while this lasts."""

    def handle(*_: object) -> None:
        signal.alarm(_STOP_SECONDS_MAX)  # By the kernel: no store and no comparison can hold it up.
        # Not here: what it interrupts may hold the very lock that it would wait for.
        threading.Thread(target=stop, name="stop", daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
