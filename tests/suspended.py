"""A server that stands still: connections are taken, and nothing is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def suspended(pid: int) -> Iterator[None]:
    """The server `pid` and every process of it; one that ends meanwhile is left alone."""
    first = psutil.Process(pid)
    first.suspend()  # Before the others are looked for: it starts no more of them.
    everyone = [first, *first.children(recursive=True)]
    for process in everyone[1:]:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in everyone:
            with suppress(psutil.NoSuchProcess):
                process.resume()
