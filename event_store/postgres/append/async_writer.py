"""The append for callers of one event loop: no thread, no lock, and a second batch under way with the first.

Each call's entries wait for the loop's next turn and travel together. While the server works on one batch
the next is packed and sent after it on the same connection (libpq's pipeline mode), so that neither side
waits for the other. What waits when nothing is under way is therefore sent as two halves.

Where other processes write too, the log's lock goes from one to the next with each batch, and they are what
the server works on meanwhile: then few large batches beat many small ones, and one at a time is under way.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import psycopg
from psycopg import pq

from event_store.errors import StoreUnavailable
from event_store.postgres.append.append_one import whole
from event_store.postgres.append.batch import Journal, waited
from event_store.postgres.append.combining import fitting
from event_store.postgres.append.flight import Flight, fail
from event_store.postgres.append.rows import CommandParcel
from event_store.postgres.append.statements import STATEMENT_TIMEOUT_SECONDS
from event_store.postgres.append.writer import WriterConnection, columns_of
from event_store.postgres.connections import unavailable_is_typed
from event_store.postgres.opening import opened
from event_store.records import Entry, Moved, Outcome

IN_FLIGHT_MOST = 2
ALONE_AFTER = 16  # batches that nobody's lock delayed: then no other process is writing
HALVES_FROM = 64  # parcels; fewer are not worth a second commit


class AsyncWriter:
    """Appends for the callers of the loop it was made in."""

    def __init__(
        self, connect: Callable[[], WriterConnection], journal: Journal, tell: Callable[[int], None]
    ) -> None:
        """`tell` is told each new head; `journal` may block, it is called in a thread."""
        self._connect = connect
        self._journal = journal
        self._tell = tell
        self.loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[CommandParcel, asyncio.Future[list[Outcome]]]] = deque()
        self._session = 0  # which connection this is, counted
        self._flying: deque[Flight] = deque()
        self._connection: WriterConnection | None = None
        self._socket = -1  # The driver forgets it with the connection, the loop does not.
        self._connecting: asyncio.Task[Exception | None] | None = None
        self._judging: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._unhindered = ALONE_AFTER  # batches in a row that did not wait for the log's lock
        self._writing = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def session(self) -> int:
        """See EventLog.session_async."""
        while self._connection is None:
            if self._closed:
                raise StoreUnavailable("this log is closed")
            self._connect_once()
            assert self._connecting is not None
            error = await asyncio.shield(self._connecting)
            if error is not None:
                raise copy.copy(error)
        return self._session

    def append(
        self, entries: Sequence[Entry], *, session: int | None = None
    ) -> asyncio.Future[list[Outcome]]:
        """The outcomes to come, see EventLog.append_async; the entries have been checked."""
        if self._closed:
            raise StoreUnavailable("this log is closed")
        future: asyncio.Future[list[Outcome]] = self.loop.create_future()
        parcel = CommandParcel(entries, session)
        if self._flying or self._waiting:
            parcel.prepare()
        self._waiting.append((parcel, future))
        self._dispatch_soon()
        return future

    @property
    def _in_flight_most(self) -> int:
        return IN_FLIGHT_MOST if self._unhindered >= ALONE_AFTER else 1

    def close(self) -> None:
        """From any thread; what is under way fails."""
        self._closed = True
        if self.loop.is_closed():
            if self._connection is not None:
                self._connection.close()
        else:
            self.loop.call_soon_threadsafe(self._lose, StoreUnavailable("this log is closed"))

    def _dispatch_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._flying) < self._in_flight_most:
            if self._connection is None:
                self._connect_once()
                return
            parcels, futures = self._take()
            if not parcels:
                continue
            batch = whole(parcels, self._connection.end, moving=bool(self._flying))
            self._send(Flight(batch, futures, each=not batch.smooth))

    def _take(self) -> tuple[list[CommandParcel], list[asyncio.Future[Any]]]:
        """As many as go together, from the head of the queue."""
        waiting = self._waiting
        most = len(waiting)
        if not self._flying and most >= HALVES_FROM and self._in_flight_most > 1:
            most = (most + 1) // 2
        count = fitting([parcel for parcel, _ in islice(waiting, most)])
        taken = [waiting.popleft() for _ in range(count)]
        if self._session > 1:
            taken = [one for one in taken if self._is_of_this_session(*one)]
        return [parcel for parcel, _ in taken], [future for _, future in taken]

    def _is_of_this_session(self, parcel: CommandParcel, future: asyncio.Future[list[Outcome]]) -> bool:
        """Where not, whoever waits is told that all it read is to be read anew."""
        if parcel.session in {None, self._session}:
            return True
        if not future.done():
            future.set_result([Moved(tuple(entry.reads)) for entry in parcel.entries])
        return False

    def _connect_once(self) -> None:
        if self._connecting is None:
            self._connecting = self.loop.create_task(self._open())

    def _send(self, flight: Flight) -> None:
        connection = self._connection
        if connection is None:
            fail(flight.futures, StoreUnavailable("the connection was lost"))
            return
        types = connection.row_types
        self._flying.append(flight)
        try:
            with unavailable_is_typed:
                if flight.each:
                    connection.send("append_each", flight.batch.as_batch().append_each_parameters(types))
                else:
                    connection.send(flight.batch.function, flight.batch.parameters(types))
                connection.pgconn.pipeline_sync()
                self._flush()
        except StoreUnavailable as error:
            self._lose(error)
            return
        if len(self._flying) == 1:
            self._watch_time()

    def _flush(self) -> None:
        """Writes what the socket takes; the rest when it takes more."""
        assert self._connection is not None
        pgconn = self._connection.pgconn
        more = pgconn.flush() == 1
        if more != self._writing:
            self._writing = more
            if more:
                self.loop.add_writer(self._socket, self._writable)
            else:
                self.loop.remove_writer(self._socket)

    def _writable(self) -> None:
        try:
            with unavailable_is_typed:
                self._flush()
        except StoreUnavailable as error:
            self._lose(error)

    def _readable(self) -> None:
        assert self._connection is not None
        pgconn = self._connection.pgconn
        try:
            with unavailable_is_typed:
                pgconn.consume_input()
                while self._flying and not pgconn.is_busy():
                    result = pgconn.get_result()
                    if result is None:
                        continue
                    if result.status == pq.ExecStatus.PIPELINE_SYNC:
                        self._land(self._flying.popleft())
                    else:
                        self._flying[0].result = result
        except Exception as error:  # Else those who wait for the batch would wait for ever.
            self._lose(error)

    def _land(self, flight: Flight) -> None:
        """The server is done with a batch."""
        self._watch_time()
        try:
            with unavailable_is_typed:
                assert flight.result is not None
                answer = columns_of(flight.result)
            self._unhindered = 0 if waited(answer) else self._unhindered + 1
            self._answered(flight, answer)
        except psycopg.errors.UniqueViolation as error:
            if flight.each:
                fail(flight.futures, error)
            else:  # A command of the batch is in the journal.
                self._judge_each(flight)
        except Exception as error:
            fail(flight.futures, error)
        if self._waiting:
            if self._in_flight_most > 1:
                self._dispatch()
            else:  # With those who were just answered, and who ask again.
                self._dispatch_soon()

    def _answered(self, flight: Flight, answer: list[bytes | None]) -> None:
        if flight.each:
            flight.batch.end.forget()
            task = self.loop.create_task(self._judged(flight, answer))
            self._judging.add(task)
            task.add_done_callback(self._judging.discard)
        elif (written := flight.batch.appended(answer)) is None:
            self._judge_each(flight)
        else:
            self._settle(flight, *written)

    def _judge_each(self, flight: Flight) -> None:
        self._send(Flight(flight.batch.as_batch(), flight.futures, each=True))

    async def _judged(self, flight: Flight, answer: list[bytes | None]) -> None:
        try:
            outcomes, head = await asyncio.to_thread(flight.batch.as_batch().judged, answer, self._journal)
        except Exception as error:  # Whatever it is, it belongs to those who wait.
            fail(flight.futures, error)
        else:
            self._settle(flight, outcomes, head)

    def _settle(self, flight: Flight, outcomes: list[list[Outcome]], head: int) -> None:
        for future, outcome in zip(flight.futures, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)
        self._tell(head)

    async def _open(self) -> Exception | None:
        """Connects, in a thread, and sends what waits; when that fails, so does all of it, by the error."""
        try:
            connection = await opened(self._connect)
        except Exception as error:  # Whatever it is, it belongs to those who wait.
            self._fail_waiting(error)
            return error
        finally:
            self._connecting = None
        if self._closed:
            connection.close()
            return StoreUnavailable("this log is closed")
        self._session += 1
        connection.pgconn.nonblocking = 1
        connection.pgconn.enter_pipeline_mode()
        self._connection = connection
        self._socket = connection.pgconn.socket
        self.loop.add_reader(self._socket, self._readable)
        self._dispatch()
        return None

    def _watch_time(self) -> None:
        """A server that is gone never answers: the batch at the head of the line has so long."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flying:
            error = StoreUnavailable("the server does not answer")
            self._timer = self.loop.call_later(STATEMENT_TIMEOUT_SECONDS + 1, self._lose, error)

    def _fail_waiting(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, deque()
        fail([future for _, future in waiting], error)

    def _lose(self, error: Exception) -> None:
        """Drops the connection. What was under way fails; what only waited goes over the next one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.loop.remove_reader(self._socket)
            self.loop.remove_writer(self._socket)
            self._writing = False
            connection.close()
        flying, self._flying = self._flying, deque()
        for flight in flying:
            fail(flight.futures, error)
        self._watch_time()
        if self._closed:
            self._fail_waiting(error)
        elif self._waiting:
            self._dispatch()
