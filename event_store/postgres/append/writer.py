"""The one way into the log: calls queue in an event loop, travel together, and are answered together.

Each call waits for the loop's next turn. While the server works on one batch the next is packed and sent
after it on the same connection (libpq's pipeline mode), so that neither side waits for the other. What waits
when nothing is under way is therefore sent as two halves.

Where other processes write too, the log's lock goes from one to the next with each batch, and they are what
the server works on meanwhile: then few large batches beat many small ones, and one at a time is under way.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import psycopg
import uvloop
from psycopg import pq

from event_store.errors import StoreUnavailable
from event_store.postgres.append.batch import CommandBatch, Journal
from event_store.postgres.append.connection import WriterConnection, columns_of
from event_store.postgres.append.insert import InsertBatch, InsertCall
from event_store.postgres.append.rows import CommandCall
from event_store.postgres.append.statements import STATEMENT_TIMEOUT_SECONDS
from event_store.postgres.connections import unavailable_is_typed
from event_store.records import Moved

ENTRIES_MOST = 2_000
BYTES_MOST = 4 * 1024 * 1024
IN_FLIGHT_MOST = 2
ALONE_AFTER = 16  # batches that nobody's lock delayed: then no other process is writing
HALVES_FROM = 64  # calls; fewer are not worth a second commit

T = TypeVar("T")
Call = CommandCall | InsertCall
Future = asyncio.Future[Any] | ThreadFuture[Any]


@dataclass(slots=True)
class _Flight:
    """A batch under way, and the futures of its calls."""

    batch: CommandBatch | InsertBatch
    futures: list[Future]
    judged: bool  # by `append_each`
    result: pq.abc.PGresult | None = None


class Writer:
    """Writes for the callers of its loop, and for other threads. See `WriterThread`."""

    def __init__(
        self,
        connect: Callable[[], WriterConnection],
        journal: Journal,
        notify: Callable[[int], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`notify` gets each new head; `connect` and `journal` may block, they are called in threads."""
        self._connect = connect
        self._journal = journal
        self._notify = notify
        self.loop = loop
        self._waiting: deque[tuple[Call, Future]] = deque()
        self._session = 0  # which connection this is, counted
        self._flying: deque[_Flight] = deque()
        self._connection: WriterConnection | None = None
        self._socket = -1  # The driver forgets it with the connection, the loop does not.
        self._connecting: asyncio.Task[Exception | None] | None = None
        self._judging: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._unhindered = ALONE_AFTER  # batches in a row that did not wait for the log's lock
        self._writing = False
        self._timer: asyncio.TimerHandle | None = None
        self._closing = threading.Lock()  # No call of another thread enters the queue after the last.
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

    def submit(self, call: Call) -> asyncio.Future[Any]:
        """The call's results to come, for a caller of this loop."""
        if self._closed:
            raise StoreUnavailable("this log is closed")
        future = self.loop.create_future()
        self._waiting.append((call, future))
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._dispatch)
        return future

    def submit_threadsafe(self, call: Call) -> ThreadFuture[Any]:
        """The call's results to come, for a caller of any thread."""
        future: ThreadFuture[Any] = ThreadFuture[Any]()
        with self._closing:
            if self._closed:
                raise StoreUnavailable("this log is closed")
            self._waiting.append((call, future))
            if not self._scheduled:
                self._scheduled = True
                self.loop.call_soon_threadsafe(self._dispatch)
        return future

    def close(self) -> None:
        """From any thread; what is under way or waits fails."""
        with self._closing:
            self._closed = True
        try:
            self.loop.call_soon_threadsafe(self._lose, StoreUnavailable("this log is closed"))
        except RuntimeError:  # The loop is closed, and has no callers.
            if self._connection is not None:
                self._connection.close()

    @property
    def _in_flight_most(self) -> int:
        return IN_FLIGHT_MOST if self._unhindered >= ALONE_AFTER else 1

    def _dispatch(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._flying) < self._in_flight_most:
            if self._connection is not None and not self._flying and self._connection.was_lost():
                self._disconnect()  # While nothing was under way: connect again rather than fail a call.
            if self._connection is None:
                self._connect_once()
                return
            calls, futures = self._take()
            if not calls:
                continue
            try:
                batch = InsertBatch(calls) if isinstance(calls[0], InsertCall) else CommandBatch(calls)
                self._send(_Flight(batch, futures, judged=not batch.consistent))
            except (
                Exception
            ) as error:  # What cannot be packed was not sent: its callers must not wait for it.
                _fail(futures, error)

    def _take(self) -> tuple[list[Any], list[Future]]:
        """As many as go together, from the head of the queue; all of one kind."""
        waiting = self._waiting
        most = len(waiting)
        if not self._flying and most >= HALVES_FROM and self._in_flight_most > 1:
            most = (most + 1) // 2
        count = fitting([call for call, _ in islice(waiting, most)])
        taken = [waiting.popleft() for _ in range(count)]
        if self._session > 1:
            taken = [one for one in taken if self._is_of_this_session(*one)]
        return [call for call, _ in taken], [future for _, future in taken]

    def _is_of_this_session(self, call: Call, future: Future) -> bool:
        """Where not, all that the caller read is to be read anew."""
        if call.session in {None, self._session}:
            return True
        if not future.done():
            future.set_result([Moved(tuple(entry.reads)) for entry in call.entries])
        return False

    def _send(self, flight: _Flight) -> None:
        """Packs the batch and puts it on its way. Raises where it cannot be packed; then nothing was sent."""
        connection = self._connection
        if connection is None:
            _fail(flight.futures, StoreUnavailable("the connection was lost"))
            return
        batch, types = flight.batch, connection.row_types
        if flight.judged:
            assert isinstance(batch, CommandBatch)
            function, parameters = "append_each", batch.append_each_parameters(types)
        else:
            function, parameters = batch.function, batch.parameters(types)
        self._flying.append(flight)
        try:
            with unavailable_is_typed:
                connection.send(function, parameters)
                connection.pgconn.pipeline_sync()
                self._flush()
        except Exception as error:  # Part of it may be on its way: the connection is of no use any more.
            self._lose(error)
            return
        if len(self._flying) == 1:
            self._watch_time()

    def _flush(self) -> None:
        """Writes what the socket takes; the rest when it takes more."""
        assert self._connection is not None
        more = self._connection.pgconn.flush() == 1
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
        except Exception as error:  # Else the batch's callers would wait for ever.
            self._lose(error)

    def _land(self, flight: _Flight) -> None:
        """The server is done with a batch."""
        self._watch_time()
        try:
            with unavailable_is_typed:
                assert flight.result is not None
                answer = columns_of(flight.result)
            waited = flight.batch.waited(answer)
            self._unhindered = 0 if waited else self._unhindered + 1
            if flight.judged:
                task = self.loop.create_task(self._read_judgement(flight, answer))
                self._judging.add(task)
                task.add_done_callback(self._judging.discard)
            elif (written := flight.batch.written(answer)) is None:
                self._judge(flight)
            else:
                self._settle(flight, *written)
        except psycopg.errors.UniqueViolation as error:
            if flight.judged or isinstance(flight.batch, InsertBatch):
                _fail(flight.futures, error)
            else:  # A command of the batch is in the journal.
                self._judge(flight)
        except Exception as error:
            _fail(flight.futures, error)
        if self._waiting and not self._scheduled:
            if self._in_flight_most > 1:
                self._dispatch()
            else:  # With the callers that were just answered, and call again.
                self._scheduled = True
                self.loop.call_soon(self._dispatch)

    def _judge(self, flight: _Flight) -> None:
        self._send(_Flight(flight.batch, flight.futures, judged=True))

    async def _read_judgement(self, flight: _Flight, answer: list[bytes | None]) -> None:
        assert isinstance(flight.batch, CommandBatch)
        try:
            outcomes, head = await _in_thread(flight.batch.judged, answer, self._journal)
        except asyncio.CancelledError:
            _fail(flight.futures, StoreUnavailable("this log is closed"))
            raise
        except Exception as error:  # Whatever it is, it belongs to the callers.
            _fail(flight.futures, error)
        else:
            self._settle(flight, outcomes, head)

    def _settle(self, flight: _Flight, results: Iterable[Any], head: int) -> None:
        for future, result in zip(flight.futures, results, strict=True):
            if not future.done():
                future.set_result(result)
        self._notify(head)

    def _connect_once(self) -> None:
        if self._connecting is None:
            self._connecting = self.loop.create_task(self._open())

    async def _open(self) -> Exception | None:
        """Connects, in a thread, and sends what waits; when that fails, so does all of it, by the error."""
        try:
            connection = await _connected(self._connect)
        except Exception as error:  # Whatever it is, it belongs to the callers.
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
        while self._waiting:
            _fail([self._waiting.popleft()[1]], error)

    def _lose(self, error: Exception) -> None:
        """Drops the connection. What was under way fails; what only waited goes over the next one."""
        self._disconnect()
        flying, self._flying = self._flying, deque()
        for flight in flying:
            _fail(flight.futures, error)
        self._watch_time()
        if self._closed:
            self._fail_waiting(error)
        elif self._waiting:
            self._dispatch()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self.loop.remove_reader(self._socket)
            self.loop.remove_writer(self._socket)
            self._writing = False
            connection.close()


