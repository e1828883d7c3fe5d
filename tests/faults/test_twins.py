"""Two projectors: the one paused in the midst of its work comes back after the other took over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.faults.shop import Shop
from tests.system.running import wait_until

pytestmark = pytest.mark.slow

HOLDER = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND"
    " (classid::bigint << 32 | objid::bigint) = hashtextextended('exclusive daybook projector', 0)"
)
ORDERS = 8


@contextmanager
def another_projector(shop: Shop, log: Path) -> Iterator[psutil.Process]:
    """Told what the system's own was told."""
    environment = shop.processes("projector")[0].environ()
    words = [sys.executable, "-P", "-m", "daybook", "serve", "projector"]
    with (
        log.open("wb") as out,
        subprocess.Popen(words, env=os.environ | environment, stdout=out, stderr=out, cwd="/") as process,
    ):
        wait_until(lambda: b"waiting for its lock" in log.read_bytes(), why=log.read_text)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)
    assert process.returncode == 0, log.read_text()


def test_a_paused_projector_does_no_harm_when_it_comes_back(shop: Shop, faults_folder: Path) -> None:
    own = shop.processes("projector")[0]
    with (
        another_projector(shop, faults_folder / "twin.log") as other,
        psycopg.connect(shop.system.addresses["postgres"], autocommit=True) as sql,
        shop.truth() as truth,
    ):

        def holder() -> int | None:
            row = sql.execute(HOLDER).fetchone()
            return None if row is None else int(row[0])

        with shop.load() as load:
            for paused in (own, other):
                load.wait_for_orders(ORDERS)
                before = holder()
                paused.suspend()
                try:
                    sql.execute("SELECT pg_terminate_backend(%s)", [before])
                    wait_until(lambda before=before: holder() not in {before, None})  # type: ignore[misc]
                    load.wait_for_orders(ORDERS)
                    truth.wait_views(truth.log.head(), but={"search"})  # Only one can hold the index open.
                finally:
                    paused.resume()
                load.wait_for_orders(ORDERS)
        truth.wait_views(truth.log.head())
        truth.holds(load.bought, skus=load.skus)
        truth.views_equal_a_rebuild()
    assert own.is_running()
    with shop.load() as load, shop.truth() as truth:
        load.wait_for_orders(1)
        truth.wait_views(truth.log.head())
