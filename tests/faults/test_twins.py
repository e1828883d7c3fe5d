"""Two projectors: the one paused in the midst of its work comes back after the other took over."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.faults.page_watch import watched
from tests.faults.proxies import HoldingProxy
from tests.faults.shoppers import Load
from tests.shop.system import Shop
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

HOLDER = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND"
    " (classid::bigint << 32 | objid::bigint) = hashtextextended('exclusive daybook projector', 0)"
)
ORDERS = 8


@contextmanager
def resumed_at_the_end(process: psutil.Process) -> Iterator[None]:
    """Whatever happens: a stopped process would not hear that the system stops."""
    try:
        yield
    finally:
        process.resume()


@contextmanager
def another_projector(shop: Shop, log: Path, **environment: str) -> Iterator[psutil.Process]:
    """With the environment of the system's own, and `environment`."""
    variables = os.environ | shop.processes("projector")[0].environ() | environment
    words = [sys.executable, "-P", "-m", "daybook", "serve", "projector"]
    with (
        log.open("wb") as out,
        subprocess.Popen(words, env=variables, stdout=out, stderr=out, cwd="/") as process,
    ):
        wait_until(lambda: b"another leads" in log.read_bytes(), why=log.read_text)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(SECONDS_MAX)
    assert process.returncode == 0, log.read_text()


class Lock:
    """The session lock of whoever writes the views."""

    def __init__(self, shop: Shop) -> None:
        self._sql = psycopg.connect(shop.system.addresses["postgres"], autocommit=True)

    def holder(self) -> int | None:
        """The server process of the session that holds it."""
        row = self._sql.execute(HOLDER).fetchone()
        return None if row is None else int(row[0])

    def is_lost(self) -> None:
        """Its session ends; returns when another holds it."""
        before = self.holder()
        self._sql.execute("SELECT pg_terminate_backend(%s)", [before])
        wait_until(lambda: self.holder() not in {before, None})

    def close(self) -> None:
        self._sql.close()


def test_a_paused_projector_does_no_harm_when_it_comes_back(shop: Shop, faults_folder: Path) -> None:
    own = shop.processes("projector")[0]
    with (
        another_projector(shop, faults_folder / "twin.log") as other,
        closing(Lock(shop)) as lock,
        shop.stored() as stored,
        shop.load() as load,
    ):
        cart_id = shop.cart(load.skus[0])
        load.wait_for_orders(ORDERS)
        stored.wait_views(stored.log.head())
        with watched(shop, load, cart_id) as watch:
            for paused in (own, other):
                paused.suspend()
                with resumed_at_the_end(paused):
                    lock.is_lost()
                    load.wait_for_orders(ORDERS)
                    stored.wait_views(stored.log.head(), but={"search"})  # One can hold the index open.
                load.wait_for_orders(ORDERS)
                stored.wait_views(stored.log.head())
                watch.wait_answers()
    harmless(shop, load)


def test_a_write_that_comes_late_is_refused(shop: Shop, faults_folder: Path) -> None:
    """Sent in time, kept back on its way, and there when another has long written more."""
    own = shop.processes("projector")[0]
    folder = faults_folder / "late"
    folder.mkdir()
    with (
        closing(HoldingProxy(folder, Path(shop.system.addresses["redis"].removeprefix("unix://")))) as proxy,
        another_projector(shop, folder / "twin.log", DAYBOOK_REDIS_URL=f"unix://{proxy.path}"),
        closing(Lock(shop)) as lock,
        shop.stored() as stored,
    ):
        with shop.load() as load:
            cart_id = shop.cart(load.skus[0])
            load.wait_for_orders(ORDERS)
            own.suspend()
            with resumed_at_the_end(own):
                lock.is_lost()
            stored.wait_views(stored.log.head())
            proxy.hold_writes()
            try:
                assert proxy.holds.wait(SECONDS_MAX)
                lock.is_lost()
                load.wait_for_orders(ORDERS)
            except BaseException:
                proxy.let_through()
                raise
        stored.wait_views(stored.log.head(), but={"search"})
        with watched(shop, load, cart_id) as watch:
            proxy.let_through()
            stored.wait_views(stored.log.head())
            time.sleep(1)  # Nothing is written any more: a view led back would stay so until it is noticed.
            watch.wait_answers()
    harmless(shop, load)


def harmless(shop: Shop, load: Load) -> None:
    with shop.stored() as stored:
        stored.wait_views(stored.log.head())
        stored.holds(load.bought, skus=load.skus)
        stored.views_equal_a_rebuild()
