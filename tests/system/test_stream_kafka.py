"""`daybook up --stream kafka`: the same system, and a real broker of its own beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import psutil
import pytest
from kafka import KafkaAdminClient

from deploy.local.servers.kafka_programs import KafkaPrograms
from event_store.kafka.clients import opened
from event_store.kafka.errors import KafkaUnavailable
from event_store.kafka.settings import KafkaSettings
from projections.documents.errors import ViewNotReady
from tests.stores.kafka_store import StateConsumer
from tests.system.running import RunningSystem, started, tried
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

JVM_SECONDS_MAX = 5 * SECONDS_MAX  # A JVM starts.


@pytest.fixture(scope="module")
def system(kafka_programs: KafkaPrograms) -> Iterator[RunningSystem]:
    with started("--demo", "sample", "--stream", "kafka", seconds=JVM_SECONDS_MAX) as system:
        yield system


def is_there(bootstrap: str) -> bool:
    arguments = {"bootstrap_servers": [bootstrap], "bootstrap_timeout_ms": 2_000}
    try:
        with closing(opened(KafkaAdminClient, arguments)) as admin:
            return len(admin.describe_cluster()["brokers"]) == 1
    except KafkaUnavailable:
        return False


def brokers(system: RunningSystem) -> list[psutil.Process]:
    return [child for child in system.family() if child.name() == "java"]


def test_its_broker_is_noted_and_who_only_reads_does_not_know_it(system: RunningSystem) -> None:
    assert is_there(system.addresses["kafka"])
    knowing = {
        name
        for child in system.family()
        for name in ("commands", "projector", "query")
        if child.cmdline()[-1] == name or name in child.cmdline()
        if "DAYBOOK_KAFKA_BOOTSTRAP" in child.environ()
    }
    assert "projector" in knowing
    assert "query" not in knowing


def test_the_sample_shop_lies_in_the_state_topics(system: RunningSystem) -> None:
    settings = KafkaSettings(bootstrap=system.addresses["kafka"])
    products = f"{system.addresses['read']}/api/v1/products"
    listed = {
        item["sku"]
        for item in httpx.get(products, params={"limit": 1_000}, timeout=SECONDS_MAX).json()["items"]
    }
    assert listed

    def published() -> set[str]:
        with suppress(ViewNotReady, KafkaUnavailable), closing(StateConsumer(settings)) as consumer:
            return set(consumer.read_all().pages)
        return set()

    wait_until(lambda: listed <= published(), seconds=JVM_SECONDS_MAX)


def test_while_it_is_away_the_shop_sells_and_it_comes_back_at_its_address(system: RunningSystem) -> None:
    bootstrap = system.addresses["kafka"]
    (broker,) = brokers(system)
    broker.kill()
    psutil.wait_procs([broker], timeout=SECONDS_MAX)
    assert tried(system)
    wait_until(lambda: is_there(bootstrap), seconds=JVM_SECONDS_MAX)
    (again,) = brokers(system)
    assert again.pid != broker.pid
