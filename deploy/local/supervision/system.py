"""`daybook up`: every process of the local system, from the first start to the orderly stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.local.addresses import Addresses, forget_addresses, write_addresses
from deploy.local.data_folder import RUN, LockedFolder, Paths, open_paths, remove_sockets
from deploy.local.errors import ServerFailed
from deploy.local.logs.display import Display
from deploy.local.logs.getting_started import getting_started
from deploy.local.logs.log_files import LogWatch, as_text, bound_all
from deploy.local.logs.standard_error import make_standard_output_best_effort
from deploy.local.migrating import grant, migrate
from deploy.local.servers.embedded import Servers
from deploy.local.settings import LocalSettings
from deploy.local.supervision.child_processes import Program, last_line, resume
from deploy.local.supervision.orphans import ProcessRecord
from deploy.local.supervision.ports import listen, require_token_beyond_loopback, root_url
from deploy.local.supervision.programs import OwnPrograms, answers, wait_answering
from deploy.local.supervision.stopping_port import answering_503
from deploy.local.supervision.supervisor import SupervisedProcess, Supervisor, wait_until_ready

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WATCH_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the person asked for."""

    data: Path
    demo: str  # none, sample, retail, retail-year
    commands: int  # processes on the one port
    projectors: int  # processes that share the views' shards
    search: str  # embedded, elasticsearch
    stream: str  # none, kafka


def up(options: Options, settings: LocalSettings) -> None:
    """Run the system until a signal asks for its end. Raises CannotRun where it cannot, or cannot go on."""
    make_standard_output_best_effort()
    require_token_beyond_loopback(settings.host, settings.operator_token)
    asyncio.run(_up(options, settings))


async def _up(options: Options, settings: LocalSettings) -> None:
    loop = asyncio.get_running_loop()
    stop_requested = asyncio.Event()
    for number in STOP_SIGNALS:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # `nohup`: we are to outlive the terminal.
        loop.add_signal_handler(number, stop_requested.set)  # Stays: a second one changes nothing.
    display = Display()
    held = LockedFolder(options.data)
    untouched = True
    try:
        record = ProcessRecord(held.data / RUN)
        orphans = await asyncio.to_thread(record.end_orphans)
        if orphans:
            display.show(f"ended {orphans} processes that an earlier run had left", level="warning")
        with (
            listen(settings.host, settings.commands_port, setting="DAYBOOK_COMMANDS_PORT") as for_commands,
            listen(settings.host, settings.read_port, setting="DAYBOOK_READ_PORT") as for_queries,
        ):
            paths = open_paths(held.data)
            try:
                servers = Servers(
                    paths,
                    settings,
                    with_elasticsearch=options.search == "elasticsearch",
                    with_kafka=options.stream == "kafka",
                    report=lambda process, text: display.show(text, process=process),
                )
                servers.check()
                untouched = False
                resources = Resources(
                    options,
                    paths,
                    servers,
                    for_commands,
                    for_queries,
                    token_is_set=bool(settings.operator_token),
                )
                system = System(resources, record, display)
                loop.add_signal_handler(signal.SIGCHLD, system.supervisor.check_exit)
                await system.run(stop_requested)
            finally:
                remove_sockets(paths)
    finally:
        held.close(forget=untouched)


@dataclass(frozen=True)
class Resources:
    """What is ours before the first process starts."""

    options: Options
    paths: Paths
    servers: Servers
    for_commands: socket.socket
    for_queries: socket.socket
    token_is_set: bool  # the operator's


