"""A process that does the work of the process managers, for tests that kill it:

    python -m tests.processes.worker POSTGRES_URL LEDGER CALLS CHECKPOINT_SECONDS

Notes the key of each call of the gateway as a line of the file CALLS.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from aggregates.event_types import EVENT_TYPES
from commands.gateways.gateway import Gateway, Response
from commands.gateways.sandbox import SandboxGateway
from commands.handlers.registry import HANDLERS
from commands.loop.handling import Handling
from commands.processes import following, manager
from commands.processes.manager import ProcessManagers, all_kinds
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog
from tests.shop.gateways import Do, WatchedGateway


class NotingGateway(WatchedGateway):
    """The real one, with a file of its calls."""

    def __init__(self, gateway: Gateway, calls: Path) -> None:
        super().__init__(gateway)
        self._calls = calls

    async def call(self, name: str, do: Do, key: str) -> Response:
        with self._calls.open("a") as calls:
            calls.write(f"{key}\n")
        return await do()


async def work(url: str, ledger: str, calls: str) -> None:
    log, codec = PostgresLog.open(url), Codec(EVENT_TYPES)
    gateway: Any = NotingGateway(SandboxGateway(Path(ledger)), Path(calls))
    handling = Handling(log, codec, HANDLERS)
    async with handling, ProcessManagers(log, codec, handling, all_kinds(gateway, log)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    following.CHECKPOINT_SECONDS = float(sys.argv[4])
    following.WAIT_SECONDS_MAX = manager.WAIT_SECONDS_MAX = 0.05
    asyncio.run(work(*sys.argv[1:4]))
