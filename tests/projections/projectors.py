"""Projectors in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from projections.documents.tantivy_reader import TantivyReader
from tests.projections.running import eventually

PROJECTOR = (
    "from projections.serve import run_projector; from projections.settings import Settings;"
    " run_projector(Settings())"
)


@dataclass(frozen=True)
class Paths:
    """The addresses of one system, as the command line has them."""

    postgres_url: str
    redis_url: str
    data_dir: Path


@contextmanager
def projector(paths: Paths, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs meanwhile."""
    process = started(paths, **environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def started(paths: Paths, **environment: str) -> subprocess.Popen[bytes]:
    """A projector process; all of one system write one log file."""
    variables = os.environ | {
        "DAYBOOK_POSTGRES_URL": paths.postgres_url,
        "DAYBOOK_REDIS_URL": paths.redis_url,
        "DAYBOOK_DATA_DIR": str(paths.data_dir),
    }
    variables |= environment
    log = paths.data_dir / "projector.log"
    with log.open("ab") as out:
        return subprocess.Popen([sys.executable, "-c", PROJECTOR], env=variables, stdout=out, stderr=out)


def index_reaches(paths: Paths, position: int) -> None:
    """Waits until readers see the search index at the position or beyond."""

    def reached() -> bool:
        folder = paths.data_dir / "index"
        return (folder / "search.json").exists() and TantivyReader(folder).position() >= position

    eventually(reached, f"the index at {position}")
