"""Many threads and two processes on one log: nothing lost, nothing twice, no holes."""

from __future__ import annotations

import subprocess
import sys
import threading
from uuid import UUID

from event_store.postgres.log import PostgresLog
from event_store.records import Appended, EventLog, Moved, Replayed
from tests.event_store.given import adding, append, command_ids, entry, keyed, written

WRITER = """
import sys
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Moved
from tests.event_store.given import adding, append
url, schema, name = sys.argv[1:]
log = PostgresLog.open(url, schema=schema)
moved = 0
for n in range(200):
    version = len(log.read_stream("stock-x"))
    (outcome,) = append(log, adding("stock-x", version))
    if isinstance(outcome, Appended):
        print(log.read_stream("stock-x", after_version=version)[0].command_id)
    append(log, adding(f"cart-{name}-{n}"))
log.close()
"""


def test_threads_on_streams_of_their_own_all_succeed_without_a_hole(log: EventLog) -> None:
    acknowledged: list[UUID] = []

    def run(name: int) -> None:
        for version in range(40):
            sent = adding(f"cart-{name}", version)
            (outcome,) = append(log, sent)
            assert isinstance(outcome, Appended)
            acknowledged.append(sent.command_id)

    _together(*([run, n] for n in range(16)))
    assert [position for position, _, _ in written(log)] == list(range(1, 641))
    assert sorted(command_ids(log)) == sorted(acknowledged)
    for name in range(16):
        assert [e.version for e in log.read_stream(f"cart-{name}")] == list(range(1, 41))


def test_of_many_threads_on_one_version_exactly_one_wins(log: EventLog) -> None:
    outcomes: list[object] = []
    _together(*([lambda _: outcomes.extend(append(log, adding("stock-x"))), n] for n in range(20)))
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
    assert sum(outcome == Moved(("stock-x",)) for outcome in outcomes) == 19


def test_one_key_sent_twenty_times_at_once_is_done_once(log: EventLog) -> None:
    outcomes: list[object] = []
    _together(
        *([lambda n: outcomes.extend(append(log, adding(f"cart-{n}", **keyed(b"k")))), n] for n in range(20))
    )
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
    replayed = [outcome.row for outcome in outcomes if isinstance(outcome, Replayed)]
    assert len(replayed) == 19
    assert {row.command_id for row in replayed} == set(command_ids(log))


def test_one_command_sent_twice_at_once_is_done_once(log: EventLog) -> None:
    for n in range(20):
        sent = adding(f"cart-{n}")
        outcomes: list[object] = []
        _together(*([lambda _: outcomes.extend(append(log, sent)), n] for n in range(4)))  # noqa: B023
        assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Replayed) for outcome in outcomes) == 3


def test_a_reader_never_sees_past_something_not_yet_there(log: EventLog) -> None:
    """read_all raises LogGap on a hole, so following the log while it is written is the check."""
    done = threading.Event()
    seen: list[int] = []

    def follow(_: int) -> None:
        after = 0
        while not done.is_set() or log.head() > after:
            for recorded in log.read_all(after=after, limit=50):
                assert recorded.position == after + 1
                after = recorded.position
            seen.append(after)

    def write(name: int) -> None:
        for n in range(60):
            append(log, entry({f"a-{name}-{n}": 0, f"b-{name}": n}, f"a-{name}-{n}", f"b-{name}"))

    reader = threading.Thread(target=follow, args=[0])
    reader.start()
    _together(*([write, n] for n in range(6)))
    done.set()
    reader.join()
    assert seen[-1] == 720


def test_two_processes_share_one_order(postgres_log: PostgresLog, postgres_url: str, schema: str) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, postgres_url, schema, name], stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two")
    ]
    acknowledged = [UUID(line) for writer in writers for line in writer.communicate(timeout=60)[0].split()]
    assert [writer.returncode for writer in writers] == [0, 0]
    stock = postgres_log.read_stream("stock-x")
    assert [e.version for e in stock] == list(range(1, len(stock) + 1))
    assert sorted(e.command_id for e in stock) == sorted(acknowledged)
    assert len(stock) >= 200  # At each round at least one of the two wins.
    assert postgres_log.head() == len(stock) + 400
    assert len(postgres_log.read_all(after=0, limit=10_000)) == len(stock) + 400


def _together(*calls: list[object]) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(len(calls))

    def run(function: object, argument: object) -> None:
        try:
            start.wait()
            function(argument)  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
