"""The servers of one local system: those of our own, and those whose addresses were given."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import time
from collections.abc import Callable

from deploy.local.data_folder import Paths
from deploy.local.errors import CannotRun
from deploy.local.logs.display import Display
from deploy.local.servers.binaries import find_binaries
from deploy.local.servers.elasticsearch import ElasticsearchServer
from deploy.local.servers.elasticsearch_programs import find_elasticsearch
from deploy.local.servers.kafka import KafkaServer
from deploy.local.servers.kafka_programs import find_kafka
from deploy.local.servers.postgres import PostgresServer
from deploy.local.servers.postgres_database import allow_roles, make_database, read_only_url
from deploy.local.servers.redis import RedisServer
from deploy.local.servers.server import Server
from deploy.local.settings import LocalSettings
from deploy.local.supervision.supervisor import SupervisedProcess, Supervisor, wait_until_ready
from event_store.postgres.connections import FEED_ROLE
from event_store.postgres.migrations import WRITER_ROLE

DATABASE = "daybook"
SOCKET_SECONDS_MAX = 10.0
"""Both servers make their socket before they read their data."""


class Servers:
    """PostgreSQL, Redis and, where wanted, Elasticsearch and Kafka: ours unless the address was given."""

    def __init__(
        self,
        paths: Paths,
        settings: LocalSettings,
        *,
        with_elasticsearch: bool,
        with_kafka: bool,
        report: Callable[[str, str], None],
    ) -> None:
        """`report` gets the name of what is fetched, and a word. Raises CannotRun where it cannot be."""
        self._paths = paths
        self._given_postgres = settings.postgres_url
        self._given_redis = settings.redis_url
        self._given_elasticsearch = settings.elasticsearch_url
        self._given_kafka = settings.kafka_bootstrap
        self.processes: list[SupervisedProcess] = []  # in the order of their start
        self._socketless: dict[SupervisedProcess, tuple[subprocess.Popen[bytes], float]] = {}
        """Until when each process may be without a socket, by the monotonic clock; 'now' once it was seen."""
        self._postgres: PostgresServer | None = None
        self._redis: RedisServer | None = None
        self._elasticsearch: ElasticsearchServer | None = None
        self._kafka: KafkaServer | None = None
        if with_elasticsearch and not settings.elasticsearch_url:
            self._elasticsearch = ElasticsearchServer(
                programs=find_elasticsearch(functools.partial(report, "elasticsearch")),
                folder=paths.servers / "elasticsearch",
                account=paths.account,
                log=paths.logs / "elasticsearch.log",
            )
        if with_kafka and not settings.kafka_bootstrap:
            self._kafka = KafkaServer(
                programs=find_kafka(functools.partial(report, "kafka")),
                folder=paths.servers / "kafka",
                account=paths.account,
                log=paths.logs / "kafka.log",
            )
        if settings.postgres_url and settings.redis_url:
            return
        binaries = find_binaries(paths.account)
        if not settings.postgres_url:
            self._postgres = PostgresServer(
                programs=binaries.postgres,
                folder=paths.servers / "postgres",
                sockets=paths.sockets,
                account=paths.account,
                log=paths.logs / "postgres.log",
            )
        if not settings.redis_url:
            self._redis = RedisServer(
                program=binaries.redis_server,
                folder=paths.servers / "redis",
                sockets=paths.sockets,
                account=paths.account,
                log=paths.logs / "redis.log",
            )

    @property
    def postgres_url(self) -> str:
        if self._postgres is not None:
            return self._postgres.url(DATABASE)
        assert self._given_postgres
        return self._given_postgres

    @property
    def redis_url(self) -> str:
        if self._redis is not None:
            return self._redis.url
        assert self._given_redis
        return self._given_redis

    @property
    def elasticsearch_url(self) -> str | None:
        """None: the search index is embedded."""
        return self._given_elasticsearch if self._elasticsearch is None else self._elasticsearch.url

    @property
    def kafka_bootstrap(self) -> str | None:
        """None: there is no stream."""
        return self._given_kafka if self._kafka is None else self._kafka.bootstrap

    def open_log(self) -> tuple[str, str]:
        """The log's addresses for the writer and for the events feed, once it is there: with roles of
        their own where the server is ours."""
        if self._postgres is None:
            return self.postgres_url, read_only_url(self.postgres_url)
        allow_roles(self._postgres.url(DATABASE))
        writer, feed = (self._postgres.url(DATABASE, user=role) for role in (WRITER_ROLE, FEED_ROLE))
        return writer, feed

    def check(self) -> None:
        """Raises FolderUnusable for a damaged folder, before anything is started or changed."""
        for server in self._own:
            server.check()

    def end_unreachable(self, display: Display) -> None:
        """End a server whose socket was swept away beneath it: the next that is started has one."""
        for supervised, server in zip(self.processes, self._own, strict=False):
            if not supervised.started.is_set() or server.socket is None:
                continue
            process, now = supervised.process, time.monotonic()
            life, until = self._socketless.get(supervised, (None, 0.0))
            if server.socket.exists():
                self._socketless[supervised] = (process, now)
            elif life is not process:
                self._socketless[supervised] = (process, now + SOCKET_SECONDS_MAX)
            elif now > until and process.poll() is None:
                self._socketless[supervised] = (process, now + SOCKET_SECONDS_MAX)
                message = f"its socket {server.socket} is gone: ended, to be started anew"
                display.show(message, process=supervised.program.name, level="warning")
                process.send_signal(supervised.program.stop_signals[0][0])

    @property
    def _own(self) -> list[Server]:
        """In the order of their start."""
        return [one for one in (self._postgres, *self._dispensable) if one is not None]

    @property
    def _dispensable(self) -> list[Server]:
        """What they hold can be built from the log again, and the writing side starts without them."""
        return [one for one in (self._redis, self._elasticsearch, self._kafka) if one is not None]

    def _prepared(self, server: Server) -> Callable[[], None]:
        def prepare() -> None:
            self._paths.make_sockets()
            server.prepare()

        return prepare

    async def start(self, supervisor: Supervisor, display: Display) -> None:
        """Start what is ours and wait until it answers; recovery may take its time."""

        loop = asyncio.get_running_loop()

        def reporting(name: str) -> Callable[[str], None]:
            def report(text: str) -> None:
                loop.call_soon_threadsafe(functools.partial(display.show, text, process=name))

            return report

        started = []
        if self._postgres is not None:
            postgres, report = self._postgres, reporting("postgres")
            display.show("starting", process="postgres")
            supervised = supervisor.supervise(postgres.program, prepare=self._prepared(postgres))
            self.processes.append(supervised)
            started.append(wait_until_ready(supervised, lambda process: postgres.wait_ready(process, report)))
        for server in self._dispensable:
            name = server.program.name
            server.report = reporting(name)
            display.show("starting", process=name)
            supervised = supervisor.supervise(
                server.program, prepare=self._prepared(server), is_critical=False
            )
            self.processes.append(supervised)
            check = functools.partial(server.wait_ready, progress=server.report)
            started.append(_started_or_reported(supervised, check, display))
        await asyncio.gather(*started)
        if self._postgres is not None:
            await asyncio.to_thread(make_database, self._postgres.url(), DATABASE)


async def _started_or_reported(
    supervised: SupervisedProcess, check: Callable[[subprocess.Popen[bytes]], None], display: Display
) -> None:
    """The writing side starts without it, too."""
    checked = asyncio.create_task(wait_until_ready(supervised, check))
    start_failed = asyncio.create_task(supervised.start_failed.wait())
    try:
        await asyncio.wait({checked, start_failed}, return_when=asyncio.FIRST_COMPLETED)
        if checked.done():
            checked.result()
    except CannotRun as error:
        message = f"{error}; everything else starts without it"
        display.show(message, process=supervised.program.name, level="error")
    finally:
        checked.cancel()
        start_failed.cancel()
