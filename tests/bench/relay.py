"""The relay beside a raw producer; how soon a consumer reads what was appended; what appends pay for it.

The ceiling is KafkaProducer alone, in the same run and on the same broker: the very records that the relay
writes, made beforehand, without a log, transactions or checkpoints.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer, TopicPartition

from deploy.local.servers.account import server_account
from deploy.local.servers.kafka import KafkaServer
from deploy.local.servers.kafka_programs import find_kafka
from event_store.history import read_on
from event_store.kafka.batches import BATCH_BYTES
from event_store.kafka.checkpoint import RelayCheckpoint
from event_store.kafka.reader import KafkaEvents
from event_store.kafka.reading import connect
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import Topics
from event_store.postgres.log import PostgresLog
from event_store.records import START, OrderedEvents
from tests.bench.server import own_postgres
from tests.kafka.consumed import position, records_by_partition
from tests.kafka.many_events import append_many
from tests.kafka.relays import Relays, relays

EVENTS = int(os.environ.get("BENCH_EVENTS", "200000"))
WARM_EVENTS = EVENTS // 10
RATE = int(os.environ.get("BENCH_RATE", "1000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "15"))
ROUNDS = 4
ROUND_SECONDS = 4.0
TURN_SECONDS = 0.01


def main() -> None:
    """Prints the figures."""
    with own_postgres() as server, own_broker() as broker, tempfile.TemporaryDirectory() as folder:
        settings = KafkaSettings(bootstrap=broker.bootstrap)
        with closing(PostgresLog.open(server.url)) as log, relays(server.url, settings, Path(folder)) as some:
            append_many(log, EVENTS)
            relayed = _rate(settings, some)
            ceiling = _ceiling(settings)
            print(f"relay {relayed:,.0f} events/s, {2 * relayed:,.0f} records/s")
            print(f"raw producer {ceiling:,.0f} records/s; the relay has {2 * relayed / ceiling:.2f} of it")
            _reading(log, settings)
            _freshness(log, settings)
            _appends(log, some)


@contextmanager
def own_broker() -> Iterator[KafkaServer]:
    """Started empty, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="daybook-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        broker = KafkaServer(
            programs=find_kafka(report=print),
            folder=folder / "kafka",
            account=server_account(),
            log=folder / "kafka.log",
        )
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


def _rate(settings: KafkaSettings, some: Relays) -> float:
    """Events a second, from the first tenth to the last."""
    some.start()
    some.reach(1)
    with closing(connect(settings.client_arguments())) as consumer:
        place = TopicPartition(Topics(settings.topic_prefix, settings.topics_file).relay, 0)
        consumer.assign([place])
        consumer.seek(place, 0)
        began: tuple[float, int] | None = None
        while True:
            for record in consumer.poll(timeout_ms=500).get(place, []):
                reached = msgspec.json.decode(record.value, type=RelayCheckpoint).position
                if began is None and reached >= WARM_EVENTS:
                    began = record.timestamp / 1000, reached
                if reached >= EVENTS:
                    assert began is not None
                    return (reached - began[1]) / (record.timestamp / 1000 - began[0])


