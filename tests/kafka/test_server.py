"""The broker that `daybook up --stream kafka` starts."""

from __future__ import annotations

import shutil
from contextlib import closing

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from deploy.local.errors import CannotRun, ServerFailed
from deploy.local.servers import java, kafka_programs
from deploy.local.servers.kafka import KafkaServer
from tests.waiting import SECONDS_MAX


def made(server: KafkaServer, topic: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
        admin.create_topics({topic: {"num_partitions": 1}}, wait_for_metadata=True)


def written(server: KafkaServer, topic: str, *values: bytes) -> None:
    with closing(KafkaProducer(bootstrap_servers=server.bootstrap, acks="all")) as producer:
        for value in values:
            producer.send(topic, value).get(SECONDS_MAX)


def there(server: KafkaServer, topic: str) -> list[bytes]:
    """All that lies in the topic's one partition."""
    place = TopicPartition(topic, 0)
    with closing(KafkaConsumer(bootstrap_servers=server.bootstrap)) as consumer:
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end = consumer.end_offsets([place])[place]
        found: list[bytes] = []
        while len(found) < end:
            for records in consumer.poll(timeout_ms=1_000).values():
                found += [record.value for record in records]
        return found


@pytest.mark.slow
def test_it_keeps_what_it_has_over_a_kill_and_one_that_was_left_is_ended_first(
    own_kafka: KafkaServer,
) -> None:
    server = own_kafka
    server.start()
    made(server, "kept")
    written(server, "kept", b"kettle", b"mug")
    impatient = KafkaProducer(bootstrap_servers=server.bootstrap, max_block_ms=1_000)
    with closing(impatient), pytest.raises(KafkaError):
        impatient.send("never-made", b"").get(SECONDS_MAX)
    psutil.Process(server.process.pid).kill()
    server.process.wait()
    server.start()
    assert there(server, "kept") == [b"kettle", b"mug"]
    written(server, "kept", b"pan")
    left = server.process
    server.prepare()
    assert left.wait(SECONDS_MAX) == 143, "it ended in its own order"
    server.start()
    assert there(server, "kept") == [b"kettle", b"mug", b"pan"]


def test_storage_that_lost_its_mark_is_put_aside(own_kafka: KafkaServer) -> None:
    own_kafka.prepare()
    data = own_kafka.folder / "data"
    (data / "orders-0").mkdir()
    own_kafka.prepare()
    assert (data / "orders-0").is_dir(), "whole storage is left alone"
    (data / "meta.properties").unlink()
    reported: list[str] = []
    own_kafka.report = reported.append
    own_kafka.prepare()
    assert (data / "meta.properties").is_file() and not (data / "orders-0").exists()
    assert (own_kafka.folder / "data.damaged" / "orders-0").is_dir()
    assert "data.damaged" in reported[0]


def test_one_that_cannot_start_says_why(own_kafka: KafkaServer) -> None:
    own_kafka.prepare()
    (own_kafka.folder / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    with pytest.raises(ServerFailed, match=r"ended while starting: .*node"):
        own_kafka.start()
    shutil.rmtree(own_kafka.folder)


def test_without_java_or_maven_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(CannotRun, match="Kafka needs Java 17 or later, and there is none: install it"):
        kafka_programs.find_kafka(print)
    monkeypatch.undo()
    monkeypatch.setattr(java, "JAVA_MIN", 999)
    with pytest.raises(CannotRun, match=r"needs Java 999 or later.*DAYBOOK_KAFKA_BOOTSTRAP"):
        kafka_programs.find_kafka(print)
