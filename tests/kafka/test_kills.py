"""50,000 events through kills of relay and broker, and a twin that wakes: none lost, none twice."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path

import pytest

from deploy.local.servers.kafka import KafkaServer
from event_store.kafka.settings import KafkaSettings
from event_store.postgres.log import PostgresLog
from tests.kafka.consumed import everything_is_published_once
from tests.kafka.many_events import append_many
from tests.kafka.relays import killed, relays

pytestmark = pytest.mark.slow

EVENTS = 50_000


def test_none_is_lost_and_none_is_twice(fresh_postgres: str, own_kafka: KafkaServer, tmp_path: Path) -> None:
    settings = KafkaSettings(bootstrap=own_kafka.bootstrap)
    with closing(PostgresLog.open(fresh_postgres)) as log, relays(fresh_postgres, settings, tmp_path) as some:
        append_many(log, EVENTS // 2)
        first = some.start()
        some.says("view's store is away")  # The broker comes later.
        own_kafka.start()
        some.reach(1)
        first.kill()
        suspended = some.start()
        some.reach(EVENTS // 5)
        suspended.suspend()
        some.start()
        append_many(log, EVENTS // 4)
        some.reach(EVENTS // 2 + 1)
        suspended.resume()
        killed(own_kafka)
        append_many(log, EVENTS - log.head())
        own_kafka.start()
        some.reach(EVENTS)
        assert some.end() == [0, 0], some.told()
        assert sum(everything_is_published_once(log, settings).values()) == EVENTS


def test_a_stop_ends_it_while_no_broker_answers(fresh_postgres: str, tmp_path: Path) -> None:
    settings = KafkaSettings(bootstrap="127.0.0.1:1")
    with relays(fresh_postgres, settings, tmp_path) as some:
        some.start()
        some.says("view's store is away")
        assert "kafka.net" not in some.told(), "one line a try"
        (code,) = some.end()
        assert code in {0, -signal.SIGALRM}, some.told()  # By force where a machine is slow.
