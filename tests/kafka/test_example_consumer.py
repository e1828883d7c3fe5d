"""The consumer of docs/stream.md counts every event once: killed, in a group, from the start again."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from aggregates.orders.events import OrderPlaced
from docs.examples.consumer import TABLES, EventsMissing, count
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from event_store.memory.log import MemoryLog
from projections.kafka.relay import Relay
from tests.kafka.consumed import records_by_partition
from tests.kafka.many_events import append_many
from tests.projections.running import eventually, new_runner, running
from tests.shop.facts import CODEC
from tests.waiting import SECONDS_MAX, wait_until

CONSUMER = Path(__file__).parents[2] / "docs" / "examples" / "consumer.py"
Start = Callable[[str], tuple[subprocess.Popen[bytes], Path]]


def publish(log: MemoryLog, settings: KafkaSettings) -> None:
    """Up to the head."""
    relay, head = Relay(settings, log, CODEC), log.head()
    with running(new_runner(log, [relay])):
        eventually(lambda: relay.position == head, f"the relay at {head}")


def sold(log: MemoryLog) -> dict[str, tuple[int, int]]:
    """Units and amount by SKU, by the log."""
    units: Counter[str] = Counter()
    minor: Counter[str] = Counter()
    for recorded in log.read_all(after=0, limit=10_000):
        event = CODEC.decode(recorded)
        if isinstance(event, OrderPlaced):
            for line in event.lines:
                units[line.sku] += line.quantity
                minor[line.sku] += line.paid.amount
    return {sku: (units[sku], minor[sku]) for sku in units}


def counted(file: Path) -> dict[str, tuple[int, int]]:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return {sku: (units, minor) for sku, units, minor in database.execute("SELECT * FROM sales")}
    except sqlite3.Error:  # There is no table yet.
        return {}


@pytest.fixture
def start(kafka: KafkaSettings, tmp_path: Path) -> Iterator[Start]:
    """One more consumer of a group, and what it says; all are ended at the end."""
    assert kafka.bootstrap is not None
    environment = {**os.environ, "DAYBOOK_KAFKA_BOOTSTRAP": kafka.bootstrap}
    topic = f"{kafka.topic_prefix}orders"
    started: list[subprocess.Popen[bytes]] = []

    def start(group: str) -> tuple[subprocess.Popen[bytes], Path]:
        said = tmp_path / f"said-{len(started)}"
        command = [sys.executable, str(CONSUMER), str(tmp_path / "sales.db"), topic, f"{topic}.{group}"]
        with said.open("wb") as out:
            started.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
        return started[-1], said

    yield start
    for process in started:
        process.kill()
        process.wait(SECONDS_MAX)


def said(files: list[Path], word: str) -> int:
    """How many records they say were `counted`, or had been `before`."""
    return sum(int(number) for file in files for number in re.findall(rf"(\d+) {word}", file.read_text()))


@pytest.mark.slow
def test_each_event_counts_once_whatever_happens_to_the_group(
    kafka: KafkaSettings, start: Start, tmp_path: Path
) -> None:
    log, file = MemoryLog(), tmp_path / "sales.db"
    append_many(log, 2_000)
    publish(log, kafka)
    first, first_said = start("one")
    wait_until(lambda: said([first_said], "counted"), why=first_said.read_text)
    first.kill()
    append_many(log, 2_000)
    publish(log, kafka)
    others = [start("one")[1] for _ in range(2)]
    wait_until(lambda: counted(file) == sold(log), why=lambda: "".join(one.read_text() for one in others))

    records = sum(
        map(len, records_by_partition(kafka, [Topics(kafka.topic_prefix).of("orders.order_placed")]).values())
    )
    _, again = start("two")  # Another group begins at the start, on the same table.
    wait_until(lambda: said([again], "before") >= records, why=again.read_text)

    assert counted(file) == sold(log)
    assert said([again], "counted") == 0


@pytest.mark.proof
@pytest.mark.slow
def test_one_that_slept_through_a_rebalance_goes_on_with_the_group(
    kafka: KafkaSettings, start: Start, tmp_path: Path
) -> None:
    log, file = MemoryLog(), tmp_path / "sales.db"
    append_many(log, 500)
    publish(log, kafka)
    sleeper, sleeper_said = start("one")
    wait_until(lambda: counted(file) == sold(log), why=sleeper_said.read_text)
    # Held up by another's transaction, it has read records and has not committed them when it falls asleep.
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        append_many(log, 500)
        publish(log, kafka)
        sleeper.send_signal(signal.SIGSTOP)
        database.execute("ROLLBACK")
    other, other_said = start("one")
    wait_until(lambda: counted(file) == sold(log), why=other_said.read_text)
    other.kill()
    sleeper.send_signal(signal.SIGCONT)
    append_many(log, 500)
    publish(log, kafka)
    wait_until(lambda: counted(file) == sold(log), why=sleeper_said.read_text)

    assert sleeper.poll() is None


def record(sequence: int, sku: str = "MUG") -> SimpleNamespace:
    headers = {
        "ce_sequence": str(sequence),
        "ce_position": str(10 * sequence),
        "ce_type": "orders.order_placed",
    }
    value = f'{{"lines":[{{"sku":"{sku}","quantity":2,"paid":{{"amount":500,"currency":"GBP"}}}}]}}'
    return SimpleNamespace(
        headers=[(name, one.encode()) for name, one in headers.items()], value=value.encode()
    )


def test_what_is_missing_is_said_and_nothing_is_counted_past_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "sales.db", isolation_level=None)) as database:
        database.executescript(TABLES)
        assert count(database, 0, [record(1), record(2)]) == 2
        assert count(database, 0, [record(2), record(3)]) == 1
        with pytest.raises(EventsMissing, match="goes on at 5"):
            count(database, 0, [record(3), record(5)])
        with pytest.raises(EventsMissing, match="goes on at 6"):
            count(database, 0, [record(4), record(6)])

        assert database.execute("SELECT units, minor FROM sales").fetchall() == [(6, 1500)]
        assert database.execute("SELECT sequence, position FROM read").fetchall() == [(3, 30)]
