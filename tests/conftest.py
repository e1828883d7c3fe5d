"""The servers that tests run on: started the way `daybook up` starts them, in a folder of their own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import structlog
from psycopg import sql
from redis import Redis

from deploy.local.servers.account import Account, server_account
from deploy.local.servers.binaries import Binaries, find_binaries
from deploy.local.servers.elasticsearch import ElasticsearchServer
from deploy.local.servers.elasticsearch_programs import ElasticsearchPrograms, find_elasticsearch
from deploy.local.servers.kafka import KafkaServer
from deploy.local.servers.kafka_programs import KafkaPrograms, find_kafka
from deploy.local.servers.postgres import PostgresServer
from deploy.local.servers.redis import RedisServer
from deploy.local.supervision.child_processes import Program
from event_store.memory.log import MemoryLog
from event_store.postgres.log import PostgresLog
from event_store.records import EventLog
from tests.prerequisites import missing
from tests.redis_cluster.cluster import Cluster, cluster_in
from tests.system.running import errors_of_systems, forget_ended_systems


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proofs", action="store_true", help="run the tests marked `proof`, and no others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What one process runs alone comes first, then folders with the most slow tests, each in one piece:
    processes that share the tests end at about the same time.

    Of two tests that bear the same name, such processes would never run one."""
    _select(config, items)
    slow = Counter(item.path.parent for item in items if item.get_closest_marker("slow"))
    together = {config.rootpath / folder for folder in (*TOGETHER, *OF_SEVERAL_STORES)}
    items.sort(key=lambda item: (item.path.parent not in together, -slow[item.path.parent]))
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"more than one test is called {twice[0]}")


def _select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes the proofs away, or all others."""
    wanted, others = [], []
    for item in items:
        is_proof = item.get_closest_marker("proof") is not None
        (wanted if is_proof is config.option.proofs else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = wanted


TOGETHER = {
    "tests/edge": "tests/edge",
    "tests/faults": "tests/faults",
    "tests/elasticsearch": "elasticsearch",
    "tests/kafka": "kafka",
}
"""Folders whose tests run in one process, by the name of what they share: a system, or a JVM."""

OF_SEVERAL_STORES = ("tests/search", "tests/stores")
JVMS = ("elasticsearch", "kafka")
"""Of those folders, the tests that name one of these go where it runs."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Processes that share the tests: what shares a server goes to one of them, else a file at a time."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            folder = file.rpartition("/")[0]
            if folder in OF_SEVERAL_STORES:
                return next((name for name in JVMS if name in nodeid), file)
            return TOGETHER.get(folder, file)

    return Scheduling(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the systems of a test wrote last stands beside its failure: CI's log is often all that is left."""
    report = yield
    if report.failed:
        report.sections.extend(errors_of_systems())
    if report.when == "teardown":
        forget_ended_systems()
    return report


@dataclass(frozen=True)
class ServerPlace:
    """Where the servers of one test session keep their files, and whom they run as."""

    folder: Path
    sockets: Path
    account: Account
    binaries: Binaries


@pytest.fixture(scope="session")
def server_place() -> Iterator[ServerPlace]:
    """Not pytest's own folder: that is closed to the servers' user, and its path too long for a socket."""
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="daybook-test-", dir="/tmp"))
    folder.chmod(0o711)
    sockets = folder / "s"
    sockets.mkdir(mode=0o770)
    sockets.chmod(0o770)
    if not account.is_us:
        shutil.chown(sockets, account.uid)
    yield ServerPlace(folder, sockets, account, find_binaries(account))
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def new_cluster(server_place: ServerPlace) -> Path:
    """A cluster that was never started, to be copied: making one takes seconds."""
    server = PostgresServer(
        programs=server_place.binaries.postgres,
        folder=server_place.folder / "new",
        sockets=server_place.sockets,
        account=server_place.account,
        log=server_place.folder / "new.log",
    )
    server.prepare()
    return server.folder


def copy_cluster(cluster: Path, folder: Path) -> None:
    """With its owner."""
    subprocess.run(["cp", "-a", str(cluster), str(folder)], check=True)


class QuickPostgres(PostgresServer):
    """One that does not wait for the disk: what a killed process has written is there without that, too."""

    @property
    def program(self) -> Program:
        program = super().program
        return replace(program, command=[*program.command, "-c", "fsync=off"])


