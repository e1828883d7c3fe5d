"""Stripe's own stripe-mock: it keeps no state, and knows every parameter that the API takes."""

from __future__ import annotations

import re
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.go_programs import built

VERSION = "0.203.0"


def build() -> Path | None:
    """The program, built once; None where Go is missing. RuntimeError."""
    return built("github.com/stripe/stripe-mock", VERSION)


@contextmanager
def running(program: Path) -> Iterator[str]:
    """Its address while it runs."""
    # Without an address for HTTPS it would take a fixed port on every interface.
    command = [program, "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as mock:
        reading = None
        try:
            url = _address(mock)
            # It writes a line per request, and would wait for whoever reads them.
            reading = threading.Thread(target=deque, args=(mock.stdout, 0))
            reading.start()
            yield url
        finally:
            mock.terminate()
            if reading is not None:
                reading.join()


def _address(mock: subprocess.Popen[str]) -> str:
    assert mock.stdout is not None
    printed = ""
    for line in mock.stdout:
        printed += line
        if found := re.search(r"Listening for HTTP at address: (\S+)", line):
            return f"http://{found[1]}"
    raise RuntimeError(f"stripe-mock did not start: {printed}")
