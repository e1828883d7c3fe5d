"""`daybook up`: every process of the local system, from the first start to the orderly stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.local.addresses import Addresses, forget_addresses, write_addresses
from deploy.local.data_folder import HeldFolder, Places, clear_away, open_places
from deploy.local.errors import ServerFailed
from deploy.local.logs.display import Display
from deploy.local.logs.log_files import LogWatch, bound_all
from deploy.local.logs.standard_error import make_standard_output_best_effort
from deploy.local.logs.welcome import welcome
from deploy.local.migrating import grant, migrate
from deploy.local.servers.embedded import Servers
from deploy.local.settings import LocalSettings
from deploy.local.supervision.child_processes import last_line, wake
from deploy.local.supervision.keeper import Keepers, started_and
from deploy.local.supervision.orphans import ProcessRecord
from deploy.local.supervision.ports import listen, refuse_open_door, root_url
from deploy.local.supervision.programs import OwnPrograms, answering, answers
from deploy.local.supervision.stopping_port import answering_that_we_stop

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WATCH_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the person asked for."""

    data: Path
    demo: str  # none, sample, retail, retail-year
    commands: int  # processes on the one port


def up(wanted: Wanted, settings: LocalSettings) -> None:
    """Run the system until a signal asks for its end. Raises CannotRun where it cannot, or cannot go on."""
    make_standard_output_best_effort()
    refuse_open_door(settings.host, settings.operator_token)
    asyncio.run(_up(wanted, settings))


async def _up(wanted: Wanted, settings: LocalSettings) -> None:
    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()
    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # `nohup`: we are to outlive the terminal.
        loop.add_signal_handler(number, asked_to_stop.set)  # Stays: a second one changes nothing.
    display = Display()
    held = HeldFolder(wanted.data)
    untouched = True
    try:
        record = ProcessRecord(held.data / "run")
        leftovers = await asyncio.to_thread(record.end_leftovers)
        if leftovers:
            display.show(f"ended {leftovers} processes that an earlier run had left", level="warning")
        with (
            listen(settings.host, settings.commands_port, setting="DAYBOOK_COMMANDS_PORT") as for_commands,
            listen(settings.host, settings.read_port, setting="DAYBOOK_READ_PORT") as for_queries,
        ):
            places = open_places(held.data)
            try:
                servers = Servers(places, settings)
                servers.check()
                untouched = False
                opened = Opened(
                    wanted,
                    places,
                    servers,
                    for_commands,
                    for_queries,
                    token_is_set=bool(settings.operator_token),
                )
                system = System(opened, record, display)
                loop.add_signal_handler(signal.SIGCHLD, system.keepers.notice)
                await system.run(asked_to_stop)
            finally:
                clear_away(places)
    finally:
        held.close(forget=untouched)


@dataclass(frozen=True)
class Opened:
    """What is ours before the first process starts."""

    wanted: Wanted
    places: Places
    servers: Servers
    for_commands: socket.socket
    for_queries: socket.socket
    token_is_set: bool  # the operator's


