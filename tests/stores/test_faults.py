"""Whatever befalls a store under a projector: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import structlog
from redis import Redis

from deploy.local.servers.elasticsearch import ElasticsearchServer
from deploy.local.servers.kafka import KafkaServer
from deploy.local.servers.redis import RedisServer
from deploy.local.servers.server import Server
from event_store.kafka.settings import KafkaSettings
from projections.elasticsearch import build as elasticsearch_build
from projections.engine.build import Build
from projections.engine.follower import TargetMoved
from projections.engine.rebuild import Progress
from projections.redis.store import RedisStore
from projections.views.search import IndexedProduct
from tests.projections.running import eventually, new_runner, running
from tests.redis_cluster.cluster import Cluster
from tests.shop.log import Shop, decoded
from tests.stores.elasticsearch_faults import FaultyWay, HeldBack, RefusedInPart
from tests.stores.elasticsearch_store import ElasticsearchStore
from tests.stores.kafka_store import KafkaStore
from tests.stores.redis_store import RedisPlace
from tests.stores.store import Store, able_to
from tests.waiting import SECONDS_MAX

Lines = list[Mapping[str, Any]]


def reaches(build: Build, head: int) -> None:
    """Waits until the projector has brought the view there, and readers read it."""

    def reached() -> bool:
        with suppress(TargetMoved):  # It is closed just now.
            positions = [one.position for one in build.checkpoints]
            return build.is_published and min(positions, default=-1) >= head
        return False

    eventually(reached, f"{build.name} at {head}")


@contextmanager
def projected(store: Store, busy: Shop) -> Iterator[tuple[Build, Lines]]:
    """A projector runs meanwhile; gives its build and its log lines. In the end all must equal a rebuild."""
    build = store.build(busy.log)
    with structlog.testing.capture_logs() as lines, running(new_runner(busy.log, [build])):
        yield build, lines
    assert differing(store, busy) == []
    assert store.read().position == busy.log.head()


def differing(store: Store, busy: Shop) -> list[str]:
    """The keys under which the live version is not, byte for byte, what the log makes of it."""
    live = store.build(busy.log)
    assert live.open() == busy.log.head()
    fresh = live.beside(keeps=True)
    fresh.apply(decoded(busy.log), up_to=busy.log.head(), tailing=True)
    fresh.settle(may_hold_back=False)
    try:
        return list(live.compare(fresh).differing_keys)
    finally:
        fresh.drop()
        for build in (live, fresh):
            build.close()


def times(lines: Lines, *words: str) -> int:
    """How often a reason with one of these words was logged."""
    return sum(any(word in str(line.get("reason")) for word in words) for line in lines)


def test_a_store_emptied_under_writes_is_filled_again(store: Store, busy: Shop) -> None:
    with projected(store, busy) as (build, _):
        busy.bustle(orders=10)
        reaches(build, busy.flush())
        store.empty()
        busy.bustle(orders=10, seed=2)
        reaches(build, busy.flush())


@pytest.mark.parametrize("meanwhile", ["running", "stopped"])
def test_a_store_brought_back_from_before_is_caught_up(store: Store, busy: Shop, meanwhile: str) -> None:
    busy.bustle(orders=10)
    with projected(store, busy) as (build, _):
        reaches(build, busy.flush())
    restore = store.save()
    busy.bustle(orders=5, seed=2)
    with projected(store, busy) as (build, _):
        reaches(build, busy.flush())
        if meanwhile == "running":
            restore()
            busy.bustle(orders=5, seed=3)
            reaches(build, busy.flush())
    if meanwhile == "stopped":
        restore()
        busy.bustle(orders=5, seed=3)
        with projected(store, busy) as (build, _):
            reaches(build, busy.flush())


@dataclass
class OwnServer:
    """A store on a server of its own, whose processes a test may kill."""

    store: Store
    kill: Callable[[], None]
    start: Callable[[], None]


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    if request.param == "cluster":
        cluster: Cluster = request.getfixturevalue("own_cluster")
        masters = [node.client() for node in cluster.nodes]
        one = cluster.nodes[1]

        def start_again() -> None:
            one.start()
            cluster.wait_until_whole()

        own = OwnServer(RedisPlace(cluster.url, masters, shards=16), one.kill, start_again)
    elif request.param == "redis":
        redis: RedisServer = request.getfixturevalue("own_redis")
        place = RedisPlace(redis.url, [Redis.from_url(redis.url)], shards=3)
        own = OwnServer(place, lambda: kill_all(redis), redis.start)
    elif request.param == "kafka":
        kafka: KafkaServer = request.getfixturevalue("own_kafka")
        kafka.start()
        settings = KafkaSettings(bootstrap=kafka.bootstrap)
        own = OwnServer(KafkaStore(settings), lambda: kill_all(kafka), kafka.start)
    else:
        elasticsearch: ElasticsearchServer = request.getfixturevalue("own_elasticsearch")
        elasticsearch.start()
        index = ElasticsearchStore(elasticsearch.url)
        own = OwnServer(index, lambda: kill_all(elasticsearch), elasticsearch.start)
    yield own
    own.store.close()


def kill_all(server: Server) -> None:
    """Every process of it, at once."""
    started = psutil.Process(server.process.pid)
    for process in (*started.children(recursive=True), started):
        process.kill()
    server.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    "own",
    [
        "redis",
        "cluster",
        *(pytest.param(name, marks=pytest.mark.proof) for name in ("elasticsearch", "kafka")),
    ],
    indirect=True,
)
def test_a_view_goes_on_when_its_server_was_killed_and_is_there_again(own: OwnServer, busy: Shop) -> None:
    with projected(own.store, busy) as (build, lines):
        busy.bustle(orders=10)
        reaches(build, busy.flush())
        own.kill()
        busy.bustle(orders=10, seed=2)
        head = busy.flush()
        is_away = "view's store is away"
        eventually(lambda: any(line["event"] == is_away for line in lines), "missed")
        own.start()
        reaches(build, head)


@pytest.mark.parametrize("store", able_to("be full"), indirect=True)
def test_a_full_store_is_waited_out_and_read_meanwhile(store: Store, busy: Shop) -> None:
    with projected(store, busy) as (build, lines):
        busy.bustle(orders=5)
        before = busy.flush()
        reaches(build, before)
        with store.full():
            busy.bustle(orders=5, seed=2)
            head = busy.flush()
            eventually(
                lambda: times(lines, "OOM", "blocked") > 2,
                "refused, and tried again",
                seconds_max=SECONDS_MAX,
            )
            assert store.read().position == before, "read as it stood"
        reaches(build, head)


@pytest.mark.parametrize("store", ["redis", "cluster"], indirect=True)
def test_what_a_slow_redis_does_when_nobody_waits_any_more_counts_once(
    store: RedisPlace, busy: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write was sent, its response does not come in time, and it is done afterwards."""
    impatient = functools.partial(RedisStore, timeout_seconds=0.1)
    monkeypatch.setattr("projections.redis.build.RedisStore", impatient)
    with projected(store, busy) as (build, lines):
        busy.bustle(orders=5)
        reaches(build, busy.flush())
        for seed in range(3):
            before = times(lines, "Redis")
            for master in store.masters:
                master.execute_command("CLIENT", "PAUSE", int(SECONDS_MAX * 1000), "WRITE")
            busy.bustle(orders=5, seed=seed)
            head = busy.flush()
            eventually(lambda before=before: times(lines, "Redis") > before, "no response, tried again")
            for master in store.masters:
                master.execute_command("CLIENT", "UNPAUSE")
            reaches(build, head)
    monkeypatch.undo()


