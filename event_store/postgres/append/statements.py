"""A connection with prepared statements, used below the driver's cursors.

Binary parameters in, the server's plain answer out, and a time limit that holds also when the server's
machine is gone.
"""

from __future__ import annotations

import select
import time
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import pq

STATEMENT_TIMEOUT_SECONDS = 5
_FORMATS = [pq.Format.BINARY] * 32


class StatementConnection:
    """One statement at a time: `send`, then `answer`."""

    def __init__(self, connection: psycopg.Connection, statements: Mapping[str, bytes]) -> None:
        """Prepares the statements, by name; the connection is its own, also to close where that fails."""
        self._connection = connection
        self.pgconn = connection.pgconn
        self._poll = select.poll()
        self._poll.register(connection.pgconn.socket, select.POLLIN)
        try:
            self._prepare(statements)
        except BaseException:
            connection.close()
            raise

    def send(self, name: str, parameters: Sequence[bytes | None]) -> None:
        """Puts the call of a statement on its way, as far as the socket takes it now."""
        self.pgconn.send_query_prepared(
            name.encode(), parameters, _FORMATS[: len(parameters)], pq.Format.BINARY
        )

    def answer(self) -> pq.abc.PGresult:
        """The server's last result. OperationalError when it sends nothing in time."""
        pgconn = self.pgconn
        deadline = time.monotonic() + STATEMENT_TIMEOUT_SECONDS + 1
        if pgconn.flush() == 1:
            self._flush(deadline)
        answer: pq.abc.PGresult | None = None
        while True:
            while pgconn.is_busy():
                if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    raise psycopg.OperationalError("the server does not answer")
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break
            answer = result  # After the row comes the commit, and its failure where it failed.
        if answer is None:
            raise psycopg.OperationalError("the server sent no answer")
        return answer

    def is_idle(self) -> bool:
        """Whether all that was sent is answered; waits for nothing. OperationalError where the server left,
        and what it refused is raised."""
        self._read()
        while not self.pgconn.is_busy():
            result = self.pgconn.get_result()
            if result is None:
                return True
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result)
        return False

    def was_lost(self) -> bool:
        """Whether the server left since the last answer."""
        try:
            self._read()
        except psycopg.OperationalError:
            return True
        return False

    def _read(self) -> None:
        """Reads what there is: a server that shuts down sends a message, then the end of the stream."""
        while self.pgconn.status == pq.ConnStatus.OK and self._poll.poll(0):
            self.pgconn.consume_input()
        if self.pgconn.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError("the server closed the connection")

    def close(self) -> None:
        self._connection.close()

    def _prepare(self, statements: Mapping[str, bytes]) -> None:
        for name, statement in statements.items():
            self.pgconn.send_prepare(name.encode(), statement)
            result = self.answer()
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)

    def _flush(self, deadline: float) -> None:
        both = select.poll()
        both.register(self.pgconn.socket, select.POLLIN | select.POLLOUT)
        while self.pgconn.flush() == 1:
            if not both.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise psycopg.OperationalError("the server does not answer")
            self.pgconn.consume_input()
