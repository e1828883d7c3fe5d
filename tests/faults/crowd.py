"""Many at once, half of them on connections to the one command process and half to the other; and an import
beside them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import psutil

from event_store.postgres.log import PostgresLog
from tests.faults.shoppers import Client
from tests.importing.files import HEADER
from tests.shop.system import Shop
from tests.waiting import wait_until

CONNECTIONS_EACH = 50
UNDER_WAY_EVENTS = 1_000
"""So many more events in the log, and the import is in the midst of its invoices."""


@asynccontextmanager
async def both_processes(shop: Shop) -> AsyncIterator[tuple[Client, Client]]:
    """A client of each command process, its connections open."""
    processes = shop.processes("commands")
    assert len(processes) == 2
    async with AsyncExitStack() as stack:
        clients = []
        for process in processes:
            client = await stack.enter_async_context(Client(shop.commands, connections_max=CONNECTIONS_EACH))
            others = [other for other in processes if other != process]
            for other in others:
                other.suspend()  # Nobody else takes connections from the port they share.
            try:
                await asyncio.gather(*(client.get("/health/live") for _ in range(CONNECTIONS_EACH)))
            finally:
                for other in others:
                    other.resume()
            assert open_connections(process) >= CONNECTIONS_EACH // 2
            clients.append(client)
        yield clients[0], clients[1]


def open_connections(process: psutil.Process) -> int:
    found = process.net_connections(kind="tcp")
    return sum(1 for one in found if one.status == psutil.CONN_ESTABLISHED)


@contextmanager
def import_beside(shop: Shop, folder: Path, skus: Sequence[str], *, invoices: int) -> Iterator[None]:
    """An import that sells these SKUs, in the midst of its work; at the end it accounts for every line."""
    file = folder / f"{uuid4().hex}.csv"
    write_file(file, skus, invoices=invoices)
    log = PostgresLog.open(shop.system.addresses["postgres"], read_only=True)
    head = log.head()
    own = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    words = [sys.executable, "-P", "-m", "daybook", "import", "online-retail", str(file)]
    process = subprocess.Popen(
        [*words, "--data", str(shop.system.data)],
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:

        def under_way() -> bool:
            assert process.poll() is None, process.communicate()[0]
            return log.head() >= head + UNDER_WAY_EVENTS

        wait_until(under_way)
        yield
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0, output
        assert "Every line is accounted for, to the penny." in output
    finally:
        log.close()
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def write_file(file: Path, skus: Sequence[str], *, invoices: int) -> None:
    """Invoices of two lines each, all of them for the first SKU and one of the others."""
    first_number = int(uuid4().hex[:6], 16)
    lines = [HEADER]
    for n in range(invoices):
        number, at = first_number * 10_000 + n, f"2011-03-{1 + n % 28:02} 10:{n % 60:02}:00"
        for sku in (skus[0], skus[1 + n % (len(skus) - 1)]):
            lines.append(f"{number},{sku},{sku},2,{at},2.55,17850,United Kingdom")
    file.write_text("\n".join(lines) + "\n")
