"""The servers of one local system: those of our own, and those whose addresses were given."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import time
from collections.abc import Callable

from deploy.local.data_folder import Places
from deploy.local.errors import CannotRun
from deploy.local.logs.display import Display
from deploy.local.servers.binaries import find_binaries
from deploy.local.servers.postgres import PostgresServer
from deploy.local.servers.postgres_database import let_roles_in, make_database, only_reading
from deploy.local.servers.redis import RedisServer
from deploy.local.servers.server import Server
from deploy.local.settings import LocalSettings
from deploy.local.supervision.keeper import Keeper, Keepers, started_and
from event_store.postgres.connections import FEED_ROLE
from event_store.postgres.migrations import WRITER_ROLE

DATABASE = "daybook"
SOCKET_SECONDS_MAX = 10.0
"""Both servers make their socket before they read their data."""


class Servers:
    """PostgreSQL and Redis, each started here unless its address was given."""

    def __init__(self, places: Places, settings: LocalSettings) -> None:
        self._places = places
        self._given_postgres = settings.postgres_url
        self._given_redis = settings.redis_url
        self.keepers: list[Keeper] = []  # in the order of their start
        self._socketless: dict[Keeper, tuple[subprocess.Popen[bytes], float]] = {}
        """How long each life may be without a socket, by the monotonic clock; once it was seen, no longer."""
        self._postgres: PostgresServer | None = None
        self._redis: RedisServer | None = None
        if settings.postgres_url and settings.redis_url:
            return
        binaries = find_binaries(places.account)
        if not settings.postgres_url:
            self._postgres = PostgresServer(
                programs=binaries.postgres,
                folder=places.servers / "postgres",
                sockets=places.sockets,
                account=places.account,
                log=places.logs / "postgres.log",
            )
        if not settings.redis_url:
            self._redis = RedisServer(
                program=binaries.redis_server,
                folder=places.servers / "redis",
                sockets=places.sockets,
                account=places.account,
                log=places.logs / "redis.log",
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

    def open_log(self) -> tuple[str, str]:
        """The log's address for who appends and for who only passes events on, once it is there: as roles of
        that kind where the roles are ours."""
        if self._postgres is None:
            return self.postgres_url, only_reading(self.postgres_url)
        let_roles_in(self._postgres.url(DATABASE))
        writer, feed = (self._postgres.url(DATABASE, user=role) for role in (WRITER_ROLE, FEED_ROLE))
        return writer, feed

    def check(self) -> None:
        """Raises FolderUnusable for a damaged folder, before anything is started or changed."""
        if self._postgres is not None:
            self._postgres.check()
        if self._redis is not None:
            self._redis.check()

    def end_unreachable(self, display: Display) -> None:
        """End a server whose socket was swept away beneath it: the next that is started has one."""
        servers: list[Server] = [one for one in (self._postgres, self._redis) if one is not None]
        for keeper, server in zip(self.keepers, servers, strict=False):
            if not keeper.started.is_set():
                continue
            process, now = keeper.process, time.monotonic()
            life, until = self._socketless.get(keeper, (None, 0.0))
            if server.socket.exists():
                self._socketless[keeper] = (process, now)
            elif life is not process:
                self._socketless[keeper] = (process, now + SOCKET_SECONDS_MAX)
            elif now > until and process.poll() is None:
                self._socketless[keeper] = (process, now + SOCKET_SECONDS_MAX)
                message = f"its socket {server.socket} is gone: ended, to be started anew"
                display.show(message, process=keeper.program.name, level="warning")
                process.send_signal(keeper.program.stop_signals[0][0])

    def _prepared(self, server: Server) -> Callable[[], None]:
        def prepare() -> None:
            self._places.make_sockets()
            server.prepare()

        return prepare

    async def start(self, keepers: Keepers, display: Display) -> None:
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
            keeper = keepers.keep(postgres.program, prepare=self._prepared(postgres))
            self.keepers.append(keeper)
            started.append(started_and(keeper, lambda process: postgres.wait_ready(process, report)))
        if self._redis is not None:
            redis, report_redis = self._redis, reporting("redis")
            redis.report = report_redis
            display.show("starting", process="redis")
            keeper = keepers.keep(redis.program, prepare=self._prepared(redis), is_critical=False)
            self.keepers.append(keeper)
            check = functools.partial(redis.wait_ready, progress=report_redis)
            started.append(_started_or_reported(keeper, check, display))
        await asyncio.gather(*started)
        if self._postgres is not None:
            await asyncio.to_thread(make_database, self._postgres.url(), DATABASE)


async def _started_or_reported(
    keeper: Keeper, check: Callable[[subprocess.Popen[bytes]], None], display: Display
) -> None:
    """The writing side starts without it, too."""
    checked = asyncio.create_task(started_and(keeper, check))
    unstartable = asyncio.create_task(keeper.unstartable.wait())
    try:
        await asyncio.wait({checked, unstartable}, return_when=asyncio.FIRST_COMPLETED)
        if checked.done():
            checked.result()
    except CannotRun as error:
        message = f"{error}; everything else starts without it"
        display.show(message, process=keeper.program.name, level="error")
    finally:
        checked.cancel()
        unstartable.cancel()
