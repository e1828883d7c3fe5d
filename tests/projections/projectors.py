"""Projectors in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from event_store.postgres.log import PostgresLog
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.partitions import PARTITIONS, leader, partition_holders
from tests.projections.running import eventually, views_reach
from tests.shop.log import Shop
from tests.waiting import SECONDS_MAX

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
    elasticsearch_url: str | None = None


@contextmanager
def projector(paths: Paths, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs meanwhile."""
    process = started(paths, **environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(SECONDS_MAX)


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


SHARDS = {"DAYBOOK_PROJECTOR_SHARDS": str(PARTITIONS)}


@contextmanager
def events_flow(postgres_url: str) -> Iterator[None]:
    """A shop is busy meanwhile."""
    log = PostgresLog.open(postgres_url)
    is_over, failed = threading.Event(), []

    def bustle() -> None:
        shop = Shop(log)
        try:
            while not is_over.wait(0.15):  # A load that leaves something of the machine to the projectors.
                shop.bustle(orders=3, products=5)
                shop.flush()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=bustle)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        log.close()
    assert not failed


class Workers:
    """The projector processes of one system."""

    def __init__(self, paths: Paths, log: PostgresLog) -> None:
        self._paths = paths
        self._log = log
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        process = started(self._paths, **SHARDS)
        self.running.append(process)
        return process

    def leader(self) -> subprocess.Popen[bytes]:
        eventually(lambda: self._named(leader(self._log)) is not None, "one leads")
        found = self._named(leader(self._log))
        assert found is not None
        return found

    def share_out(self, *, among: int) -> None:
        """Waits until so many hold all partitions, each about as many."""

        def are_shared_out() -> bool:
            holders = partition_holders(self._log)
            counts = [holders.count(holder) for holder in set(holders)]
            return None not in holders and len(counts) == among and max(counts) - min(counts) <= 1

        eventually(are_shared_out, f"{among} share the partitions")  # Processes start.

    def holds_none(self, process: subprocess.Popen[bytes]) -> bool:
        holders = [*partition_holders(self._log), leader(self._log)]
        return all(self._named(holder) is not process for holder in holders)

    def all_moves_on(self) -> None:
        """Waits until every view has taken in what is in the log by now, and more is known to follow."""
        views_reach(self._paths.redis_url, self._log.head())

    def _named(self, holder: str | None) -> subprocess.Popen[bytes] | None:
        return next((one for one in self.running if holder and holder.endswith(f":{one.pid}")), None)


@contextmanager
def running_workers(paths: Paths, log: PostgresLog) -> Iterator[Workers]:
    """None at first; those that were not killed end cleanly."""
    workers = Workers(paths, log)
    try:
        yield workers
    finally:
        for process in workers.running:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        codes = [process.wait(SECONDS_MAX) for process in workers.running]
    assert set(codes) <= {0, -signal.SIGKILL}, (paths.data_dir / "projector.log").read_text()[-3000:]
