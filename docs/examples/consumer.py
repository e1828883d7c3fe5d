"""A consumer group that keeps a table of what was sold, each event counted once.

    python docs/examples/consumer.py sales.db [TOPIC] [GROUP]

Any number of these may run on one file (SQLite here; any database with transactions does). What a batch
changes and how far its partition was read are written in one transaction, and what is not beyond that is
skipped. So it does not matter where Kafka's offsets say to begin: after a crash, a rebalance, or from the
very start. A record's `ce_sequence` is its place in its partition, from 1: a gap means that events are
missing, and nothing is counted past it.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import CommitFailedError, RebalanceInProgressError

TABLES = """
CREATE TABLE IF NOT EXISTS sales (sku TEXT PRIMARY KEY, units INTEGER NOT NULL, minor INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS read (
    partition INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, position INTEGER NOT NULL
);
"""
SELL = """
INSERT INTO sales VALUES (?, ?, ?)
    ON CONFLICT (sku) DO UPDATE SET units = units + excluded.units, minor = minor + excluded.minor
"""


class EventsMissing(Exception):  # noqa: N818
    """The partition goes on further on than it was read."""


def count(database: sqlite3.Connection, partition: int, records: Iterable[Any]) -> int:
    """Counts those of the records that were not counted before, all or none; gives how many that were."""
    counted = 0
    with database:  # one transaction
        database.execute(
            "BEGIN IMMEDIATE"
        )  # Whoever was given the partition meanwhile waits, or has gone on.
        found = database.execute("SELECT sequence FROM read WHERE partition = ?", [partition]).fetchone()
        read = found[0] if found else 0
        for record in records:
            attributes = {name: value.decode() for name, value in record.headers}
            sequence, position = int(attributes["ce_sequence"]), int(attributes["ce_position"])
            if sequence <= read:
                continue
            if sequence != read + 1:
                raise EventsMissing(f"partition {partition} goes on at {sequence}, and was read up to {read}")
            if attributes["ce_type"] == "orders.order_placed":
                lines = json.loads(record.value)["lines"]
                database.executemany(
                    SELL, [(line["sku"], line["quantity"], line["paid"]["amount"]) for line in lines]
                )
            database.execute("INSERT OR REPLACE INTO read VALUES (?, ?, ?)", [partition, sequence, position])
            read, counted = sequence, counted + 1
    return counted


def main(file: str, topic: str = "daybook.orders", group: str = "sales") -> None:
    """Until SIGTERM or Ctrl-C."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=os.environ["DAYBOOK_KAFKA_BOOTSTRAP"],
        group_id=group,
        isolation_level="read_committed",  # What the relay has not committed was not published.
        enable_auto_commit=False,
        allow_auto_create_topics=False,  # The relay makes them.
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,  # So soon the others go on with the partitions of one that is gone.
    )
    with closing(consumer), closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(TABLES)
        while not stopping:
            for place, records in consumer.poll(timeout_ms=500).items():
                counted = count(database, place.partition, records)
                print(
                    f"partition {place.partition}: {counted} counted, {len(records) - counted} before",
                    flush=True,
                )
            # Only so that the next start reads less again. Who lost its partitions meanwhile (it slept,
            # or the group is being dealt anew) is given others by its next poll.
            with suppress(CommitFailedError, RebalanceInProgressError):
                consumer.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
