"""A process manager that stalls behind the gateway's answer, and wakes once another has done its work."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from commands.gateways.gateway import Response
from commands.gateways.sandbox import SandboxGateway
from event_store.postgres.log import PostgresLog
from replays.verification.verify import verify
from tests.shop.commands import ORDER, Shop, eventually
from tests.shop.gateways import Do, WatchedGateway
from tests.waiting import SECONDS_MAX

pytestmark = pytest.mark.slow

AWAKE_SECONDS = 1.5  # Longer than a lost lock goes unnoticed.


class StallingGateway(WatchedGateway):
    """Once it has answered, the whole process stands still."""

    has_answered = False

    async def call(self, name: str, do: Do, key: str) -> Response:
        answer = await do()
        if not self.has_answered:
            self.has_answered = True
            os.kill(os.getpid(), signal.SIGSTOP)
        return answer


def twin(url: str, ledger: Path) -> None:
    """A command process that runs the process managers until a while after it was woken."""

    async def run() -> None:
        log, gateway = PostgresLog.open(url), StallingGateway(SandboxGateway(ledger))
        async with Shop(log, None).open() as shop, shop.managers(gateway):
            await eventually(lambda: gateway.has_answered, lambda: "not asked")
            await asyncio.sleep(AWAKE_SECONDS)

    asyncio.run(run())


def test_the_answer_of_a_manager_that_stalled_changes_nothing(fresh_postgres: str, tmp_path: Path) -> None:
    ledger = tmp_path / "sandbox.sqlite"
    log, gateway = PostgresLog.open(fresh_postgres), SandboxGateway(ledger)
    shop = Shop(log, gateway)

    async def sell() -> None:
        async with shop.open() as one:
            await one.sell()

    asyncio.run(sell())
    process = multiprocessing.get_context("fork").Process(target=twin, args=(fresh_postgres, ledger))
    process.start()
    assert process.pid is not None
    try:
        stopped = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert stopped is not None and stopped.si_status == signal.SIGSTOP
        with psycopg.connect(fresh_postgres, autocommit=True) as sql:
            sql.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )

        async def take_over() -> None:
            async with shop.open() as one, one.managers():
                await one.until("confirmed", "authorized")
                head = log.head()
                await eventually(lambda: shop.checkpoints() == (head, head), shop.checkpoints)

        asyncio.run(take_over())
        before, kept = shop.story(), (shop.charged(), shop.checkpoints(), shop.open_work())
        os.kill(process.pid, signal.SIGCONT)
        process.join(SECONDS_MAX)
        assert process.exitcode == 0
        assert shop.story() == before
        assert (shop.charged(), shop.checkpoints(), shop.open_work()) == kept
        assert shop.charged() == [("authorized", 0, 0)]
        assert shop.open_steps(ORDER) == {}
        findings: list[Any] = []
        verify(log, shop.codec, report=findings.append)
        assert findings == []
    finally:
        process.kill()
        process.join()
        log.close()
        gateway.close()
