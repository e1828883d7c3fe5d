"""Telling readers of new events, and hearing of them, apart from the append.

NOTIFY inside the append would serialise commits across the whole cluster. A thread of its own tells, over
its own connection, and many appends are one word. Nobody relies on it: a listener also looks by itself.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import pq

from event_store.errors import StoreUnavailable
from event_store.postgres_connections import connect, quoted
from event_store.postgres_statements import StatementConnection

PAUSE_SECONDS = 0.005  # at most one NOTIFY in so long
POLL_SECONDS = 0.25  # how often a listener looks by itself


class Waker:
    """Notifies the log's channel of its head, at most every few milliseconds."""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema
        self._told = threading.Event()
        self._head = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def tell(self, head: int) -> None:
        """Soon, from the waker's own thread."""
        self._head = max(self._head, head)
        if not self._told.is_set():
            self._told.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"waker {self._schema}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._closed = True
        self._told.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection: StatementConnection | None = None
        schema = self._schema.encode()
        while True:
            self._told.wait()
            if self._closed:
                break
            self._told.clear()
            try:
                if connection is None:
                    # A commit that only wakes others need not wait for the disk.
                    settings = {"synchronous_commit": "off"}
                    connection = StatementConnection(
                        connect(self._url, self._schema, settings=settings),
                        {"tell": b"SELECT pg_notify($1, $2)"},
                    )
                connection.send("tell", [schema, str(self._head).encode()])
                if connection.answer().status != pq.ExecStatus.TUPLES_OK:
                    raise psycopg.OperationalError("NOTIFY was refused")
            except psycopg.Error:
                # Listeners look by themselves; the next append's word makes a new connection.
                if connection is not None:
                    connection.close()
                    connection = None
            time.sleep(PAUSE_SECONDS)
        if connection is not None:
            connection.close()


class Listener:
    """Knows the log's head within milliseconds of a word from any process, and POLL_SECONDS without one.

    One connection and one thread for all who wait, from the first wait on.
    """

    def __init__(self, url: str, schema: str, *, read_only: bool) -> None:
        self._url = url
        self._schema = schema
        self._read_only = read_only
        self._head = 0
        self._moved = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def wait(self, *, after: int, until: float) -> int:
        """The head as last heard of, once it is above `after` or at `until` (monotonic seconds)."""
        with self._moved:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name=f"listener {self._schema}", daemon=True
                )
                self._thread.start()
            self._moved.wait_for(lambda: self._head > after or self._closed, timeout=until - time.monotonic())
            if self._closed:
                raise StoreUnavailable("this log is closed")
            return self._head

    def close(self) -> None:
        with self._moved:
            self._closed = True
            self._moved.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            try:
                with connect(self._url, self._schema, read_only=self._read_only) as connection:
                    with suppress(psycopg.errors.ReadOnlySqlTransaction):  # a replica: look, then
                        connection.execute(f"LISTEN {quoted(self._schema)}".encode())
                    while not self._closed:
                        self._hear(_head_of(connection))
                        for word in connection.notifies(timeout=POLL_SECONDS):
                            self._hear(int(word.payload))
                            if self._closed:
                                break
            except psycopg.Error:
                # Away: whoever asks for the head is told so by its own query; here we try again.
                time.sleep(POLL_SECONDS)

    def _hear(self, head: int) -> None:
        if head > self._head:
            with self._moved:
                self._head = head
                self._moved.notify_all()


def _head_of(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    assert row is not None
    return int(row[0])
