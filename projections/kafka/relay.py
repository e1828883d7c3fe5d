"""The relay: a follower of the log that publishes every event on Kafka, none lost and none twice.

Each batch is one transaction: the events' records and the relay's own checkpoint. What another process of
the same transactional id has begun is aborted by the first step of this one, so of a twin that was suspended
and wakes nothing is ever read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

import msgspec
import structlog
from kafka import TopicPartition

from event_store.codec import Codec
from event_store.errors import DecodingFailed, UnknownEvent
from event_store.kafka.checkpoint import KEY, RelayCheckpoint, place, read_checkpoint, sequences_of
from event_store.kafka.messages import MessageEncoder, sequenced
from event_store.kafka.reading import connect, ends
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topic_admin import make_topics
from event_store.kafka.topics import Topics, TopicUnfit
from event_store.kafka.transactions import Transactions
from event_store.records import START, Checkpoint, EventReader
from projections.engine.follower import (
    Decoded,
    FoldFailed,
    TargetDamaged,
    TargetMoved,
    TargetUnavailable,
    checkpoint_of,
)
from projections.kafka.errors import target_errors
from projections.kafka.published import what_is_lost, what_is_not_counted, why_not_ours

NAME = "relay"
LOCK = "relay"
"""The log's session lock of the process that publishes."""
_MEND = (
    "nothing is published: set DAYBOOK_KAFKA_TOPIC_PREFIX to another one, which is filled from"
    " the log's start, or delete the topics of this one (docs/stream.md)"
)

logger = structlog.get_logger(__name__)

Published = Callable[[Sequence[Decoded]], None]
"""Told of the events that can be read from now on."""


class Relay:
    """The follower; see `projections.engine.follower.Follower`."""

    name = NAME
    version = 1
    events = None  # Every event, also one that no view wants: it stops before what it cannot publish.

    def __init__(
        self, settings: KafkaSettings, log: EventReader, codec: Codec, published: Published = lambda _: None
    ) -> None:
        """`log`: its identity, and whether it still has what was published, are looked up there."""
        self._settings = settings
        self._topics = Topics(settings.topic_prefix, settings.topics_file)
        self._log = log
        self._messages = MessageEncoder(codec)
        self._published = published
        self._transactions: Transactions | None = None
        self._consumer: Any = None
        self._partitions: Mapping[str, Sequence[TopicPartition]] = {}  # by topic
        self._ordered = TopicPartition(self._topics.events, 0)
        self._sequences: dict[TopicPartition, int] = {}  # the last of each
        self._log_id = ""
        self._checkpoint = self._durable = START
        self._batch: list[Decoded] = []  # sent and not committed
        self._ends: Mapping[Any, int] | None = None  # as `check` saw them last
        self._complaint = ""

    @property
    def checkpoint(self) -> Checkpoint:
        return self._checkpoint

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:
        return [self._durable]

    @property
    def folding(self) -> Mapping[int, Checkpoint]:
        return {0: self._durable}

    @property
    def position(self) -> int:
        return self._durable.position

    def open(self) -> int:
        """See Follower. Another log's topics, or those of another history, are left alone: TargetDamaged."""
        self.close()
        self._log_id = self._log.log_id()
        try:
            with target_errors():
                make_topics(self._settings)
                self._consumer = connect(self._settings.client_arguments())
                self._ours()  # Before the writer of another log is fenced.
                self._transactions = Transactions(self._settings.client_arguments(), self._topics.relay)
                self._partitions = self._transactions.know([*self._topics.of_events, self._topics.relay])
                found = self._ours()
                self._check_records(found)
        except TargetDamaged as error:
            if str(error) != self._complaint:
                logger.error("nothing is published", reason=str(error))  # noqa: TRY400
            self._complaint = str(error)
            self.close()
            raise
        self._complaint = ""
        self._sequences = {} if found is None else sequences_of(found)
        self._checkpoint = self._durable = START if found is None else found.checkpoint
        return self.position

    def apply(self, batch: Sequence[Decoded], *, up_to: int, tailing: bool) -> None:
        after = self._checkpoint.position
        new = [one for one in batch if one.recorded.position > after]
        with target_errors():
            transactions = self._open_transactions
            for one in new:
                self._publish(one, transactions)
            self._checkpoint = checkpoint_of(batch, up_to)
            self._batch.extend(new)

    def settle(self, *, may_hold_back: bool) -> None:
        if self._checkpoint == self._durable:
            return
        with target_errors():
            self._note_checkpoint()
            self._open_transactions.commit()
        self._durable = self._checkpoint
        self._published(self._batch)
        self._batch = []

    def check(self) -> None:
        """Looks closer where the topics do not end where they did: a commit's marks may come later."""
        with target_errors():
            found = ends(self._consumer, [self._topics.relay, self._topics.events])
            before = self._ends
            if before is None or before == found:
                self._ends = found
                return
            checkpoint = read_checkpoint(self._consumer, self._topics.relay)
        there = START if checkpoint is None else checkpoint.checkpoint
        is_lost = any(found.get(partition, 0) < end for partition, end in before.items())
        if is_lost or (there != self._durable and there.position >= self._durable.position):
            raise TargetMoved("another has written to Kafka's topics, or they were made anew")
        if there == self._durable:
            self._ends = found

    def close(self) -> None:
        if self._transactions is not None:
            self._transactions.close()
        if self._consumer is not None:
            self._consumer.close()
        self._transactions = self._consumer = self._ends = None
        self._batch = []
        self._checkpoint = self._durable

    def _publish(self, one: Decoded, transactions: Transactions) -> None:
        recorded = one.recorded
        try:
            key, body, timestamp_ms = self._messages.message(recorded)
            partitions = self._partitions[self._topics.of(recorded.type)]
        except (UnknownEvent, DecodingFailed, TopicUnfit) as error:
            raise FoldFailed(recorded.position, str(error)) from error
        for partition in (partitions[partition_of(key, len(partitions))], self._ordered):
            where = self._sequences
            sequence = where[partition] = where.get(partition, 0) + 1
            transactions.add(partition, timestamp_ms, sequenced(body, sequence))

    def _note_checkpoint(self) -> None:
        position, event = self._checkpoint.position, self._checkpoint.event
        sequences = {place(partition): sequence for partition, sequence in self._sequences.items()}
        checkpoint = RelayCheckpoint(self._log_id, position, event, sequences)
        self._open_transactions.send(
            self._topics.relay,
            0,
            key=KEY,
            value=msgspec.json.encode(checkpoint),
        )

    @property
    def _open_transactions(self) -> Transactions:
        if self._transactions is None:
            raise TargetUnavailable("the relay is not open")
        return self._transactions

    def _ours(self) -> RelayCheckpoint | None:
        """The checkpoint, which is of this history of this log."""
        found = read_checkpoint(self._consumer, self._topics.relay)
        if found is not None:
            _refuse(why_not_ours(found, self._topics, self._log))
        return found

    def _check_records(self, found: RelayCheckpoint | None) -> None:
        """TargetDamaged where the topics do not hold what the checkpoint counts."""
        if found is not None:
            _refuse(what_is_lost(found, self._topics, self._consumer))
        _refuse(what_is_not_counted(found, self._topics, self._consumer))


def _refuse(reason: str | None) -> None:
    if reason is not None:
        raise TargetDamaged(f"{reason}; {_MEND}")


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a stream's events: the CRC-32 of the key, as librdkafka's `consistent` has it."""
    return crc32(key) % partitions
