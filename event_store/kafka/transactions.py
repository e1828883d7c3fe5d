"""Records that are written together or not at all, by one writer at a time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from event_store.kafka.batches import BATCH_BYTES, Batch, Header, record_body
from event_store.kafka.clients import opened
from event_store.kafka.errors import kafka_errors_are_typed

REQUEST_BYTES_MAX = 16 * 1024 * 1024
"""Above the largest event: 1 MiB, and more where an upcaster adds to it."""
ANSWER_SECONDS_MAX = 10.0
"""A broker that has not answered by then is away."""
CONNECT_SECONDS_MAX = 5.0
RETRY_MS = 20
"""The broker begins a transaction once it has done with the one before; the client asks again until then."""
_TRANSACTION_SECONDS_MAX = 20.0
"""So long readers wait for what a suspended writer has begun, unless another takes over before."""
_NEVER_MS = 3_600_000


class Transactions:
    """A producer with a transactional id. One thread at a time.

    What raises KafkaUnavailable leaves it open whether the records were written: make a new one, and look.
    KafkaFenced: another one of this id was made since.
    """

    def __init__(self, arguments: Mapping[str, Any], transactional_id: str) -> None:
        """Connects, fences every earlier producer of this id and aborts what it had begun.

        `arguments`: as every client of kafka-python takes them (`KafkaSettings.client_arguments`).
        """
        self._filling: dict[TopicPartition, Batch] = {}
        self._sent: list[Batch] = []  # of the transaction under way
        self._is_begun = False
        with kafka_errors_are_typed():
            self._producer = opened(
                KafkaProducer,
                arguments,
                transactional_id=transactional_id,
                acks="all",
                batch_size=BATCH_BYTES,
                linger_ms=_NEVER_MS,  # A batch goes when it is full, or with the commit.
                delivery_timeout_ms=2 * _NEVER_MS,  # No wait here lasts as long.
                max_request_size=REQUEST_BYTES_MAX,
                transaction_timeout_ms=int(_TRANSACTION_SECONDS_MAX * 1000),
                max_block_ms=int(ANSWER_SECONDS_MAX * 1000),
                request_timeout_ms=int(ANSWER_SECONDS_MAX * 1000),
                bootstrap_timeout_ms=int(CONNECT_SECONDS_MAX * 1000),
                retry_backoff_ms=RETRY_MS,
                reconnect_backoff_max_ms=1000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            # KafkaProducer itself checks each record anew, and has no end for the wait for a commit.
            self._accumulator = self._producer._accumulator
            self._manager = self._producer._transaction_manager
            self._sender = self._producer._sender
            try:
                self._producer.init_transactions()
            except KafkaError:
                self.close()
                raise

    def know(self, topics: Sequence[str]) -> dict[str, list[TopicPartition]]:
        """Looks these topics up, all at once; gives their partitions. KafkaUnavailable: one is missing."""
        with kafka_errors_are_typed():
            for topic in topics:
                self._sender.add_topic(topic)
            return {
                topic: [TopicPartition(topic, one) for one in sorted(self._producer.partitions_for(topic))]
                for topic in topics
            }

    def send(
        self,
        topic: str,
        partition: int,
        *,
        key: bytes,
        value: bytes | None,
        headers: Sequence[Header] = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Adds a record to the transaction; without a time it bears the present one. The topic is known."""
        moment = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        self.add(TopicPartition(topic, partition), moment, record_body(key, value, headers))

    def add(self, partition: TopicPartition, timestamp_ms: int, body: bytes) -> None:
        """Adds an encoded record. The topic is known. The first begins a transaction."""
        batch = self._filling.get(partition)
        if batch is None:
            with kafka_errors_are_typed():
                self._begin(partition)
            batch = self._filling[partition] = Batch(partition)
        batch.add(timestamp_ms, body)
        if batch.is_full:
            self._hand_over(self._filling.pop(partition))

    def commit(self) -> None:
        """Waits until all of it can be read; nothing where no transaction is begun."""
        if not self._is_begun:
            return
        for batch in self._filling.values():
            self._hand_over(batch)
        self._filling = {}
        with kafka_errors_are_typed():
            self._producer.flush(ANSWER_SECONDS_MAX)
            for batch in self._sent:  # The client commits what is left of a transaction when one has failed.
                batch.check()
            result = self._manager.begin_commit()
            self._sender.wakeup()
            if not result.wait(timeout_ms=ANSWER_SECONDS_MAX * 1000):
                raise KafkaTimeoutError("the commit was not answered")
        self._sent = []
        self._is_begun = False

    def close(self) -> None:
        """Sends nothing more. A transaction under way is aborted, by the next of this id or in time."""
        self._sender.force_close()  # Else it waits for the broker, however long that is away.
        with contextlib.suppress(KafkaError):
            self._producer.close(timeout=1)

    def _begin(self, partition: TopicPartition) -> None:
        """The transaction, where none is begun; the partition is a part of it."""
        if not self._is_begun:
            self._producer.begin_transaction()
            self._is_begun = True
        self._manager.maybe_add_partition_to_transaction(partition)

    def _hand_over(self, batch: Batch) -> None:
        """To the thread that sends."""
        batch.end()
        produced = batch.produced
        with self._accumulator._tp_lock(produced.topic_partition):
            self._accumulator._batches[produced.topic_partition].append(produced)
            self._accumulator._incomplete.add(produced)
        self._sent.append(batch)
        self._sender.wakeup()
