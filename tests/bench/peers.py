"""What others do on the same server: plain INSERTs, COPY, and the `eventsourcing` library's own recorder."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg
from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment

from tests.bench.load import Report, in_processes
from tests.bench.ours import EVENT_BYTES, drop, in_threads, insert_one
from tests.bench.server import Server

PLAIN = "CREATE TABLE IF NOT EXISTS bench_plain (n bigserial PRIMARY KEY, data bytea NOT NULL)"
INSERT = "INSERT INTO bench_plain (data) VALUES (%b)"


def make_plain_table(url: str) -> None:
    """Where it is not there yet."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PLAIN)


def plain_threads(url: str, connections: int, seconds: float) -> Report:
    """One INSERT per commit from threads of one process, through our driver."""
    make_plain_table(url)
    opened = [psycopg.connect(url, autocommit=True) for _ in range(connections)]
    free = list(opened)
    try:
        return in_threads(connections, seconds, lambda: inserting(free.pop()))
    finally:
        for connection in opened:
            connection.close()


def inserting(connection: psycopg.Connection) -> Callable[[], None]:
    """Inserts a row, as the driver does it best."""
    data = os.urandom(EVENT_BYTES)

    def insert() -> None:
        connection.execute(INSERT, (data,), prepare=True)

    return insert


def plain_processes(url: str, connections: int, seconds: float, *, number: int = 2) -> Report:
    """The same from several processes, so that no interpreter's lock holds them back."""
    return in_processes(number, seconds, _one_of, url, connections // number, seconds)


def _one_of(ready: Callable[[], object], url: str, connections: int, seconds: float) -> Report:
    ready()
    return plain_threads(url, connections, seconds)


def pgbench(server: Server, connections: int, seconds: float) -> Report:
    """The same from PostgreSQL's own load generator, prepared; the report has each latency."""
    place = parse_qs(urlsplit(server.url).query)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "insert.sql"
        script.write_text(f"INSERT INTO bench_plain (data) VALUES ('\\x{os.urandom(EVENT_BYTES).hex()}');\n")
        subprocess.run(
            [
                *(server.programs / "pgbench", "--no-vacuum", "--protocol=prepared", f"--file={script}"),
                *(f"--client={connections}", f"--jobs={min(2, connections)}", f"--time={round(seconds)}"),
                *("--log", f"--log-prefix={folder}/log", f"--host={place['host'][0]}"),
                *(f"--port={place['port'][0]}", "--username=daybook", "postgres"),
            ],
            check=True,
            capture_output=True,
        )
        report = Report(seconds=round(seconds))
        for log in Path(folder).glob("log*"):
            report.latencies += [
                int(found) / 1e6 for found in re.findall(r"^\d+ \d+ (\d+) ", log.read_text(), re.MULTILINE)
            ]
        return report


def copy_events(url: str, seconds: float, *, into_log: bool) -> Report:
    """COPY, 10,000 events per commit: into a table like the log's with its two indexes, or a bare one."""
    table = f"bench_copy_{uuid4().hex}"
    columns = (
        'position bigint PRIMARY KEY, stream text COLLATE "C" NOT NULL, version bigint NOT NULL,'
        ' type text COLLATE "C" NOT NULL, schema_number integer NOT NULL, data bytea NOT NULL,'
        ' command_id uuid NOT NULL, correlation text COLLATE "C", causation text COLLATE "C",'
        ' actor text COLLATE "C" NOT NULL, recorded_at timestamptz NOT NULL DEFAULT now(),'
        " valid_at timestamptz, UNIQUE (stream, version)"
        if into_log
        else "position bigint, data bytea NOT NULL"
    )
    names = (
        "position, stream, version, type, schema_number, data, command_id, correlation, actor"
        if into_log
        else "position, data"
    )
    data = "\\\\x" + os.urandom(EVENT_BYTES).hex()
    carts = [f"cart-{uuid4().hex}" for _ in range(1_000)]
    report = Report()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {table} ({columns})".encode())
        try:
            position, pages = 0, []
            for _ in range(200):  # Made before the clock runs: COPY's rate is the server's.
                lines = []
                for _ in range(10_000 // 10):
                    position += 1
                    if into_log:
                        stream, version = carts[position % 1_000], position // 1_000 + 1
                        lines.append(
                            f"{position}\t{stream}\t{version}\tcart.item_added\t1\t{data}\t{uuid4()}"
                            f"\t0af7651916cd43dd8448eb211c80319c\tanonymous:\n"
                        )
                    else:
                        lines.append(f"{position}\t{data}\n")
                pages.append("".join(lines).encode())
            begun = time.perf_counter()
            for at in range(0, len(pages), 10):
                sent = time.perf_counter()
                with connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN".encode()) as copy:
                    for page in pages[at : at + 10]:
                        copy.write(page)
                report.latencies += [time.perf_counter() - sent] * 10_000
                if time.perf_counter() - begun > seconds:
                    break
            report.seconds = time.perf_counter() - begun
        finally:
            connection.execute(f"DROP TABLE {table}".encode())
    return report


def library(url: str, callers: int, seconds: float, *, functions: bool) -> Report:
    """The library's own PostgreSQL recorder from threads; `functions` is its faster mode."""
    schema = f"bench_{uuid4().hex}"
    place = parse_qs(urlsplit(url).query)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": "postgres",
        "POSTGRES_HOST": place["host"][0],
        "POSTGRES_PORT": place["port"][0],
        "POSTGRES_USER": "daybook",
        "POSTGRES_PASSWORD": "",
        "POSTGRES_SCHEMA": schema,
        "POSTGRES_POOL_SIZE": str(min(callers, 64)),
        "POSTGRES_MAX_OVERFLOW": "0",
        "POSTGRES_MAX_WAITING": "2000",
        "POSTGRES_LOCK_TIMEOUT": "60",
        "POSTGRES_ENABLE_DB_FUNCTIONS": "y" if functions else "n",
    }
    factory = InfrastructureFactory.construct(Environment("bench", settings))
    try:
        recorder = factory.application_recorder()
        return in_threads(callers, seconds, lambda: insert_one(recorder))
    finally:
        factory.close()
        drop(url, schema)
