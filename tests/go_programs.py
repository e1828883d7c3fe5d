"""Programs in Go that tests run, built by its own tool."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def built(package: str, version: str) -> Path | None:
    """The program, built once beside the interpreter; None where Go is missing. RuntimeError."""
    name = package.rpartition("/")[2]
    folder = Path(sys.prefix) / f"{name}-{version}"
    program = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return program
        if (go := shutil.which("go")) is None:
            return None
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            done = subprocess.run(
                [go, "install", f"{package}@v{version}"],
                env={**os.environ, "GOBIN": fresh},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise RuntimeError(f"{name} cannot be built: {done.stderr}")
            (Path(fresh) / name).rename(program)
    return program
