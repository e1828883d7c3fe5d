"""A network that fails in the middle of an append, and the command sent again, by whichever process."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import msgspec
import psycopg
import pytest

from deploy.local.servers.postgres import SOCKET_PORT
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Entry, EventLog, KeyReused, Replayed
from tests.conftest import ServerPlace
from tests.event_store.given import LoopDoor, adding, append, entry, keyed, positions
from tests.event_store.history import Follower, History
from tests.waiting import SECONDS_MAX

RETRYING = """
import sys
from event_store.postgres.log import PostgresLog
from event_store.records import Entry
import msgspec
log = PostgresLog.open(sys.argv[1], schema=sys.argv[2])
(outcome,) = log.append([msgspec.json.decode(sys.argv[3], type=Entry)])
print(type(outcome).__name__, msgspec.json.encode(outcome.row).decode())
log.close()
"""


class Door:
    """Passes a connection on to the server's socket, until it is told to fail."""

    def __init__(self, folder: Path, server: Path) -> None:
        self._server = server
        self.lets_through: int | None = None  # so many bytes more, then it swallows what is sent: None, all
        self.swallowed = threading.Event()  # something of what was sent
        self.deaf = False  # swallows what the server answers
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / server.name))
        self._listening.listen()
        self._start(self._accept)

    def cut(self) -> None:
        """Breaks every connection, and is a sound door from then on."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.lets_through, self.deaf = None, False

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        for one in (self._listening, *self._open):
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._open += [client, server]
                self._start(self._pass, client, server, self._there)
                self._start(self._pass, server, client, self._back)

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=run, args=arguments))
        self._threads[-1].start()

    def _pass(self, come: socket.socket, go: socket.socket, kept: Callable[[bytes], bytes]) -> None:
        with suppress(OSError):
            while data := come.recv(65_536):
                go.sendall(kept(data))
        for one in (come, go):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _there(self, data: bytes) -> bytes:
        if self.lets_through is None:
            return data
        passed = data[: self.lets_through]
        self.lets_through -= len(passed)
        if len(passed) < len(data):
            self.swallowed.set()
        return passed

    def _back(self, data: bytes) -> bytes:
        return b"" if self.deaf else data


@pytest.fixture
def door(server_place: ServerPlace) -> Iterator[Door]:
    folder = server_place.folder / "d"
    folder.mkdir()
    door = Door(folder, server_place.sockets / f".s.PGSQL.{SOCKET_PORT}")
    yield door
    door.close()
    shutil.rmtree(folder)


@pytest.fixture(params=["threads", "loop"])
def behind_the_door(
    request: pytest.FixtureRequest,
    door: Door,
    server_place: ServerPlace,
    postgres_log: PostgresLog,
    writer_url: str,
    schema: str,
    sql: psycopg.Connection,
) -> Iterator[EventLog]:
    sql.execute(f"LISTEN {schema}".encode())
    sockets, folder = (quote(str(server_place.folder / name), safe="") for name in ("s", "d"))
    log = PostgresLog.open(writer_url.replace(sockets, folder), schema=schema)
    log = LoopDoor(log) if request.param == "loop" else log
    # Once the first append was notified of, the writer and the waker are connected, and the next to send is
    # the test's append.
    assert positions(append(log, adding("cart-first"))) == [1]
    assert [note.payload for note in sql.notifies(timeout=SECONDS_MAX, stop_after=1)] == ["1"]
    yield log
    log.close()


@pytest.mark.parametrize("bytes_sent", [0, 1, 100, 300])
@pytest.mark.parametrize("streams", [["cart-a"], ["cart-a", "cart-b"]], ids=["one", "two"])
def test_cut_before_the_whole_call_was_sent(
    behind_the_door: EventLog, door: Door, postgres_log: PostgresLog, bytes_sent: int, streams: list[str]
) -> None:
    history = of_first(postgres_log)
    sent = entry(dict.fromkeys(streams, 0), *streams, arguments=b'"%s"' % (b"x" * 300), **keyed(b"k"))
    door.lets_through = bytes_sent
    sending = threading.Thread(target=history.append, args=[behind_the_door, sent])
    sending.start()
    assert door.swallowed.wait(SECONDS_MAX)
    door.cut()
    sending.join()
    assert history.lost == 1
    assert postgres_log.journal_row(sent.command_id) is None
    assert positions(history.append(behind_the_door, sent) or ()) == [2]
    history.check(postgres_log)


def test_cut_after_the_commit_and_before_the_answer(
    behind_the_door: EventLog, door: Door, postgres_log: PostgresLog
) -> None:
    history = of_first(postgres_log)
    with Follower(postgres_log) as follower:
        for number in range(2, 10):
            sent = adding(f"cart-{number}", **keyed(b"%d" % number) if number % 2 else {})
            door.deaf = True
            sending = threading.Thread(target=history.append, args=[behind_the_door, sent])
            sending.start()
            assert postgres_log.wait(after=number - 1, timeout_seconds=SECONDS_MAX) == number
            door.cut()
            sending.join()
            # The same command again through either, the same key by another command.
            for log in (behind_the_door, postgres_log):
                (outcome,) = history.append(log, sent) or ()
                assert isinstance(outcome, Replayed)
                assert outcome.row.first_position == number
            if sent.key is not None:
                (outcome,) = (
                    history.append(behind_the_door, adding(f"cart-{number}", **keyed(b"%d" % number))) or ()
                )
                assert isinstance(outcome, Replayed)
                assert outcome.row.command_id == sent.command_id
    assert history.lost == 8
    assert len(history.check(postgres_log, follower)) == 9


def of_first(log: PostgresLog) -> History:
    """A history that knows of what stands in the log already."""
    history = History()
    (first,) = log.read_all(after=0, limit=10)
    sent = adding("cart-first")
    sent.command_id = first.command_id
    history.sent[first.command_id] = sent
    return history


def test_a_retry_gets_the_first_outcome_from_whichever_process(
    postgres_log: PostgresLog, writer_url: str, schema: str
) -> None:
    other = PostgresLog.open(writer_url, schema=schema)
    sent = entry({"cart-a": 0}, "cart-a", "cart-a", **keyed(b"k"), answer=b'{"id":"a"}')
    (first,) = append(postgres_log, sent)
    assert isinstance(first, Appended)
    row = postgres_log.journal_row(sent.command_id)
    retry = entry({"cart-a": 0}, "cart-a", "cart-a", **keyed(b"k"), answer=b'{"id":"b"}')
    door = LoopDoor(other)
    for log in (other, door, postgres_log):
        assert append(log, retry) == append(log, sent) == [Replayed(row)]  # type: ignore[arg-type]
        assert append(log, entry({"cart-a": 2}, "cart-a", **keyed(b"k", b"else"))) == [KeyReused()]

    output = subprocess.run(
        [sys.executable, "-c", RETRYING, writer_url, schema, msgspec.json.encode(retry).decode()],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout
    assert output.strip() == f"Replayed {msgspec.json.encode(row).decode()}"
    assert postgres_log.head() == 2
    door.close()


def test_retries_that_race_through_several_logs_are_done_once(
    postgres_log: PostgresLog, writer_url: str, schema: str
) -> None:
    logs: list[EventLog] = [
        postgres_log,
        PostgresLog.open(writer_url, schema=schema),
        LoopDoor(PostgresLog.open(writer_url, schema=schema)),
    ]
    history = History()
    for number in range(20):
        key = keyed(uuid4().bytes)
        tries: list[tuple[EventLog, Entry]] = [(log, adding(f"cart-{number}", **key)) for log in logs * 2]
        start = threading.Barrier(len(tries))
        outcomes: list[object] = []

        def run(log: EventLog, sent: Entry) -> None:
            start.wait()  # noqa: B023
            outcomes.extend(history.append(log, sent) or ())  # noqa: B023

        threads = [threading.Thread(target=run, args=one) for one in tries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (appended,) = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
        rows = [outcome.row for outcome in outcomes if isinstance(outcome, Replayed)]
        assert len(rows) == 5
        assert {(row.first_position, row.recorded_at) for row in rows} == {
            (appended.first_position, appended.recorded_at)
        }
    assert len(history.check(postgres_log)) == 20
    for log in logs[1:]:
        log.close()