class System:
    """The processes of one local system."""

    def __init__(self, opened: Opened, record: ProcessRecord, display: Display) -> None:
        self._wanted = opened.wanted
        self._places = opened.places
        self._servers = opened.servers
        self._for_commands = opened.for_commands
        self._for_queries = opened.for_queries
        self._token_is_set = opened.token_is_set
        self._display = display
        self.keepers = Keepers(record, display)

    async def run(self, asked_to_stop: asyncio.Event) -> None:
        starting = asyncio.create_task(self._start())
        ending = asyncio.create_task(asked_to_stop.wait())
        watching = asyncio.create_task(self._watch())
        try:
            awaited = (starting, ending, self.keepers.failure, watching)
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and not ending.done():
                starting.result()
                await asyncio.wait(awaited[1:], return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                await (watching if watching.done() else self.keepers.failure)
        finally:
            for task in (starting, watching, ending):
                task.cancel()
            await asyncio.gather(starting, watching, ending, return_exceptions=True)
            await self._stop()

    async def _start(self) -> None:
        await self._servers.start(self.keepers, self._display)
        url = self._servers.postgres_url
        self._display.show("bringing the log's schema up to date", process="postgres")
        await asyncio.to_thread(migrate, url)
        await asyncio.to_thread(grant, url)
        addresses = Addresses(
            data_dir=self._places.data,
            postgres=url,
            redis=self._servers.redis_url,
            commands=root_url(self._for_commands),
            read=root_url(self._for_queries),
        )
        marker = self._places.run / "demo-done" if self._wanted.demo == "sample" else None
        if marker is not None:
            marker.unlink(missing_ok=True)
        writer_url, feed_url = await asyncio.to_thread(self._servers.open_log)
        programs = OwnPrograms(
            replace(addresses, postgres=writer_url),
            logs=self._places.logs,
            feed_url=feed_url,
            marker=marker,
        )
        await self._note("the addresses", lambda: write_addresses(addresses))
        await self._start_own(programs, addresses)
        if marker is not None:
            await self._fill(programs, marker)
        await self._ready(addresses)
        if self._wanted.demo.startswith("retail"):
            await self._load(programs)

    async def _note(self, what: str, note: Callable[[], None]) -> None:
        """Write something down for others; where there is no room, again until there is."""
        reported = False
        while True:
            try:
                return note()
            except OSError as error:
                if not reported:
                    self._display.show(f"{what} cannot be noted yet: {error}", level="warning")
                reported = True
                await asyncio.sleep(WATCH_SECONDS)

    async def _start_own(self, programs: OwnPrograms, addresses: Addresses) -> None:
        many = self._wanted.commands
        commands = [programs.commands(self._for_commands, number=n + 1, of=many) for n in range(many)]
        query = programs.query(self._for_queries)
        kept = {program.name: self.keepers.keep(program) for program in (*commands, query)}
        projector = self.keepers.keep(programs.projector(), is_critical=False)
        self._display.show("starting", process="commands")
        self._display.show("starting", process="projector")
        self._display.show("starting", process="query")
        live = [*((one, addresses.commands_url) for one in commands), (query, addresses.read_url)]
        checks = [
            started_and(kept[program.name], answering(program.name, f"{url}/health/live", program.log))
            for program, url in live
        ]
        await asyncio.gather(*checks, projector.started.wait())
        self._display.show("answering", process="commands")
        self._display.show("answering", process="query")

    async def _fill(self, programs: OwnPrograms, marker: Path) -> None:
        self._display.show("filling the shop with its sample", process="demo")
        demo = self.keepers.keep(programs.demo("sample"), runs_once=True)
        assert demo.task is not None
        await asyncio.wait({demo.task})
        demo.task.result()
        if demo.process.returncode != 0:
            raise ServerFailed(f"the sample shop: {last_line(demo.program.log)} (log: {demo.program.log})")
        await self._note("that the sample is in the shop", marker.touch)
        self._display.show("the sample is in the shop", process="demo")

    async def _load(self, programs: OwnPrograms) -> None:
        """The real shop's books, while everything else is open to requests already."""
        demo = self.keepers.keep(programs.demo(self._wanted.demo), runs_once=True)
        name, log = demo.program.name, demo.program.log
        self._display.show(f"loading, as {log} tells", process=name)
        assert demo.task is not None
        await asyncio.wait({demo.task})
        demo.task.result()
        if demo.process.returncode == 0:
            self._display.show("loaded", process=name)
        else:
            self._display.show(f"not loaded: {last_line(log)}", process=name, level="error")

    async def _ready(self, addresses: Addresses) -> None:
        reported = self._display.seconds
        for url in (addresses.commands_url, addresses.read_url):
            while not await asyncio.to_thread(answers, f"{url}/health/ready"):
                if self._display.seconds - reported > 5:
                    reported = self._display.seconds
                    self._display.show(f"waiting for {url}/health/ready")
                await asyncio.sleep(0.1)
        self._display.show(f"ready after {self._display.seconds:.1f} s")
        text = await asyncio.to_thread(welcome, addresses, token_is_set=self._token_is_set)
        print(text, flush=True)  # noqa: T201 - the command's answer
        self.keepers.starting = False

    async def _watch(self) -> None:
        watches: dict[Path, LogWatch] = {}
        while True:
            for keeper in self.keepers.all:
                log = keeper.program.log
                for line in watches.setdefault(log, LogWatch(log)).troubles():
                    self._display.show(line, process=keeper.program.name, level="warning")
            try:
                await asyncio.to_thread(bound_all, self._places.logs)
            except OSError as error:
                self._display.show(f"the logs are not kept within bounds: {error}", level="warning")
            self._servers.end_unreachable(self._display)
            await asyncio.sleep(WATCH_SECONDS)

    async def _stop(self) -> None:
        self._display.show("stopping")
        forget_addresses(self._places.data)
        for keeper in self.keepers.all:  # All at once: one waits for the other.
            if keeper.started.is_set():
                wake(keeper.process)
        async with answering_that_we_stop(self._for_commands, self._for_queries):
            own = [keeper for keeper in self.keepers.all if keeper not in self._servers.keepers]
            await self.keepers.stop(own)
            for server in reversed(self._servers.keepers):  # Redis, then PostgreSQL
                await self.keepers.stop([server])
        self._display.show("stopped")