@pytest.fixture(scope="session")
def postgres_server(server_place: ServerPlace, new_cluster: Path) -> Iterator[PostgresServer]:
    server = QuickPostgres(
        programs=server_place.binaries.postgres,
        folder=server_place.folder / "postgres",
        sockets=server_place.sockets,
        account=server_place.account,
        log=server_place.folder / "postgres.log",
    )
    copy_cluster(new_cluster, server.folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The session's server, its maintenance database."""
    return postgres_server.url()


@pytest.fixture
def own_server(server_place: ServerPlace, new_cluster: Path, tmp_path: Path) -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    folder = server_place.folder / f"own-{tmp_path.name}"
    sockets = server_place.folder / "o"
    sockets.mkdir(mode=0o770)
    if not server_place.account.is_us:
        shutil.chown(sockets, server_place.account.uid)
    server = QuickPostgres(
        programs=server_place.binaries.postgres,
        folder=folder,
        sockets=sockets,
        account=server_place.account,
        log=server_place.folder / "own.log",
    )
    copy_cluster(new_cluster, folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(sockets)


@pytest.fixture
def fresh_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty database, gone after the test."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield postgres_server.url(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["memory", "postgres"])
def log(request: pytest.FixtureRequest) -> Iterator[EventLog]:
    """An empty log: in memory, then on PostgreSQL."""
    opened: EventLog
    if request.param == "memory":
        opened = MemoryLog()
    else:
        opened = PostgresLog.open(request.getfixturevalue("fresh_postgres"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def redis_server(server_place: ServerPlace) -> Iterator[RedisServer]:
    """The session's own Redis."""
    server = RedisServer(
        program=server_place.binaries.redis_server,
        folder=server_place.folder / "redis",
        sockets=server_place.sockets,
        account=server_place.account,
        log=server_place.folder / "redis.log",
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """The session's server."""
    return redis_server.url


@pytest.fixture
def fresh_redis(redis_url: str) -> str:
    """The same server, emptied."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command line run within a test sets the logs up for its process, which here goes on."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def elasticsearch_programs() -> ElasticsearchPrograms:
    """Fetched where they are not there yet."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            missing(program)
    return find_elasticsearch(report=print)


@pytest.fixture(scope="session")
def elasticsearch_url(
    elasticsearch_programs: ElasticsearchPrograms, server_place: ServerPlace
) -> Iterator[str]:
    """The session's own server."""
    server = ElasticsearchServer(
        programs=elasticsearch_programs,
        folder=server_place.folder / "elasticsearch",
        account=server_place.account,
        log=server_place.folder / "elasticsearch.log",
    )
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def own_redis(server_place: ServerPlace) -> Iterator[RedisServer]:
    """A server that a test may stop, and whose files it may change."""
    sockets = server_place.sockets / "o"
    sockets.mkdir(mode=0o777, exist_ok=True)
    sockets.chmod(0o777)
    server = RedisServer(
        program=server_place.binaries.redis_server,
        folder=server_place.folder / "own-redis",
        sockets=sockets,
        account=server_place.account,
        log=server_place.folder / "own-redis.log",
    )
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder)


@pytest.fixture
def own_elasticsearch(
    elasticsearch_programs: ElasticsearchPrograms, server_place: ServerPlace, tmp_path: Path
) -> Iterator[ElasticsearchServer]:
    """A server that a test starts, and may kill."""
    server = ElasticsearchServer(
        programs=elasticsearch_programs,
        folder=server_place.folder / f"elasticsearch-{tmp_path.name}",
        account=server_place.account,
        log=server_place.folder / f"elasticsearch-{tmp_path.name}.log",
    )
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_programs() -> KafkaPrograms:
    """Fetched where they are not there yet."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            missing(program)
    return find_kafka(report=print)


@pytest.fixture(scope="session")
def kafka_server(kafka_programs: KafkaPrograms, server_place: ServerPlace) -> Iterator[KafkaServer]:
    """The session's own broker; each test has topics of its own."""
    server = KafkaServer(
        programs=kafka_programs,
        folder=server_place.folder / "kafka",
        account=server_place.account,
        log=server_place.folder / "kafka.log",
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_kafka(
    kafka_programs: KafkaPrograms, server_place: ServerPlace, tmp_path: Path
) -> Iterator[KafkaServer]:
    """A broker that a test starts, and may kill."""
    server = KafkaServer(
        programs=kafka_programs,
        folder=server_place.folder / f"kafka-{tmp_path.name}",
        account=server_place.account,
        log=server_place.folder / f"kafka-{tmp_path.name}.log",
    )
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cluster_masters(server_place: ServerPlace) -> Iterator[Cluster]:
    """The session's Redis Cluster: three masters, for tests that move nothing for good."""
    program = server_place.binaries.redis_server
    cluster = cluster_in(server_place.folder / "cluster", program, replicas=False)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(cluster_masters: Cluster) -> Cluster:
    """The same, emptied."""
    cluster_masters.empty()
    return cluster_masters


@pytest.fixture
def own_cluster(server_place: ServerPlace, tmp_path: Path) -> Iterator[Cluster]:
    """Three masters of a test's own, whose processes it may kill."""
    program = server_place.binaries.redis_server
    cluster = cluster_in(server_place.folder / f"cluster-{tmp_path.name}", program, replicas=False)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
