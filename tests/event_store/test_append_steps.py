"""A writer that stands still, or is killed, at each step of its append: by a lock that the test holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest

from deploy.local.servers.postgres import PostgresServer
from event_store.postgres.log import PostgresLog
from event_store.records import Appended, Entry, EventLog, Replayed
from tests.event_store.given import LoopDoor, adding, entry, keyed, positions
from tests.event_store.history import Follower, History
from tests.waiting import SECONDS_MAX

LOG_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('append ' || current_schema(), 0))"
STEPS = {  # where the append stands: what the test holds
    "asks for the log's lock": LOG_LOCK,
    "looks for the last event": "LOCK TABLE events IN ACCESS EXCLUSIVE MODE",
    "looks into the journal": "LOCK TABLE commands IN ACCESS EXCLUSIVE MODE",
    "looks for keys": "LOCK TABLE subject_keys IN ACCESS EXCLUSIVE MODE",
    "writes keys": "LOCK TABLE subject_keys IN SHARE MODE",
    "writes events": "LOCK TABLE events IN SHARE MODE",
    "finds its position taken": (
        "INSERT INTO events (position, stream, version, type, schema_number, data, command_id, actor,"
        " recorded_at) VALUES (2, 'other', 1, 'things.moved', 1, '', gen_random_uuid(), 'other:', now())"
    ),
    "writes the journal": "LOCK TABLE commands IN SHARE MODE",
    "finds its command taken": (
        "INSERT INTO commands (command_id, name, verdict, actor, channel, arguments, answer, recorded_at)"
        " VALUES ('{command_id}', 'other', 'refused', 'other:', 'web', '', '', now())"
    ),
    "commits": "SELECT pg_advisory_xact_lock(4711)",
}
AT_COMMIT = """
CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4711);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON commands
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_at_commit();
"""
WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'daybook' AND wait_event_type = 'Lock'"
    " AND query LIKE 'SELECT append%' ORDER BY query_start"
)


class Case:
    """A log with one event in it, writers, and a history of what they were told."""

    def __init__(self, log: EventLog, others: PostgresLog, sql: psycopg.Connection) -> None:
        self.log = log
        self.others = others
        self.sql = sql
        self.history = History()
        self.history.append(log, adding("cart-first"))
        self.sent: Entry = entry(
            {"cart-a": 0, "cart-b": 0}, "cart-a", "cart-b", new_subject_keys={"ann": b"1" * 32}, **keyed(b"k")
        )

    @contextmanager
    def stopped_at(self, step: str) -> Iterator[int]:
        """An append that stands still; its backend's pid. Let go at the end, and awaited."""
        sending = threading.Thread(target=self.history.append, args=[self.log, self.sent])
        with self.sql.transaction(force_rollback=True):
            self.sql.execute(STEPS[step].format(command_id=self.sent.command_id).encode())
            sending.start()
            backend = self.waiting(1)[0]
            assert self.statement_of(backend).startswith("SELECT append(")
            yield backend
        sending.join()

    def statement_of(self, backend: int) -> str:
        # What was seen of it was copied before it began to wait, perhaps before this statement.
        self.sql.execute("SELECT pg_stat_clear_snapshot()")
        row = self.sql.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [backend]).fetchone()
        assert row is not None
        return str(row[0])

    def waiting(self, count: int) -> list[int]:
        """The backends that wait for a lock, once there are so many."""
        deadline = time.monotonic() + SECONDS_MAX
        while len(found := self.sql.execute(WAITING).fetchall()) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)
            self.sql.execute("SELECT pg_stat_clear_snapshot()")  # What a transaction saw, it sees again.
        return [int(pid) for (pid,) in found]


@pytest.fixture(params=["threads", "loop"])
def case(
    request: pytest.FixtureRequest,
    postgres_log: PostgresLog,
    writer_url: str,
    schema: str,
    sql: psycopg.Connection,
) -> Iterator[Case]:
    sql.execute(AT_COMMIT.encode())
    others = PostgresLog.open(writer_url, schema=schema)
    if request.param == "threads":
        yield Case(postgres_log, others, sql)
    else:
        door = LoopDoor(PostgresLog.open(writer_url, schema=schema))
        yield Case(door, others, sql)
        door.close()
    others.close()


@pytest.mark.parametrize("step", STEPS)
def test_nobody_gets_past_a_writer_that_stands_still(case: Case, step: str) -> None:
    nobody_gets_past(case, step)


@pytest.mark.parametrize("step", STEPS)
def test_a_writer_killed_at_any_step_leaves_nothing_and_its_command_is_done_once(
    case: Case, step: str
) -> None:
    killed_and_done_once(case, step)


