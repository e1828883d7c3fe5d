"""A million events reach Kafka once each, in spite of ten kills of the relay and of the broker."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from deploy.local.servers.kafka import KafkaServer
from event_store.kafka.settings import KafkaSettings
from event_store.postgres.log import PostgresLog
from tests.kafka.consumed import everything_is_published_once
from tests.kafka.many_events import append_many
from tests.kafka.relays import killed, relays

EVENTS = 1_000_000
KILLS = 10


def test_a_million_events_and_ten_kills(fresh_postgres: str, own_kafka: KafkaServer, tmp_path: Path) -> None:
    own_kafka.start()
    settings = KafkaSettings(bootstrap=own_kafka.bootstrap)
    with closing(PostgresLog.open(fresh_postgres)) as log, relays(fresh_postgres, settings, tmp_path) as some:
        append_many(log, EVENTS // 2)
        relay = some.start()
        for kill in range(KILLS):
            some.reach((kill + 1) * EVENTS // (KILLS + 4))
            if kill % 2:
                killed(own_kafka)
                own_kafka.start()
            else:
                relay.kill()
                relay = some.start()
            append_many(log, EVENTS // 2 // KILLS)
        some.reach(EVENTS, seconds=1_200)
        assert some.end() == [0], some.told()
        assert sum(everything_is_published_once(log, settings).values()) == EVENTS
