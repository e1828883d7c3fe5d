"""The log's promises for minutes instead of seconds: `make proofs`."""

from __future__ import annotations

import random

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from deploy.local.servers.postgres import PostgresServer
from event_store.postgres.log import PostgresLog
from event_store.postgres.migrations import migrate
from event_store.records import EventLog
from tests.event_store.given import LoopDoor
from tests.event_store.history import Follower, History
from tests.event_store.test_model import BothLogs
from tests.event_store.writing import WriterProcess, WriterThreads
from tests.servers import helpers_of, kill, kill_one


@pytest.mark.timeout(600)
def test_two_thousand_runs_of_the_state_machine(
    postgres_url: str, writer_url: str, schema: str, sql: psycopg.Connection
) -> None:
    migrate(postgres_url, schema)
    machine = type("Machine", (BothLogs,), {"url": writer_url, "sql": sql, "schema": schema})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=2000,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(600)
def test_twenty_rounds_of_restarts_and_kills_under_load(own_server: PostgresServer) -> None:
    chance, history = random.Random(1), History()
    reading = PostgresLog.open(own_server.url())
    logs: list[EventLog] = [PostgresLog.open(own_server.url()) for _ in range(2)]
    logs += [LoopDoor(PostgresLog.open(own_server.url())) for _ in range(2)]
    with Follower(reading) as follower:
        writers = WriterThreads(history, logs)
        for _ in range(20):
            writers.write_more(chance.randrange(50, 400))
            match chance.randrange(3):
                case 0:
                    own_server.stop()
                    own_server.start()
                case 1:
                    kill_one(chance.choice(helpers_of(own_server)))
                case _:
                    kill(own_server)
                    own_server.start()
        writers.write_more(100)
        writers.end()
    history.check(reading, follower)
    for log in (reading, *logs):
        log.close()


@pytest.mark.timeout(600)
def test_four_processes_for_a_minute(postgres_log: PostgresLog, writer_url: str, schema: str) -> None:
    history = History()
    with Follower(postgres_log) as follower:
        writers = [WriterProcess(writer_url, schema, f"process{n}", seconds=60.0) for n in range(4)]
        codes = [writer.tell(history, postgres_log) for writer in writers]
    assert codes == [0] * 4
    history.check(postgres_log, follower)