def nobody_gets_past(case: Case, step: str) -> None:
    other = adding("cart-other")
    with Follower(case.others) as follower:
        with case.stopped_at(step):
            passing = threading.Thread(target=case.history.append, args=[case.others, other])
            passing.start()
            case.waiting(2)
            # Nothing of either is to be seen; where the test locks the readers out too, nothing at all.
            if "ACCESS EXCLUSIVE" not in STEPS[step]:
                assert (case.others.head(), case.others.journal_head()) == (1, 1)
        passing.join()
    events = case.history.check(case.log, follower)
    assert case.history.lost == 0
    if step != "asks for the log's lock":  # There, who comes first is anybody's.
        streams = ["cart-first", *case.sent.reads, "cart-other"]
        assert [event.stream for event in events] == streams


def killed_and_done_once(case: Case, step: str) -> None:
    with Follower(case.others) as follower:
        with case.stopped_at(step) as pid:
            case.sql.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert case.history.lost == 1
        case.history.check(case.log)
        assert case.log.journal_row(case.sent.command_id) is None
        assert case.log.subject_keys(["ann"]) == {}
        # Whichever process is asked again, and then once more.
        (first,) = case.history.append(case.others, case.sent) or ()
        assert positions([first]) == [2]
        (again,) = case.history.append(case.log, case.sent) or ()
        assert isinstance(again, Replayed)
        assert case.history.append(case.log, adding("cart-after")) is not None
    assert len(case.history.check(case.log, follower)) == 2 + len(case.sent.events)


@pytest.mark.parametrize("case", ["loop"], indirect=True)
def test_a_backend_frozen_inside_its_append_and_thawed_after_everybody_gave_up(case: Case) -> None:
    """Not a lock that PostgreSQL could time out: the process itself stands still, holding the log's lock."""
    with Follower(case.others) as follower:
        with case.stopped_at("writes the journal") as pid:
            backend = psutil.Process(pid)
            backend.suspend()
        # Its own caller is told in time; everybody else too, again and again, as long as it lasts.
        assert case.history.lost == 1
        started = time.monotonic()
        assert case.history.append(case.others, adding("cart-other")) is None
        assert 1.5 < time.monotonic() - started < SECONDS_MAX / 2
        assert case.others.head() == 1
        backend.resume()
        deadline = time.monotonic() + SECONDS_MAX
        while (outcomes := case.history.append(case.others, case.sent)) is None:
            assert time.monotonic() < deadline
        assert isinstance(outcomes[0], Appended | Replayed)
    assert [event.stream for event in case.history.check(case.log, follower)][:3] == [
        "cart-first",
        "cart-a",
        "cart-b",
    ]


def test_killed_between_the_commit_and_the_answer(
    own_server_log: tuple[PostgresLog, PostgresLog, str],
) -> None:
    """A replica that never confirms holds the answer back when the commit is on the disk already."""
    log, others, url = own_server_log
    history = History()
    with psycopg.connect(url, autocommit=True) as sql, Follower(others) as follower:
        sql.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        sql.execute("SELECT pg_reload_conf()")
        waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        found = None
        for number in range(200):  # The setting takes its moment.
            sent = adding(f"cart-{number}", **keyed(b"%d" % number))
            sending = threading.Thread(target=history.append, args=[log, sent])
            sending.start()
            while sending.is_alive() and (found := sql.execute(waits).fetchone()) is None:
                time.sleep(0.005)
            if found is not None:
                break
            sending.join()
        assert found is not None
        sql.execute("SELECT pg_terminate_backend(%s, 5000)", [found[0]])
        sending.join()
        sql.execute("ALTER SYSTEM RESET synchronous_standby_names")
        sql.execute("SELECT pg_reload_conf()")
        assert history.lost == 1
        (outcome,) = history.append(others, sent) or ()
        assert isinstance(outcome, Replayed)
        assert outcome.row.first_position == number + 1
        (outcome,) = history.append(log, adding("cart-b", **keyed(b"%d" % number))) or ()
        assert isinstance(outcome, Replayed)
    assert len(history.check(log, follower)) == number + 1


@pytest.fixture
def own_server_log(own_server: PostgresServer) -> Iterator[tuple[PostgresLog, PostgresLog, str]]:
    """Two logs on a server whose settings may be changed."""
    url = own_server.url()
    logs = PostgresLog.open(url), PostgresLog.open(url)
    yield (*logs, url)
    for log in logs:
        log.close()
