"""Telling readers of new events, and hearing of them, apart from the append.

NOTIFY inside the append would serialise commits across the whole cluster. It goes over a connection of its
own, and many appends are one word. Nobody relies on it: a listener also looks by itself.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

import psycopg

from event_store.errors import StoreUnavailable
from event_store.postgres.append.statements import STATEMENT_TIMEOUT_SECONDS, StatementConnection
from event_store.postgres.connections import READER_ROLE, LimitedConnection, connect, quoted

PAUSE_SECONDS = 0.005  # at most one NOTIFY in so long
POLL_SECONDS = 0.25  # how often a listener looks by itself


class Waker:
    """Notifies the log's channel of its head, at most every few milliseconds.

    The appender notifies, and waits for nothing. A thread connects, and notifies of what came too soon after
    the last notification.
    """

    def __init__(self, url: str, schema: str, *, closing: threading.Event) -> None:
        self._url = url
        self._schema = schema
        self._closing = closing
        self._head = 0
        self._notified = 0
        self._lost = False  # The next server may have less.
        self._notified_at = 0.0  # monotonic seconds
        self._connection: StatementConnection | None = None
        self._sending = threading.Lock()
        self._left_over = threading.Event()
        self._thread: threading.Thread | None = None

    def notify(self, head: int) -> None:
        """At once, or a few milliseconds later."""
        if self._lost:
            self._head = self._notified = 0
            self._lost = False
        self._head = max(self._head, head)
        if time.monotonic() - self._notified_at >= PAUSE_SECONDS and self._sending.acquire(blocking=False):
            try:
                if self._send():
                    return
            finally:
                self._sending.release()
        if not self._left_over.is_set():  # Setting it takes longer than looking.
            self._left_over.set()
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name=f"waker {self._schema}", daemon=True)
            thread.start()
            self._thread = thread  # Not before: `close` may come meanwhile.

    def close(self) -> None:
        self._closing.set()
        self._left_over.set()
        if self._thread is not None:
            self._thread.join()
        self._drop()

    def _run(self) -> None:
        while True:
            self._left_over.wait()
            if self._closing.is_set():
                return
            self._left_over.clear()
            time.sleep(max(0.0, self._notified_at + PAUSE_SECONDS - time.monotonic()))
            with self._sending:
                if self._connection is None:
                    self._connect()
                unanswered = self._head > self._notified and self._connection is not None and not self._send()
            if unanswered:
                time.sleep(PAUSE_SECONDS)
                self._left_over.set()

    def _connect(self) -> None:
        # A commit that only wakes others need not wait for the disk.
        with suppress(psycopg.Error):  # Listeners poll as well; the next append tries again.
            self._connection = StatementConnection(
                connect(
                    self._url, self._schema, settings={"synchronous_commit": "off"}, closing=self._closing
                ),
                {"notify": b"SELECT pg_notify($1, $2)"},
            )
            self._connection.pgconn.nonblocking = 1

    def _send(self) -> bool:
        """Whether the notification was sent; not where the server has not answered the one before."""
        if self._connection is None:
            return False
        try:
            if not self._connection.is_idle():
                if time.monotonic() - self._notified_at > STATEMENT_TIMEOUT_SECONDS:
                    raise psycopg.OperationalError("the server does not answer")
                return False
            self._connection.send("notify", [self._schema.encode(), str(self._head).encode()])
            self._connection.pgconn.flush()
        except psycopg.Error:
            self._drop()
            return False
        self._notified, self._notified_at = self._head, time.monotonic()
        return True

    def _drop(self) -> None:
        self._lost = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Listener:
    """Knows the log's head within milliseconds of any process's notification, and POLL_SECONDS without one.

    One connection and one thread for all who wait, from the first wait on.
    """

    def __init__(
        self, url: str, schema: str, *, read_only: bool, closing: threading.Event, role: str = READER_ROLE
    ) -> None:
        self._url = url
        self._schema = schema
        self._read_only = read_only
        self._role = role
        self._closing = closing
        self.head = 0  # as last heard of; 0 before the first wait
        self.is_listening = False  # Then it hears of what is appended, and `head` is as of a moment ago.
        self._moved = threading.Condition()
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None  # Our mistake: then nobody looks any more.

    def wait(self, *, after: int, until: float) -> int:
        """The head as last heard of, once it is above `after` or at `until` (monotonic seconds)."""
        with self._moved:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(
                    target=self._run, name=f"listener {self._schema}", daemon=True
                )
                self._thread.start()
            self._moved.wait_for(
                lambda: self.head > after or self._closing.is_set() or self._failure is not None,
                timeout=until - time.monotonic(),
            )
            if self._failure is not None:
                raise self._failure
            if self._closing.is_set():
                raise StoreUnavailable("this log is closed")
            return self.head

    def close(self) -> None:
        with self._moved:
            self._closing.set()
            self._moved.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except psycopg.Error:
                self.is_listening = False
                # Away: a caller that asks for the head learns it from its own query; here we try again.
                self._closing.wait(POLL_SECONDS)
            except Exception as error:
                self.is_listening = False
                with self._moved:
                    self._failure = error
                    self._moved.notify_all()
                return

    def _listen(self) -> None:
        """Until the log is closed; raises what the driver raises."""
        with self._connect() as connection:
            listens = False
            with suppress(psycopg.errors.ReadOnlySqlTransaction):  # a replica: poll, then
                connection.execute(f"LISTEN {quoted(self._schema)}".encode())
                listens = True
            while not self._closing.is_set():
                # The server's own head counts, also where it is less: after a restore.
                self._receive_head(_head_of(connection), or_less=True)
                self.is_listening = listens
                for notification in connection.notifies(timeout=POLL_SECONDS):
                    if notification.payload.isdecimal():  # Any program may notify on the channel.
                        self._receive_head(int(notification.payload))
                    if self._closing.is_set():
                        break

    def _connect(self) -> LimitedConnection:
        return connect(
            self._url, self._schema, read_only=self._read_only, role=self._role, closing=self._closing
        )

    def _receive_head(self, head: int, *, or_less: bool = False) -> None:
        if head > self.head or (or_less and head < self.head):
            with self._moved:
                self.head = head
                self._moved.notify_all()


def _head_of(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    assert row is not None
    return int(row[0])
