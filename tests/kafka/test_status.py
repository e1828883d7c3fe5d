"""What operators see of the stream: the command line, and metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from prometheus_client import CollectorRegistry

from event_store.errors import StoreUnavailable
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topic_admin import make_topics
from event_store.kafka.topics import Topics
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from projections.engine.metrics import ProjectorMetrics
from projections.kafka.metrics import RelayMetrics
from projections.kafka.publishing import Publishing
from projections.kafka.relay import Relay
from tests.kafka.consumed import everything_is_published_once
from tests.kafka.many_events import append_many
from tests.kafka.relays import relays
from tests.kafka.test_relay import publish
from tests.projections.projectors import Paths, projector
from tests.projections.running import eventually, new_runner, running, views_equal_a_rebuild, views_reach
from tests.shop.facts import CODEC
from tests.shop.log import Shop
from tests.waiting import wait_until


@pytest.fixture
def log(fresh_postgres: str) -> Iterator[PostgresLog]:
    with closing(PostgresLog.open(fresh_postgres)) as log:
        yield log


def stream_status(postgres_url: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code, and what it printed."""
    words = [sys.executable, "-P", "-m", "daybook", "stream", "status", *arguments]
    variables = os.environ | {"DAYBOOK_POSTGRES_URL": postgres_url} | environment
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False, cwd="/")
    return done.returncode, done.stdout + done.stderr


def environment_of(settings: KafkaSettings) -> dict[str, str]:
    assert settings.bootstrap is not None
    return {
        "DAYBOOK_KAFKA_BOOTSTRAP": settings.bootstrap,
        "DAYBOOK_KAFKA_TOPIC_PREFIX": settings.topic_prefix,
    }


def wrong_at_last(postgres_url: str, environment: dict[str, str], words: str) -> str:
    """What it prints once it says this, which may be a little later: with exit code 1."""
    said = ""

    def is_said() -> bool:
        nonlocal said
        code, said = stream_status(postgres_url, **environment)
        return code == 1 and words in said

    wait_until(is_said, why=lambda: said)
    return said


def test_status_says_who_publishes_and_how_far_it_is(
    log: PostgresLog, fresh_postgres: str, kafka: KafkaSettings, tmp_path: Path
) -> None:
    append_many(log, 300)
    environment = environment_of(kafka)
    code, said = stream_status(fresh_postgres, **environment)
    assert (code, "has no topic" in said) == (1, True)
    with relays(fresh_postgres, kafka, tmp_path) as some:
        process = some.start()
        some.reach(300)
        code, said = stream_status(fresh_postgres, "--json", **environment)
        assert code == 0, said
        found = json.loads(said)
        assert found["publisher"].endswith(f":{process.pid}")
        assert (found["position"], found["lag"], found["wrong"]) == (300, 0, None)
        records = {one["topic"]: one["records"] for one in found["topics"]}
        assert records.pop(Topics(kafka.topic_prefix).events) == 300
        assert sum(records.values()) == 300
    said = wrong_at_last(fresh_postgres, environment, "no process publishes")
    assert "position   300" in said


def test_status_says_that_the_topics_are_anothers(
    log: PostgresLog, fresh_postgres: str, kafka: KafkaSettings
) -> None:
    append_many(log, 1)
    other = MemoryLog()
    append_many(other, 5)
    publish(other, kafka)
    wrong_at_last(
        fresh_postgres,
        environment_of(kafka),
        f"hold another log's events ({other.log_id()}, not {log.log_id()})",
    )


def test_status_says_that_a_topic_lost_records(
    log: PostgresLog, fresh_postgres: str, kafka: KafkaSettings
) -> None:
    append_many(log, 20)
    publish(log, kafka)
    lost = Topics(kafka.topic_prefix).of("orders.order_placed")
    with closing(KafkaAdminClient(**kafka.client_arguments())) as admin:
        admin.delete_topics([lost])
    wrong_at_last(fresh_postgres, environment_of(kafka), lost)
    eventually(lambda: is_made(kafka), "topics")
    wrong_at_last(fresh_postgres, environment_of(kafka), f"{lost} has lost records")


def is_made(kafka: KafkaSettings) -> bool:
    """All of them, perhaps anew: one that is being deleted is in the way for a moment."""
    try:
        make_topics(kafka)
    except StoreUnavailable:
        return False
    return True


def test_status_says_in_a_line_what_is_away(log: PostgresLog, fresh_postgres: str) -> None:
    assert log.head() == 0
    code, said = stream_status(fresh_postgres)
    assert (code, said.count("\n")) == (1, 1)
    assert "DAYBOOK_KAFKA_BOOTSTRAP" in said
    code, said = stream_status(fresh_postgres, DAYBOOK_KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert (code, said.count("\n")) == (1, 1)
    assert "Kafka" in said


@pytest.mark.slow
def test_a_projector_publishes_and_another_reads_what_it_publishes(
    log: PostgresLog, fresh_postgres: str, fresh_redis: str, kafka: KafkaSettings, tmp_path: Path
) -> None:
    shop = Shop(log)
    for number in range(20):
        shop.lists(f"SKU-{number}")
        shop.places(f"{number:032}", {f"SKU-{number}": 2})
    head = shop.flush()
    paths = Paths(fresh_postgres, fresh_redis, tmp_path)
    with projector(paths, DAYBOOK_EVENTS_FROM="kafka", **environment_of(kafka)):
        views_reach(fresh_redis, head)
        code, said = stream_status(fresh_postgres, **environment_of(kafka))
        assert code == 0, said
    everything_is_published_once(log, kafka)
    views_equal_a_rebuild(log, fresh_redis)


class Lease:
    """One that holds what it is asked for, as long as `holds` says so."""

    def __init__(self, holds: Callable[[], bool]) -> None:
        self.still_held = holds

    def take(self, names: object) -> list[str]:
        assert names == ["relay"]
        return ["relay"]


def test_metrics_show_position_lag_and_how_many_were_published(kafka: KafkaSettings) -> None:
    log, registry = MemoryLog(), CollectorRegistry()
    append_many(log, 40)
    first = Relay(kafka, log, CODEC)
    with running(new_runner(log, [first])):
        eventually(lambda: first.position == 40, "the relay at 40")
    append_many(log, 25)

    def value(name: str) -> float | None:
        return registry.get_sample_value(f"daybook_relay_{name}")

    Publishing(
        kafka,
        log,
        CODEC,
        Lease(lambda: value("events_total") != 25),
        metrics=ProjectorMetrics(registry),
        relay_metrics=RelayMetrics(registry),
    ).run()
    assert value("events_total") == 25
    assert (value("position"), value("lag_events"), value("publishes")) == (65, 0, 0)
    assert value("lag_seconds_count") == 1