@pytest.fixture
def way() -> FaultyWay:
    return FaultyWay()


@pytest.fixture
def behind(way: FaultyWay, elasticsearch_url: str) -> Iterator[ElasticsearchStore]:
    """A store that this way leads to."""
    store = ElasticsearchStore(elasticsearch_url, way.client)
    yield store
    way.fault = None
    store.close()


def test_what_a_slow_elasticsearch_does_when_nobody_waits_any_more_counts_once(
    behind: ElasticsearchStore, way: FaultyWay, busy: Shop
) -> None:
    """The older documents and the older checkpoint come after the newer ones."""
    held = HeldBack()
    with projected(behind, busy) as (build, _):
        busy.bustle(orders=5)
        reaches(build, busy.flush())
        way.fault = held
        busy.bustle(orders=5, seed=2)
        busy.flush()
        eventually(lambda: len(held) > 2, "no response, tried again")
        way.fault = None
        busy.bustle(orders=5, seed=3)
        head = busy.flush()
        reaches(build, head)
        held.let_through()
        busy.bustle(orders=1, seed=4)
        reaches(build, busy.flush())


def test_a_bulk_that_elasticsearch_refuses_in_part_is_written_again_and_counts_once(
    behind: ElasticsearchStore, way: FaultyWay, busy: Shop
) -> None:
    refused = RefusedInPart()
    with projected(behind, busy) as (build, lines):
        busy.bustle(orders=5)
        before = busy.flush()
        reaches(build, before)
        way.fault = refused
        busy.bustle(orders=10, seed=2)
        head = busy.flush()
        eventually(lambda: times(lines, "queue is full") > 2, "tried again")
        assert behind.read().position == before, "no position of which a part is missing"
        way.fault = None
        reaches(build, head)
    assert refused.refused > 0