class System:
    """The processes of one local system."""

    def __init__(self, resources: Resources, record: ProcessRecord, display: Display) -> None:
        self._options = resources.options
        self._paths = resources.paths
        self._servers = resources.servers
        self._for_commands = resources.for_commands
        self._for_queries = resources.for_queries
        self._token_is_set = resources.token_is_set
        self._display = display
        self.supervisor = Supervisor(record, display)

    async def run(self, stop_requested: asyncio.Event) -> None:
        starting = asyncio.create_task(self._start())
        ending = asyncio.create_task(stop_requested.wait())
        watching = asyncio.create_task(self._watch())
        try:
            awaited = (starting, ending, self.supervisor.failure, watching)
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and not ending.done():
                starting.result()
                await asyncio.wait(awaited[1:], return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                await (watching if watching.done() else self.supervisor.failure)
        finally:
            for task in (starting, watching, ending):
                task.cancel()
            await asyncio.gather(starting, watching, ending, return_exceptions=True)
            await self._stop()

    async def _start(self) -> None:
        await self._servers.start(self.supervisor, self._display)
        url = self._servers.postgres_url
        self._display.show("bringing the log's schema up to date", process="postgres")
        await asyncio.to_thread(migrate, url)
        await asyncio.to_thread(grant, url)
        addresses = Addresses(
            data_dir=self._paths.data,
            postgres=url,
            redis=self._servers.redis_url,
            elasticsearch=self._servers.elasticsearch_url,
            kafka=self._servers.kafka_bootstrap,
            commands=root_url(self._for_commands),
            read=root_url(self._for_queries),
        )
        marker = self._paths.run / "demo-done" if self._options.demo == "sample" else None
        if marker is not None:
            marker.unlink(missing_ok=True)
        writer_url, feed_url = await asyncio.to_thread(self._servers.open_log)
        programs = OwnPrograms(
            replace(addresses, postgres=writer_url),
            logs=self._paths.logs,
            feed_url=feed_url,
            marker=marker,
        )
        await self._retry_write("the addresses", lambda: write_addresses(addresses))
        await self._start_own(programs, addresses)
        if marker is not None:
            await self._fill(programs, marker)
        await self._ready(addresses)
        if self._options.demo.startswith("retail"):
            await self._load(programs)

    async def _retry_write(self, what: str, note: Callable[[], None]) -> None:
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
        many = self._options.commands
        commands = [programs.commands(self._for_commands, number=n + 1, of=many) for n in range(many)]
        query = programs.query(self._for_queries)
        processes = {program.name: self.supervisor.supervise(program) for program in (*commands, query)}
        projectors = [
            self.supervisor.supervise(program, is_critical=False)
            for program in programs.projectors(self._options.projectors)
        ]
        self._display.show("starting", process="commands")
        self._display.show("starting", process="projector")
        self._display.show("starting", process="query")
        live = [*((one, addresses.commands_url) for one in commands), (query, addresses.read_url)]
        checks = [
            wait_until_ready(
                processes[program.name], wait_answering(program.name, f"{url}/health/live", program.log)
            )
            for program, url in live
        ]
        await asyncio.gather(*checks, *(projector.started.wait() for projector in projectors))
        self._display.show("answering", process="commands")
        self._display.show("answering", process="query")

    async def _fill(self, programs: OwnPrograms, marker: Path) -> None:
        self._display.show("filling the shop with its sample", process="demo")
        demo = await self._run_demo(programs.demo("sample"))
        if demo.process.returncode != 0:
            raise ServerFailed(f"the sample shop: {last_line(demo.program.log)} (log: {demo.program.log})")
        await self._retry_write("that the sample is in the shop", marker.touch)
        self._display.show("the sample is in the shop", process="demo")

    async def _load(self, programs: OwnPrograms) -> None:
        """The real shop's books, while everything else is open to requests already."""
        program = programs.demo(self._options.demo)
        name, log = program.name, program.log
        self._display.show(f"loading, as {log} tells", process=name)
        demo = await self._run_demo(program)
        if demo.process.returncode == 0:
            self._display.show("loaded", process=name)
        else:
            self._display.show(f"not loaded: {last_line(log)}", process=name, level="error")

    async def _run_demo(self, program: Program) -> SupervisedProcess:
        """Returns once it has ended, well or not."""
        demo = self.supervisor.supervise(program, runs_once=True)
        assert demo.task is not None
        await asyncio.wait({demo.task})
        demo.task.result()
        return demo

    async def _ready(self, addresses: Addresses) -> None:
        reported = self._display.seconds
        for url in (addresses.commands_url, addresses.read_url):
            while not await asyncio.to_thread(answers, f"{url}/health/ready"):
                if self._display.seconds - reported > 5:
                    reported = self._display.seconds
                    self._display.show(f"waiting for {url}/health/ready")
                await asyncio.sleep(0.1)
        self._display.show(f"ready after {self._display.seconds:.1f} s")
        text = await asyncio.to_thread(getting_started, addresses, token_is_set=self._token_is_set)
        print(text, flush=True)  # noqa: T201 - the command's answer
        self.supervisor.starting = False

    async def _watch(self) -> None:
        watches: dict[Path, LogWatch] = {}
        while True:
            for supervised in self.supervisor.all:
                log = supervised.program.log
                for line in watches.setdefault(log, LogWatch(log)).troubles():
                    self._display.show(as_text(line), process=supervised.program.name, level="warning")
            try:
                await asyncio.to_thread(bound_all, self._paths.logs)
            except OSError as error:
                self._display.show(f"the logs are not kept within bounds: {error}", level="warning")
            self._servers.end_unreachable(self._display)
            await asyncio.sleep(WATCH_SECONDS)

    async def _stop(self) -> None:
        self._display.show("stopping")
        forget_addresses(self._paths.data)
        for supervised in self.supervisor.all:  # All at once: one waits for the other.
            if supervised.started.is_set():
                resume(supervised.process)
        async with answering_503(self._for_commands, self._for_queries):
            own = [
                supervised for supervised in self.supervisor.all if supervised not in self._servers.processes
            ]
            await self.supervisor.stop(own)
            for server in reversed(self._servers.processes):  # PostgreSQL last
                await self.supervisor.stop([server])
        self._display.show("stopped")
