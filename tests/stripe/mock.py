"""Stripe's own stripe-mock: it keeps no state, and knows every parameter that the API takes."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "0.203.0"


def build() -> Path | None:
    """The program, built once beside the interpreter; None where Go is missing. RuntimeError."""
    folder = Path(sys.prefix) / f"stripe-mock-{VERSION}"
    program = folder / "stripe-mock"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return program
        if (go := shutil.which("go")) is None:
            return None
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            built = subprocess.run(
                [go, "install", f"github.com/stripe/stripe-mock@v{VERSION}"],
                env={**os.environ, "GOBIN": fresh},
                capture_output=True,
                text=True,
                check=False,
            )
            if built.returncode != 0:
                raise RuntimeError(f"stripe-mock cannot be built: {built.stderr}")
            (Path(fresh) / "stripe-mock").rename(program)
    return program


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