def test_a_document_that_elasticsearch_refuses_for_ever_stops_the_view_until_it_is_mended_and_retried(
    behind: ElasticsearchStore, busy: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field without a mapping: a fault of this code, which the server answers with 400 for one document."""
    index_document = elasticsearch_build.index_document

    def with_a_field_of_its_own(product: IndexedProduct, normalizer: Any) -> dict[str, Any]:
        document = index_document(product, normalizer)
        return document | {"novelty": "yes"} if product.page.sku == "POISON" else document

    monkeypatch.setattr(elasticsearch_build, "index_document", with_a_field_of_its_own)
    reported: list[Progress] = []
    build = behind.build(busy.log)
    runner = new_runner(busy.log, [build])
    todo: list[Callable[[], None]] = []

    def poll() -> bool:
        while todo:
            todo.pop()()
        return True

    def retry() -> Progress:
        reported.clear()
        todo.append(lambda: runner.request("retry", "search", reported.append))
        eventually(lambda: bool(reported) and reported[-1].is_over, "retried")
        return reported[-1]

    with structlog.testing.capture_logs() as lines, running(runner, poll):
        busy.bustle(orders=5)
        before = busy.flush()
        reaches(build, before)
        busy.lists("POISON")
        busy.bustle(orders=5, seed=2)
        head = busy.flush()
        eventually(lambda: len(runner.stops) == 1, "it has stopped")
        (stop,) = runner.stops
        assert (stop.position, stop.event_type) == (before, "catalog.product_listed")
        assert "Elasticsearch refuses sku POISON" in stop.reason
        assert "novelty" in stop.reason
        assert behind.read().position == before, "read as it stands"
        again = retry()
        assert (again.state, again.reason) == ("failed", str(stop))
        monkeypatch.undo()
        assert retry().state == "done"
        reaches(build, head)
    (line,) = [line for line in lines if line["event"].startswith("view stopped")][:1]
    assert (line["log_level"], line["position"]) == ("error", before)
    assert differing(behind, busy) == []


def test_a_view_goes_on_while_a_large_version_of_it_is_deleted(store: Store, busy: Shop) -> None:
    """The deletion has not ended when the view has taken in what came meanwhile."""
    begun, may_end = threading.Event(), threading.Event()
    build = store.build(busy.log)
    deletion = build.deletion

    def slow_deletion(gone: Any) -> Iterator[None]:
        begun.set()
        assert may_end.wait(SECONDS_MAX)
        yield from deletion(gone)

    build.deletion = slow_deletion  # type: ignore[method-assign]
    busy.bustle(orders=5)
    busy.flush()
    left = store.build(busy.log)
    left.open()
    left.publish()
    left.beside().close()  # A rebuild that was killed: to be deleted by who comes next.
    left.close()
    with running(new_runner(busy.log, [build])):
        assert begun.wait(SECONDS_MAX)
        for seed in range(3):
            busy.bustle(orders=2, seed=seed)
            reaches(build, busy.flush())
        assert store.versions() == [1, 2]
        may_end.set()
        eventually(lambda: store.versions() == [1], "deleted")
    assert differing(store, busy) == []
