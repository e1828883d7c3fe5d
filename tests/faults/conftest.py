"""The systems that this folder's tests hurt."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from deploy.local.servers.postgres import SOCKET_PORT, PostgresServer
from deploy.local.servers.postgres_database import make_database
from tests.conftest import QuickPostgres, ServerPlace
from tests.faults.proxies import CuttingProxy
from tests.shop.system import Shop


@pytest.fixture(scope="package")
def faults_folder() -> Iterator[Path]:
    """Where the servers' user may walk through, with paths short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-faults-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
def shop(faults_folder: Path) -> Iterator[Shop]:
    """One system for all tests that leave it whole; its books grow from test to test."""
    shop = Shop(faults_folder / "shop")
    yield shop
    shop.close()


DEADLINE_SECONDS = 2.0
"""Of a command, where the store may be silent: the tests wait it out."""


@dataclass
class Behind:
    """A system whose PostgreSQL is the test's own, reached through a proxy that can be cut."""

    shop: Shop
    server: PostgresServer
    proxy: CuttingProxy


@pytest.fixture(scope="package")
def behind(server_place: ServerPlace, faults_folder: Path) -> Iterator[Behind]:
    folder = Path(tempfile.mkdtemp(prefix="f", dir=server_place.folder))
    folder.chmod(0o711)
    sockets = folder / "s"
    sockets.mkdir()
    if not server_place.account.is_us:
        shutil.chown(sockets, server_place.account.uid)
    server = QuickPostgres(
        programs=server_place.binaries.postgres,
        folder=folder / "postgres",
        sockets=sockets,
        account=server_place.account,
        log=faults_folder / "own-postgres.log",
    )
    server.start()
    try:
        make_database(server.url(), "shop")
        outside = faults_folder / "door"
        outside.mkdir()
        proxy = CuttingProxy(outside, sockets / f".s.PGSQL.{SOCKET_PORT}")
        url = server.url("shop").replace(quote(str(sockets), safe=""), quote(str(outside), safe=""))
        settings = {"DAYBOOK_POSTGRES_URL": url, "DAYBOOK_DEADLINE_SECONDS": str(DEADLINE_SECONDS)}
        shop = Shop(faults_folder / "behind", environment=settings)
        yield Behind(shop, server, proxy)
        shop.close()
        proxy.close()
    finally:
        server.stop()
        shutil.rmtree(folder)
