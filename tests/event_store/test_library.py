"""Applications of the eventsourcing library, unchanged, on our log."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import (
    DataError,
    InfrastructureFactory,
    IntegrityError,
    OperationalError,
    StoredEvent,
    Tracking,
)
from eventsourcing.system import ProcessApplication
from eventsourcing.utils import Environment

from event_store import DaybookFactory
from event_store.library.names import schema_of
from event_store.postgres.log import PostgresLog
from tests.event_store.given import adding, append


class Account(Aggregate):
    """The library's own way of writing aggregates."""

    @event("Opened")
    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.balance = Decimal(0)

    @event("Credited")
    def credit(self, amount: Decimal) -> None:
        self.balance += amount


class Bank(Application[UUID]):
    is_snapshotting_enabled = True

    def open(self, owner: str) -> UUID:
        account = Account(owner)
        self.save(account)
        return account.id

    def credit(self, account_id: UUID, amount: Decimal) -> None:
        account: Account = self.repository.get(account_id)
        account.credit(amount)
        self.save(account)

    def balance(self, account_id: UUID, version: int | None = None) -> Decimal:
        account: Account = self.repository.get(account_id, version=version)
        return account.balance


@dataclass(frozen=True)
class WordAdded:
    """An event of a functional aggregate, whose id is text."""

    originator_id: str
    originator_version: int
    timestamp: datetime
    word: str


@dataclass
class Note:
    id: str
    version: int
    words: list[str]

    @staticmethod
    def project(note: Note | None, events: Iterable[WordAdded]) -> Note | None:
        for added in events:
            note = note or Note(added.originator_id, 0, [])
            note.version = added.originator_version
            note.words.append(added.word)
        return note


class Notes(Application[str]):
    pass


class Count(Aggregate):
    @staticmethod
    def create_id() -> UUID:
        return uuid5(NAMESPACE_URL, "/count")

    @event("Started")
    def __init__(self) -> None:
        self.opened = 0

    @event("Counted")
    def count(self) -> None:
        self.opened += 1


class Counting(ProcessApplication[UUID]):
    @singledispatchmethod
    def policy(self, domain_event: object, processing_event: object) -> None:
        """Counts the accounts opened."""

    @policy.register(Account.Opened)
    def _(self, domain_event: Account.Opened, processing_event: object) -> None:  # type: ignore[name-defined]
        try:
            count = self.repository.get(Count.create_id())
        except AggregateNotFoundError:
            count = Count()
        count.count()
        processing_event.collect_events(count)  # type: ignore[attr-defined]


def environment(url: str, **other: str) -> dict[str, str]:
    return {"PERSISTENCE_MODULE": "event_store", "DAYBOOK_POSTGRES_URL": url, **other}


def test_a_class_based_application_with_snapshots(fresh_postgres: str) -> None:
    with Bank(environment(fresh_postgres)) as bank:
        account = bank.open("Ann")
        for _ in range(5):
            bank.credit(account, Decimal("1.50"))
        bank.take_snapshot(account, version=4)
        assert bank.balance(account) == Decimal("7.50")
        assert bank.balance(account, version=3) == Decimal("3.00")
        assert bank.snapshots is not None
        assert [s.originator_version for s in bank.snapshots.get(account)] == [4]
        assert [n.id for n in bank.notification_log.select(1, 10)] == [1, 2, 3, 4, 5, 6]
    with Bank(environment(fresh_postgres)) as again:
        assert again.balance(account) == Decimal("7.50")


def test_an_application_whose_ids_are_text(fresh_postgres: str) -> None:
    with Notes(environment(fresh_postgres, ORIGINATOR_ID_TYPE="text")) as notes:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        notes.save(WordAdded("note-a", 1, now, "x"), WordAdded("note-a", 2, now, "y"))
        note: Note = notes.repository.get("note-a", projector_func=Note.project)
        assert (note.version, note.words) == (2, ["x", "y"])
        assert [n.originator_id for n in notes.notification_log.select(1, 10)] == ["note-a", "note-a"]


def test_ids_come_back_as_uuids_unless_told(fresh_postgres: str) -> None:
    with Bank(environment(fresh_postgres)) as bank:
        account = bank.open("Ann")
        assert [n.originator_id for n in bank.notification_log.select(1, 10)] == [account]


def test_a_process_application_counts_each_event_once(fresh_postgres: str) -> None:
    with Bank(environment(fresh_postgres)) as bank, Counting(environment(fresh_postgres)) as counting:
        counting.follow("Bank", bank.notification_log)
        for name in "abc":
            bank.open(name)
        for _ in range(2):  # The second time finds nothing new.
            counting.pull_and_process("Bank")
        count: Count = counting.repository.get(Count.create_id())
        assert count.opened == 3
        assert counting.recorder.max_tracking_id("Bank") == 3


def test_each_application_name_has_its_own_log(fresh_postgres: str) -> None:
    names = ["", "Bank", "bank", "BANK", "ba nk", "eventsourcing", "Daybook", "x" * 300, "x" * 301, "ünï"]
    schemas = [schema_of(name) for name in [*names, "daybook"]]
    assert len(set(schemas)) == len(schemas)
    assert schema_of("daybook") == "daybook"
    assert all(len(schema.encode()) <= 63 for schema in schemas)
    for name in names:
        factory = DaybookFactory(Environment(name, environment(fresh_postgres)))
        assert factory.application_recorder().insert_events([stored(uuid4(), 0)]) == [1]
        factory.close()


