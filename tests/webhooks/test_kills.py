"""Senders that are killed at each of their steps, or stall there: nothing is skipped, and order is kept."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from event_store.errors import StoreUnavailable
from event_store.postgres.log import PostgresLog
from tests.waiting import SECONDS_MAX
from tests.webhooks.dying import WRITES, End, sender_process
from tests.webhooks.receivers import Receiver, in_turn, receiving, response, takes, until
from tests.webhooks.sending import operating, receive, sending

pytestmark = pytest.mark.slow

STEPS = [f"{when} {write}" for write in WRITES[:3] for when in ("before", "after")]
STREAMS = ("stock-A", "stock-B", "stock-A", "stock-C", "stock-A", "stock-B")


async def dies(process: Any) -> int:
    """How it ended."""
    await asyncio.to_thread(process.join, SECONDS_MAX)
    assert process.exitcode is not None, "it was to die"
    return int(process.exitcode)


def check_taken(receiver: Receiver, positions: list[int], streams: tuple[str, ...]) -> None:
    """All came, each under one id; of a stream in order, and never again once a later one came."""
    assert set(receiver.positions) == set(positions)
    ids = {(one.position, one.id) for one in receiver.received}
    assert len(ids) == len(positions) == len({one for _, one in ids})
    for stream in set(streams):
        came = [one.position for one in receiver.taken if one.event["stream"] == stream]
        assert came == sorted(came), f"{stream}: {came}"


@pytest.mark.parametrize(
    "behavior", [takes, in_turn(response(500), None, response(200))], ids=["taken", "refused"]
)
def test_whatever_step_a_sender_is_killed_at_nothing_is_skipped_and_order_is_kept(
    fresh_postgres: str, tmp_path: Path, behavior: Any
) -> None:
    async def scenario() -> None:
        log = PostgresLog.open(fresh_postgres)
        async with receiving(behavior) as receiver, operating(log) as operator:
            endpoint_id = await operator.register(receiver.url())
            positions = receive(log, *STREAMS)
            kills = 0
            for step in [*STEPS, *STEPS[4:]]:
                with sender_process(fresh_postgres, tmp_path, End(step)) as process:
                    if step.endswith("begin_deliveries"):  # The turn is taken in once.
                        await operator.ask_for_a_turn(endpoint_id)
                    elif step.endswith("queue_deliveries"):
                        positions += receive(log, STREAMS[0])
                    assert await dies(process) == -signal.SIGKILL
                    kills += 1
            async with sending(log):
                await until(
                    lambda: set(receiver.positions) == set(positions), lambda: repr(receiver.positions)
                )
                await until(lambda: log.pending_deliveries(endpoint_id) == [])
            assert kills == 8
            check_taken(receiver, positions, STREAMS)
            states = {one.position: one.state for one in operator.deliveries(endpoint_id)}
            assert states == dict.fromkeys(positions, "delivered")
        log.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("step", ["before append", "after append"])
def test_a_sender_that_is_killed_while_it_disables_an_endpoint_disables_it_once(
    fresh_postgres: str, tmp_path: Path, step: str
) -> None:
    async def scenario() -> None:
        log = PostgresLog.open(fresh_postgres)
        async with receiving(in_turn(response(410))) as receiver, operating(log) as operator:
            endpoint_id = await operator.register(receiver.url())
            receive(log, "stock-A")
            with sender_process(fresh_postgres, tmp_path, End(step)) as process:
                assert await dies(process) == -signal.SIGKILL
            async with sending(log):
                assert (await operator.disabled(endpoint_id))[0] == "gone"
            disabled = log.read_all(after=0, limit=100, types=["webhooks.endpoint_disabled"])
            assert len(disabled) == 1
            assert [one.state for one in operator.deliveries(endpoint_id)] == ["pending"]
        log.close()

    asyncio.run(scenario())


def test_a_sender_that_stalls_and_wakes_after_another_has_sent_changes_nothing(
    fresh_postgres: str, tmp_path: Path
) -> None:
    """It stands still between a response and its row, loses its lock, and another goes on."""

    async def scenario() -> None:
        log = PostgresLog.open(fresh_postgres)
        async with receiving() as receiver, operating(log) as operator:
            endpoint_id = await operator.register(receiver.url())
            positions = receive(log, *STREAMS[:3])
            stalls = End("before note_attempt", signal=signal.SIGSTOP)
            with sender_process(fresh_postgres, tmp_path, stalls) as process:
                await until(lambda: stands_still(process.pid))
                end_sessions_of_locks(fresh_postgres)
                async with sending(log):
                    await until(lambda: log.pending_deliveries(endpoint_id) == [])
                    os.kill(process.pid, signal.SIGCONT)
                    positions += receive(log, "stock-A", "stock-B")
                    await until(lambda: set(receiver.positions) == set(positions))
                    await until(lambda: log.pending_deliveries(endpoint_id) == [])
            attempts = [one.position for one in operator.attempts(endpoint_id)]
            assert sorted(attempts) == sorted(positions)  # each is written down once
        log.close()

    asyncio.run(scenario())


def stands_still(pid: int) -> bool:
    return "T (stopped)" in Path(f"/proc/{pid}/status").read_text()


def end_sessions_of_locks(url: str) -> None:
    """As when the network between a sender and its log is cut, which ends its session there."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
        )


def test_while_the_log_is_away_nothing_is_lost_and_once_it_is_back_all_is_sent(own_server: Any) -> None:
    async def scenario() -> None:
        log = PostgresLog.open(own_server.url())
        async with receiving() as receiver, sending(log) as operator:
            await operator.register(receiver.url())
            positions = receive(log, "stock-A", "stock-B")
            await until(lambda: set(receiver.positions) == set(positions))
            await asyncio.to_thread(own_server.stop)
            await asyncio.to_thread(own_server.start)
            await until(lambda: _answers(log))
            positions += receive(log, "stock-A", "stock-C")
            await until(lambda: set(receiver.positions) == set(positions))
        log.close()

    asyncio.run(scenario())


def _answers(log: PostgresLog) -> bool:
    try:
        return log.head() > 0
    except StoreUnavailable:
        return False
