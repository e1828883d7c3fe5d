"""Our log under load: callers that are tasks of one event loop, threads, or another process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from uuid import uuid4

import psycopg
import uvloop
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.utils import Environment

from event_store.ids import new_command_id, new_id
from event_store.library.factory import DaybookFactory
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Entry, NewEvent
from tests.bench.load import Report, in_processes

EVENT_BYTES = 300
_random = Random()

NO_JOURNAL = "INSERT INTO commands (command_id"
"""Where the function `append` begins to write the journal."""


@contextmanager
def open_log(url: str, *, journal: bool = True) -> Iterator[PostgresLog]:
    """A new log in a schema that is dropped afterwards; `journal=False` cuts the journal's rows out."""
    schema = f"bench_{uuid4().hex}"
    log = PostgresLog.open(url, schema=schema)
    try:
        if not journal:
            _cut_journal(url, schema)
        yield log
    finally:
        log.close()
        drop(url, schema)


def drop(url: str, schema: str) -> None:
    """Removes a bench's schema."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())


def command(versions: dict[str, int], *, key: bytes | None = None) -> Entry:
    """A command with one event for each stream, after these versions."""
    data = b"x" * EVENT_BYTES
    return Entry(
        command_id=new_command_id(),
        name="add_item",
        verdict="accepted",
        reads=versions,
        events=[NewEvent(stream, "cart.item_added", 1, data) for stream in versions],
        actor="anonymous:",
        channel="web",
        key=key,
        request_hash=key,
        arguments=b'{"sku":"mug","quantity":1}',
        answer=b'{"id":"0123456789abcdef0123456789abcdef","version":1}',
        correlation="0af7651916cd43dd8448eb211c80319c",
    )


def tasks(log: PostgresLog, callers: int, seconds: float, *, streams: int = 1, keyed: bool = False) -> Report:
    """Callers that are tasks of one event loop, each with carts of its own and one call under way."""
    report = Report()

    async def call(end: float) -> None:
        versions = {f"cart-{new_id()}": 0 for _ in range(streams)}
        while (sent := time.perf_counter()) < end:
            key = _random.randbytes(32) if keyed else None
            (outcome,) = await log.append_async([command(versions, key=key)])
            assert isinstance(outcome, Appended)
            report.latencies.append(time.perf_counter() - sent)
            versions = {stream: version + 1 for stream, version in versions.items()}

    async def run() -> None:
        await log.append_async([command({f"cart-{new_id()}": 0})])
        begun = time.perf_counter()
        await asyncio.gather(*(call(begun + seconds) for _ in range(callers)))
        report.seconds = time.perf_counter() - begun

    uvloop.run(run())
    return report


def threads(log: PostgresLog, callers: int, seconds: float) -> Report:
    """Callers that are threads, each with a cart of its own."""
    return in_threads(callers, seconds, lambda: appending(log))


def appending(log: PostgresLog) -> Callable[[], None]:
    """Appends the next event of a cart of its own."""
    stream, version = f"cart-{new_id()}", 0

    def append() -> None:
        nonlocal version
        (outcome,) = log.append([command({stream: version})])
        assert isinstance(outcome, Appended)
        version += 1

    return append


def library_door(url: str, callers: int, seconds: float) -> Report:
    """Threads that call the library's recorder over our log."""
    environment = {
        "APPLICATION_NAME": f"bench{uuid4().hex}",
        "PERSISTENCE_MODULE": "event_store",
        "DAYBOOK_POSTGRES_URL": url,
    }
    factory = DaybookFactory(Environment(environment["APPLICATION_NAME"], environment))
    recorder = factory.application_recorder()
    try:
        return in_threads(callers, seconds, lambda: insert_one(recorder))
    finally:
        factory.close()


def insert_one(recorder: ApplicationRecorder) -> Callable[[], None]:
    """Inserts the next event of a stream of its own."""
    originator, version = uuid4(), 0

    def insert() -> None:
        nonlocal version
        version += 1
        event = StoredEvent(originator, version, "cart.item_added", b"x" * EVENT_BYTES)
        recorder.insert_events([event])

    return insert


def in_threads(callers: int, seconds: float, make: Callable[[], Callable[[], None]]) -> Report:
    """So many threads, each calling what `make` gives it, for so long."""
    report = Report()
    start = threading.Barrier(callers + 1)
    end = [0.0]

    def run() -> None:
        call = make()
        call()
        start.wait()
        while (sent := time.perf_counter()) < end[0]:
            call()
            report.latencies.append(time.perf_counter() - sent)

    workers = [threading.Thread(target=run) for _ in range(callers)]
    for worker in workers:
        worker.start()
    end[0] = float("inf")
    start.wait()
    begun = time.perf_counter()
    end[0] = begun + seconds
    for worker in workers:
        worker.join()
    report.seconds = time.perf_counter() - begun
    return report


def processes(url: str, schema: str, number: int, callers: int, seconds: float) -> Report:
    """The same tasks spread over processes of their own, on one log."""
    return in_processes(number, seconds, _one_of, url, schema, callers // number, seconds)


def _one_of(ready: Callable[[], object], url: str, schema: str, callers: int, seconds: float) -> Report:
    log = PostgresLog.open(url, schema=schema)
    try:
        log.head()
        ready()
        return tasks(log, callers, seconds)
    finally:
        log.close()


def _cut_journal(url: str, schema: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET search_path = {schema}".encode())
        row = connection.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc"
            " WHERE proname = 'append' AND pronamespace = %s::regnamespace",
            [schema],
        ).fetchone()
        assert row is not None
        head, _, tail = row[0].partition(NO_JOURNAL)
        connection.execute((head + tail[tail.index(";") + 1 :]).encode())
