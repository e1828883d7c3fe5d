"""PostgreSQL and the log in memory do the same, whatever is done: a state machine drives both at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.postgres.migrations import migrate
from event_store.progress import OpenWork
from event_store.records import (
    Appended,
    Entry,
    EventLog,
    JournalRow,
    NewEvent,
    RecordedEvent,
    Replayed,
    Snapshot,
)

STREAMS = ("stock-1", "stock-2", "cart-ä", "order-1")
NAMES = ("cart.item_added", "cart.cart_opened")
SUBJECTS = ("ann", "bob")
SHAPES = ("one", "two")
WORK_NAMES = st.tuples(st.sampled_from(("a", "b")), st.integers(0, 1))
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
OFFSETS = st.sampled_from([0, 0, 0, 0, 0, -1, 1])

SOME_ENTRY = st.fixed_dictionaries(
    {
        "reads": st.dictionaries(st.sampled_from(STREAMS), OFFSETS, min_size=1, max_size=3),
        "writes": st.just([])
        | st.lists(st.tuples(st.integers(0, 2), st.sampled_from(NAMES), st.binary(max_size=8)), max_size=3),
        "refused": st.booleans(),
        "key": st.one_of(st.none(), st.integers(0, 5)),
        "request": st.sampled_from([b"r", b"r", b"r", b"s"]),
        "decided_on": st.one_of(st.none(), st.integers(0, 3)),
        "again": st.one_of(*([st.none()] * 6), st.integers(0, 5)),
        "brings_key": st.sampled_from(["new_subject_keys", "subject_keys"]),
        "subject": st.one_of(st.none(), st.none(), st.tuples(st.sampled_from(SUBJECTS), st.integers(1, 2))),
    }
)


class BothLogs(RuleBasedStateMachine):
    """Every call goes to both; what they answer must be the same, the clock and its times aside."""

    url: str
    sql: psycopg.Connection
    schema: str

    @initialize()
    def begin(self) -> None:
        self.sql.execute("TRUNCATE events, commands, subject_keys, tracking, open_work, snapshots")
        self.logs: tuple[EventLog, EventLog] = (
            MemoryLog(),
            PostgresLog(self.url, self.schema, read_only=False),
        )
        self.sent: list[Entry] = []

    def teardown(self) -> None:
        for log in getattr(self, "logs", ()):
            log.close()

    @rule(parts=st.lists(SOME_ENTRY, min_size=1, max_size=4))
    def append(self, parts: list[dict[str, Any]]) -> None:
        memory = self.logs[0]
        versions = {stream: len(memory.read_stream(stream)) for stream in STREAMS}
        entries: list[Entry] = []
        for part in parts:
            again = part["again"]
            if again is not None and again < len(self.sent) and self.sent[-1 - again] not in entries:
                entries.append(self._sent_again(self.sent[-1 - again]))
            else:
                entries.append(self._entry(part, versions, entries))
        self.sent += [entry for entry in entries if entry not in self.sent]
        one, other = (log.append(entries) for log in self.logs)
        assert [self._plain(outcome) for outcome in one] == [self._plain(outcome) for outcome in other]

    @rule(
        after=st.integers(0, 60),
        limit=st.integers(1, 20),
        up_to=st.one_of(st.none(), st.integers(0, 60)),
        types=st.lists(st.sampled_from((*NAMES, "cart.unheard_of")), max_size=2),
    )
    def read_all(self, after: int, limit: int, up_to: int | None, types: list[str]) -> None:
        self._same(lambda log: log.read_all(after=after, limit=limit, up_to=up_to, types=types))

    @rule(
        stream=st.sampled_from((*STREAMS, "none")),
        after=st.integers(0, 9),
        limit=st.one_of(st.none(), st.integers(1, 5)),
    )
    def read_stream(self, stream: str, after: int, limit: int | None) -> None:
        self._same(lambda log: log.read_stream(stream, after_version=after, limit=limit))

    @rule(first=st.integers(1, 30), more=st.integers(0, 10))
    def journal_rows(self, first: int, more: int) -> None:
        self._same(lambda log: log.journal_rows(first_position=first, last_position=first + more))

    @rule(name=st.sampled_from(["relay", "sealer"]), position=st.integers(0, 9))
    def save_checkpoint(self, name: str, position: int) -> None:
        for log in self.logs:
            log.save_checkpoint(name, position)
        self._same(lambda log: log.checkpoint(name))

    @rule(
        after=st.one_of(st.none(), st.integers(0, 2)),
        position=st.integers(0, 2),
        opened=st.dictionaries(WORK_NAMES, st.integers(1, 9)),
        closed=st.sets(WORK_NAMES),
    )
    def save_progress(
        self,
        after: int | None,
        position: int,
        opened: dict[tuple[str, int], int],
        closed: set[tuple[str, int]],
    ) -> None:
        work = [OpenWork(*name, EPOCH + timedelta(minutes=at), at) for name, at in opened.items()]
        names = closed - opened.keys()
        self._same(
            lambda log: [
                log.save_progress("relay", after=after, position=position, opened=work, closed=names)
            ]
        )
        self._same(
            lambda log: sorted(
                log.open_work("relay", due_from=EPOCH, due_before=EPOCH + timedelta(minutes=5)), key=repr
            )
        )

    @rule(stream=st.sampled_from(STREAMS), version=st.integers(1, 9), shape=st.sampled_from(SHAPES))
    def save_snapshot(self, stream: str, version: int, shape: str) -> None:
        for log in self.logs:
            last = log.read_stream(stream, after_version=version - 1, limit=1)
            identity = last[0].identity if last else "of another history"
            log.save_snapshot(Snapshot(stream, version, shape, b"%d" % version, identity))

    @rule(shapes=st.dictionaries(st.sampled_from((*STREAMS, "none")), st.sampled_from(SHAPES)))
    def snapshots(self, shapes: dict[str, str]) -> None:
        self._same(
            lambda log: {
                stream: (kept.version, kept.shape, kept.data)
                for stream, kept in log.snapshots(shapes).items()
            }
        )

    @rule(after=st.dictionaries(st.sampled_from((*STREAMS, "none")), st.integers(0, 9)))
    def read_streams(self, after: dict[str, int]) -> None:
        self._same(lambda log: log.read_streams([*STREAMS, "none"], after=after))

    @invariant()
    def both_stand_the_same(self) -> None:
        if not hasattr(self, "logs"):
            return
        self._same(lambda log: (log.head(), log.journal_head()))
        self._same(lambda log: log.subject_keys(SUBJECTS))
        self._same(lambda log: log.read_all(after=0, limit=10_000))
        self._same(lambda log: log.read_streams(STREAMS))
        self._same(lambda log: [log.journal_row(entry.command_id) for entry in self.sent[-6:]])

    def _entry(self, part: dict[str, Any], versions: dict[str, int], before: Sequence[Entry]) -> Entry:
        """Mostly on what holds, and on what the entries before it in the call would leave."""
        reads = {s: max(0, versions[s] + offset) for s, offset in part["reads"].items()}
        streams = list(reads)
        events = [
            NewEvent(streams[number % len(streams)], name, 1, data) for number, name, data in part["writes"]
        ]
        for event in events:
            versions[event.stream] += 1
        mate = part["decided_on"]
        key, subject = part["key"], part["subject"]
        return Entry(
            command_id=uuid4(),
            name="do",
            verdict="accepted" if events else "refused" if part["refused"] else "unchanged",
            reads=reads,
            events=events,
            decided_on=[before[mate].command_id] if mate is not None and mate < len(before) else [],
            actor="anonymous:",
            channel="web",
            key=None if key is None else _key(key),
            request_hash=None if key is None else part["request"] * 32,
            answer=b'{"n":%d}' % len(self.sent),
            **{part["brings_key"]: {} if subject is None else {subject[0]: b"%d" % subject[1] * 32}},
        )

    def _sent_again(self, sent: Entry) -> Entry:
        """The same command; its batch-mates of then are not in this call."""
        sent.decided_on = []
        return sent

    def _same(self, ask: Any) -> None:
        one, other = (self._plain(ask(log)) for log in self.logs)
        assert one == other

    def _plain(self, found: Any) -> Any:
        """Without the clock's times, whose steps must be the same all the same."""
        match found:
            case RecordedEvent():
                assert found.valid_at == found.recorded_at
                return (found.position, found.stream, found.version, found.type, found.data, found.command_id)
            case JournalRow():
                return (
                    found.command_id,
                    found.verdict,
                    found.key,
                    found.request_hash,
                    found.answer,
                    found.first_position,
                    found.last_position,
                )
            case Appended():
                return (found.first_position, found.last_position)
            case Replayed():
                return ("replayed", self._plain(found.row))
            case dict():
                return {name: self._plain(one) for name, one in found.items()}
            case list():
                return [self._plain(one) for one in found]
        return found


def _key(number: int) -> bytes:
    return b"%d" % number * 32


def test_postgres_and_memory_do_the_same(
    postgres_url: str, writer_url: str, schema: str, sql: psycopg.Connection
) -> None:
    migrate(postgres_url, schema)
    machine = type("Machine", (BothLogs,), {"url": writer_url, "sql": sql, "schema": schema})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=15,
            deadline=None,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),  # To shrink what failed takes minutes.
            suppress_health_check=list(HealthCheck),
        ),
    )
