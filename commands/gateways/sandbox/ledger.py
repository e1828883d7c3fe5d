"""The sandbox's file: a SQLite database that all processes share, as they would share Stripe."""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands.gateways.gateway import GatewayUnavailable
from commands.gateways.sandbox import migration

_SCHEMA = """
CREATE TABLE calls (
    key TEXT PRIMARY KEY,
    created INTEGER NOT NULL,  -- seconds since 1970
    request TEXT NOT NULL,     -- JSON: what was asked under the key
    status INTEGER NOT NULL,
    body TEXT NOT NULL,        -- JSON
    request_id TEXT NOT NULL
) STRICT;
CREATE INDEX calls_by_time ON calls (created);
CREATE TABLE objects (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,        -- Stripe's word: payment_intent, charge, refund, dispute, balance_transaction
    payment TEXT NOT NULL,     -- the payment intent it belongs to
    order_id TEXT,             -- of a payment intent, where its metadata names one
    created INTEGER NOT NULL,
    body TEXT NOT NULL         -- JSON, without client secrets and the card holder
) STRICT;
CREATE INDEX objects_of_payment ON objects (payment, kind, created);
CREATE INDEX objects_by_time ON objects (kind, created);
CREATE INDEX holds ON objects (created)
    WHERE kind = 'payment_intent' AND json_extract(body, '$.status') = 'requires_capture';
CREATE INDEX objects_of_order ON objects (order_id) WHERE order_id IS NOT NULL;
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    created INTEGER NOT NULL,
    by_itself INTEGER NOT NULL,  -- 0: an echo of a call
    body TEXT NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,  -- 1: delivered, 2: given up
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL          -- seconds since 1970: the next attempt
) STRICT;
CREATE INDEX events_by_time ON events (created);
CREATE INDEX events_by_themselves ON events (created) WHERE by_itself = 1;
CREATE INDEX events_due ON events (by_itself, number) WHERE delivered = 0;
CREATE TABLE faults (
    number INTEGER PRIMARY KEY,
    operation TEXT NOT NULL,
    kind TEXT NOT NULL,
    seconds REAL NOT NULL
) STRICT;
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
"""
_VERSION = 1

LEDGER_BUSY = "ledger_busy"
"""The code of an error that passes."""


class Ledger:
    """The file at `path`, which is made where it is missing. Threads take turns."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        """Raises GatewayUnavailable where the file is no ledger: nothing is written over what lies there."""
        self._lock = threading.RLock()
        self._path = path
        self._depth = 0
        until = time.monotonic() + busy_seconds
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            while not self._prepared(last_try=time.monotonic() >= until):
                time.sleep(0.02)

    def close(self) -> None:
        """Later use raises GatewayUnavailable."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; within another one only its own part is undone.

        GatewayUnavailable where the file is busy or cannot be used: then nothing was done.
        """
        with self._lock, self._errors():
            begin, commit, rollback = (
                ("SAVEPOINT part", "RELEASE part", "ROLLBACK TO part")
                if self._depth
                else ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
            )
            self._connection.execute(begin)
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                self._connection.execute(rollback)
                raise
            self._depth -= 1
            self._connection.execute(commit)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Every row that the statement finds."""
        with self._lock, self._errors():
            return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """The first row, or None."""
        with self._lock, self._errors():
            return self._connection.execute(statement, values).fetchone()

    def write(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Changes rows; returns how many."""
        with self._lock, self._errors():
            return self._connection.execute(statement, values).rowcount

    def setting(self, name: str) -> str | None:
        """What the account holds under a name."""
        row = self.row("SELECT value FROM account WHERE name = ?", (name,))
        return row[0] if row else None

    def set(self, name: str, value: str) -> None:
        """Has the account hold a value."""
        self.write("INSERT OR REPLACE INTO account (name, value) VALUES (?, ?)", (name, value))

    def unusable(self, error: Exception) -> GatewayUnavailable:
        """The error for a file that cannot be used."""
        return GatewayUnavailable(f"the sandbox's ledger {self._path} cannot be used: {error}")

    def _prepared(self, *, last_try: bool) -> bool:
        """Whether the ledger is ready; False while another process opens it at the same moment.

        SQLite refuses the change to WAL at once then, whatever its busy time-out.
        """
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # what was charged outlives a power cut
            if self._version() != _VERSION:
                self._build()
        except sqlite3.OperationalError as error:
            if last_try or not _is_busy(error):
                self._connection.close()
                raise
            return False
        except BaseException:
            self._connection.close()
            raise
        return True

    def _build(self) -> None:
        with self.transaction():
            if self._version() == _VERSION:
                return  # another process was first
            before = migration.set_aside(self._connection)
            for statement in _SCHEMA.split(";\n"):
                self._connection.execute(statement)
            self.set("secret", secrets.token_hex(24))
            self.set("webhook_secret", f"whsec_{secrets.token_hex(24)}")
            if before:
                migration.migrate(self._connection)
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise (GatewayUnavailable(LEDGER_BUSY) if _is_busy(error) else self.unusable(error)) from error
        except (sqlite3.Error, OSError) as error:  # Among them "Cannot operate on a closed database."
            raise self.unusable(error) from error


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # of extended codes the low byte is the kind