class WriterThread:
    """A writer in a loop and a thread of its own, for callers that have no loop."""

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], Writer]) -> None:
        """`make` makes the writer of the loop. RuntimeError where there can be no further thread."""
        self._loop = uvloop.new_event_loop()
        self._writer = make(self._loop)
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._loop.close()
            raise

    def call(self, call: Call) -> Any:
        """The call's results; blocks until they are there."""
        return self._writer.submit_threadsafe(call).result()

    def close(self) -> None:
        """Calls under way fail. Once closed, it stays so."""
        if self._thread.is_alive():
            self._writer.close()
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        await self._stop.wait()


def fitting(calls: list[Call]) -> int:
    """How many, from the first on, may travel together: at least one."""
    entries = size_bytes = 0
    marks: set[Hashable] = set()
    for count, call in enumerate(calls):
        entries += len(call.entries)
        size_bytes += call.size_bytes
        if count and (
            entries > ENTRIES_MOST
            or size_bytes > BYTES_MOST
            or type(call) is not type(calls[0])
            or not marks.isdisjoint(call.marks)
        ):
            return count
        marks.update(call.marks)
    return len(calls)


def _fail(futures: Iterable[Future], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(copy.copy(error))


async def _connected(connect: Callable[[], WriterConnection]) -> WriterConnection:
    """Connects in a thread. Canceled meanwhile, it leaves no connection behind."""
    made: list[WriterConnection] = []
    given_up = threading.Event()

    def close_all() -> None:
        while made:
            made.pop().close()

    def make() -> None:
        made.append(connect())
        if given_up.is_set():
            close_all()

    try:
        await _in_thread(make)
    except asyncio.CancelledError:
        given_up.set()
        close_all()
        raise
    return made.pop()


def _in_thread(function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
    """Calls it in a thread of its own: the loop's executor takes nothing once the program's main thread has
    ended, and may be full of those who wait for us."""
    future: ThreadFuture[T] = ThreadFuture()
    future.set_running_or_notify_cancel()

    def call() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:  # Whatever it is, it belongs to whom it is called for.
            future.set_exception(error)

    threading.Thread(target=call, name="log writer's call", daemon=True).start()
    return asyncio.wrap_future(future)