def _ceiling(settings: KafkaSettings) -> float:
    """Records a second."""
    topic = Topics(settings.topic_prefix, settings.topics_file).of("orders.order_placed")
    found = [record for some in records_by_partition(settings, [topic]).values() for record in some]
    records = [(one.key, one.value, list(one.headers), one.timestamp) for one in found[:20_000]]
    gc.collect()
    producer = KafkaProducer(
        **settings.client_arguments(),
        acks="all",
        compression_type="lz4",
        batch_size=BATCH_BYTES,
        max_request_size=16 * BATCH_BYTES,
        linger_ms=50,
    )
    try:
        target = "ceiling"
        _make(settings, target)
        sent, began = 0, time.perf_counter()
        partitions = cycle(range(4))
        for _ in range(max(1, EVENTS // len(records))):
            for key, value, headers, timestamp_ms in records:
                producer.send(target, value, key, headers, next(partitions), timestamp_ms)
            sent += len(records)
        producer.flush()
        return sent / (time.perf_counter() - began)
    finally:
        producer.close()


def _make(settings: KafkaSettings, topic: str) -> None:
    from kafka import KafkaAdminClient

    with closing(KafkaAdminClient(**settings.client_arguments())) as admin:
        admin.create_topics({topic: {"num_partitions": 4, "replication_factor": 1}})
        admin.wait_for_topics([topic])


def _reading(log: PostgresLog, settings: KafkaSettings) -> None:
    """The ordered topic and the log, each from its start, page by page as projectors read."""
    topics = Topics(settings.topic_prefix, settings.topics_file)
    with closing(KafkaEvents(settings.client_arguments(), topics, log.log_id())) as events:
        sources: list[tuple[str, OrderedEvents]] = [("Kafka", events), ("the log", log)]
        for name, source in sources:
            checkpoint, began = START, time.perf_counter()
            while page := read_on(source, checkpoint, limit=5_000):
                checkpoint = page[-1].checkpoint
            print(f"read from {name}: {checkpoint.position / (time.perf_counter() - began):,.0f} events/s")


def _freshness(log: PostgresLog, settings: KafkaSettings) -> None:
    """From the answer of an append to a consumer's having the event."""
    first, read_at = log.head(), {}
    stopping = threading.Event()
    place = TopicPartition(Topics(settings.topic_prefix, settings.topics_file).events, 0)

    def consume() -> None:
        with closing(connect(settings.client_arguments())) as consumer:
            consumer.assign([place])
            consumer.seek_to_end(place)
            consumer.position(place)
            ready.set()
            while not stopping.is_set():
                records: list[Any] = consumer.poll(timeout_ms=50).get(place, [])
                now = time.perf_counter()
                read_at.update((position(record), now) for record in records)

    ready = threading.Event()
    thread = threading.Thread(target=consume)
    thread.start()
    ready.wait()
    answered_at: dict[int, float] = {}
    began, turns = time.perf_counter(), int(SECONDS / TURN_SECONDS)
    each = int(RATE * TURN_SECONDS)
    for turn in range(turns):
        time.sleep(max(0.0, began + turn * TURN_SECONDS - time.perf_counter()))
        head = append_many(log, each)
        answered_at[head] = time.perf_counter()
    took = time.perf_counter() - began
    until = time.monotonic() + 60
    while max(read_at, default=0) < log.head() and time.monotonic() < until:
        time.sleep(0.05)
    stopping.set()
    thread.join()
    waits = sorted(read_at[head] - at for head, at in answered_at.items() if head > first + RATE)
    hundredths = statistics.quantiles(waits, n=100)
    print(
        f"{each * turns / took:,.0f} events/s: append answered to readable, ms:"
        f" p50 {hundredths[49] * 1000:.0f}, p99 {hundredths[98] * 1000:.0f}, most {waits[-1] * 1000:.0f}"
    )


def _appends(log: PostgresLog, some: Relays) -> None:
    """Appends of one caller, with the relay and without, turn by turn."""
    rates: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(ROUNDS):
        for name, found in rates.items():
            if name == "without":
                some.end()
            elif not some.run():
                some.start()
                some.reach(log.head())
            found.append(_append_for(log, ROUND_SECONDS))
            if name == "with":
                some.reach(log.head())
    with_it, without = statistics.median(rates["with"]), statistics.median(rates["without"])
    print(
        f"appends of one caller: {without:,.0f}/s without the relay, {with_it:,.0f}/s with it:"
        f" ratio {with_it / without:.2f}"
    )


def _append_for(log: PostgresLog, seconds: float) -> float:
    appends, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        append_many(log, 8)
        appends += 1
    return appends / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