def test_daybooks_own_streams_are_read_through_the_door(fresh_postgres: str) -> None:
    log = PostgresLog.open(fresh_postgres)
    append(log, adding("cart-a"), adding("cart-a", 1))
    factory = DaybookFactory(Environment("daybook", environment(fresh_postgres, ORIGINATOR_ID_TYPE="text")))
    recorder = factory.application_recorder()
    assert recorder.select_events("cart-a", gt=1) == [StoredEvent("cart-a", 2, "cart.item_added", b'{"n":1}')]
    assert recorder.max_notification_id() == 2
    factory.close()
    log.close()


def test_calls_from_many_threads_never_hurt_their_neighbours(fresh_postgres: str) -> None:
    """Half of the calls collide with what is there; each is written whole or not at all."""
    factory = DaybookFactory(Environment("Bank", environment(fresh_postgres)))
    recorder = factory.application_recorder()
    contested = uuid4()
    written: list[int] = []
    refused: list[UUID] = []

    def run(n: int) -> None:
        for round_ in range(10):
            mine = uuid4()
            try:
                events = [stored(mine, 0), stored(contested if n % 2 else mine, round_ + 1)]
                written.extend(recorder.insert_events(events) or ())
            except IntegrityError:
                refused.append(mine)

    threads = [threading.Thread(target=run, args=[n]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(written) == list(range(1, len(written) + 1))
    assert len(written) == 2 * (6 * 10 + 10)
    assert len(refused) == 5 * 10
    assert all(recorder.select_events(mine) == [] for mine in refused)
    assert len(recorder.select_events(contested)) == 10
    factory.close()


UNFIT = (
    [StoredEvent("a\0b", 1, "topic", b"state")],
    [StoredEvent("a\ud800b", 1, "topic", b"state")],
    [StoredEvent("fit", 1, "top\0ic", b"state")],
    [StoredEvent("fit", 1, "top\udfffic", b"state")],
    [StoredEvent("fit", 1, "topic", b"state"), StoredEvent("fit", 2**63, "topic", b"state")],
    [StoredEvent("n" * 2_001, 1, "topic", b"state")],
    [StoredEvent("fit", 1, "topic", "no bytes")],  # type: ignore[arg-type]
    [StoredEvent("fit", 1, "topic", memoryview(array("i", [1])))],  # type: ignore[arg-type]
)


def test_what_cannot_be_stored_fails_its_own_call_alone(fresh_postgres: str) -> None:
    """However it comes to the batch: half of the callers send nothing else."""
    settings = environment(fresh_postgres, ORIGINATOR_ID_TYPE="text")
    factory = DaybookFactory(Environment("Notes", settings))
    recorder = factory.process_recorder()
    refused: list[object] = []
    ready = threading.Barrier(12)

    def run(n: int) -> None:
        ready.wait()
        for round_ in range(14):
            try:
                if n % 2:
                    recorder.insert_events(UNFIT[(n // 2 + round_) % len(UNFIT)])
                else:
                    recorder.insert_events([StoredEvent(f"fit-{n}", round_, "topic", b"state")])
            except Exception as error:
                refused.append(error if isinstance(error, DataError) else repr((n, error)))

    threads = [threading.Thread(target=run, args=[n]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [error for error in refused if not isinstance(error, DataError)] == []
    assert len(refused) == 6 * 14
    assert recorder.max_notification_id() == 6 * 14
    assert recorder.select_events("fit") == []
    for name in ("a\0b", "a\ud800b"):
        with pytest.raises(DataError):
            recorder.insert_tracking(Tracking(name, 1))
        assert recorder.select_events(name) == []
        assert recorder.max_tracking_id(name) is None
        assert recorder.select_notifications(1, 10, topics=[name]) == []
    snapshots = factory.aggregate_recorder("snapshots")
    with pytest.raises(DataError):
        snapshots.insert_events([StoredEvent("a\0b", 1, "topic", b"state")])
    factory.close()


def test_tracking_and_events_are_written_together_or_not_at_all(fresh_postgres: str) -> None:
    factory = DaybookFactory(Environment("Bank", environment(fresh_postgres)))
    recorder = factory.process_recorder()
    first, second = uuid4(), uuid4()
    recorder.insert_events([stored(first, 0)], tracking=Tracking("up", 5))
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(first, 0)], tracking=Tracking("up", 6))
    assert recorder.max_tracking_id("up") == 5
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(second, 0)], tracking=Tracking("up", 5))
    assert recorder.select_events(second) == []
    factory.close()


def test_the_module_resolves_to_one_factory_and_says_what_is_missing() -> None:
    factory = InfrastructureFactory.construct(Environment("Bank", {"PERSISTENCE_MODULE": "event_store"}))
    assert isinstance(factory, DaybookFactory)
    with pytest.raises(Exception, match="DAYBOOK_POSTGRES_URL is not set"):
        factory.application_recorder()
    wrong = DaybookFactory(Environment("Bank", environment("postgresql://", ORIGINATOR_ID_TYPE="number")))
    with pytest.raises(Exception, match="ORIGINATOR_ID_TYPE"):
        wrong.process_recorder()


def test_a_closed_factory_closed_its_connections(fresh_postgres: str) -> None:
    one = DaybookFactory(Environment("Bank", environment(fresh_postgres)))
    two = DaybookFactory(Environment("Bank", environment(fresh_postgres)))
    recorder = one.application_recorder()
    assert two.application_recorder().log is recorder.log
    one.close()
    assert recorder.max_notification_id() is None  # the other still uses it
    two.close()
    with pytest.raises(OperationalError):
        recorder.max_notification_id()
    threads = [thread.name for thread in threading.enumerate()]
    assert not [name for name in threads if schema_of("Bank") in name]


def stored(originator_id: UUID, version: int) -> StoredEvent:
    return StoredEvent(originator_id, version, "topic", b"state")
