"""Records of a transaction can be read together, or never."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import pytest
from kafka import KafkaAdminClient, TopicPartition

from event_store.kafka.errors import KafkaFenced, KafkaUnavailable
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.transactions import Transactions
from tests.kafka.consumed import records_by_partition
from tests.projections.running import eventually


def make_topic(kafka: KafkaSettings, name: str, settings: Mapping[str, str]) -> str:
    topic = kafka.topic_prefix + name
    new = {topic: {"num_partitions": 1, "replication_factor": 1, "configs": dict(settings)}}
    with closing(KafkaAdminClient(**kafka.client_arguments())) as admin:
        admin.create_topics(new)
        admin.wait_for_topics([topic])
    return topic


@contextmanager
def transactions(kafka: KafkaSettings, *topics: str) -> Iterator[Transactions]:
    with closing(Transactions(kafka.client_arguments(), kafka.topic_prefix + "writer")) as begun:
        begun.know(topics)
        yield begun


def values(kafka: KafkaSettings, topic: str) -> list[bytes]:
    return [record.value for record in records_by_partition(kafka, [topic])[TopicPartition(topic, 0)]]


def test_more_than_a_batch_is_read_in_order(kafka: KafkaSettings) -> None:
    topic = make_topic(kafka, "large", {"max.message.bytes": "4194304"})
    written = [os.urandom(100_000) for _ in range(45)]
    with transactions(kafka, topic) as begun:
        for value in written:
            begun.send(topic, 0, key=b"k", value=value)
        begun.commit()
        begun.commit()  # Of nothing.
        begun.send(topic, 0, key=b"k", value=None)
        begun.commit()
    eventually(lambda: len(values(kafka, topic)) == 46, "all of them")
    assert values(kafka, topic) == [*written, None]


def test_where_one_record_is_refused_none_is_written(kafka: KafkaSettings) -> None:
    roomy = make_topic(kafka, "roomy", {})
    narrow = make_topic(kafka, "narrow", {"max.message.bytes": "2000"})
    with transactions(kafka, roomy, narrow) as begun:
        begun.send(roomy, 0, key=b"k", value=b"first")
        begun.send(narrow, 0, key=b"k", value=os.urandom(10_000))
        with pytest.raises(KafkaUnavailable, match="MessageSizeTooLarge"):
            begun.commit()
    with transactions(kafka, roomy, narrow) as begun:
        begun.send(roomy, 0, key=b"k", value=b"second")
        begun.commit()
    eventually(lambda: values(kafka, roomy) != [], "the second")
    assert (values(kafka, roomy), values(kafka, narrow)) == ([b"second"], [])


def test_the_next_of_its_id_ends_a_writer(kafka: KafkaSettings) -> None:
    topic = make_topic(kafka, "fenced", {})
    with transactions(kafka, topic) as first:
        first.send(topic, 0, key=b"k", value=b"first")
        with transactions(kafka, topic) as second:
            with pytest.raises(KafkaFenced):
                first.commit()
            second.send(topic, 0, key=b"k", value=b"second")
            second.commit()
        eventually(lambda: values(kafka, topic) != [], "the second")
    assert values(kafka, topic) == [b"second"]
