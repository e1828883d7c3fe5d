"""Processes that SIGKILL ends at a step of theirs: before or after a call of the gateway, or an append.

Forked from a server that has loaded the code, so that dozens of them take seconds. Each notes its steps in a
file, a line each.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from commands.gateways.gateway import Gateway
from commands.gateways.sandbox import Books, SandboxGateway
from commands.handlers.registry import HANDLERS
from commands.loop.decision import Actor, Context
from commands.loop.handling import Handling
from commands.operator import cli, handling
from commands.processes.coupon_batches import CouponBatches
from commands.processes.credit_expiry import CreditExpiry
from commands.processes.gateway_news import NewsFetching
from commands.processes.gateway_payments import ParkedPayments
from commands.processes.hold_expiry import HoldExpiry
from commands.processes.kind import ProcessKind
from commands.processes.manager import ProcessManagers, utc_now
from commands.processes.payment import Payment
from commands.processes.price_list_ends import PriceListEnds
from commands.processes.schedules import Schedules
from event_store.postgres.log import PostgresLog
from event_store.records import EventReader
from tests.shop.facts import CODEC
from tests.waiting import SECONDS_MAX

CALLS = frozenset({"authorize", "capture", "void", "refund", "look", "find"})
LATER = {
    "hold_expiry": timedelta(days=6, hours=1),
    "credit_expiry": timedelta(days=2),
    "gateway_payments": timedelta(minutes=6),
    "schedules": timedelta(hours=3),
}
"""How far a kind's clock is ahead, so that what it waits for is due."""

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


@dataclass
class Steps:
    """Of one process; it dies at the one numbered `die_at`, from 1."""

    file: Path
    die_at: int | None
    count: int = 0

    def reach(self, name: str) -> None:
        """Notes the step, and dies where it is the one."""
        with self.file.open("a") as file:
            file.write(f"{name}\n")
        self.count += 1
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


class SteppedGateway:
    """The real one; each call is a step before it and one after."""

    def __init__(self, gateway: Gateway, steps: Steps) -> None:
        self._gateway = gateway
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._gateway, name)
        if name == "recent":
            return lambda since: self._recent(real, since)
        if name not in CALLS:
            return real

        async def call(*values: Any, **named: Any) -> Any:
            self._steps.reach(f"before {name}")
            response = await real(*values, **named)
            self._steps.reach(f"after {name}")
            return response

        return call

    async def _recent(self, real: Callable[[datetime], Any], since: datetime) -> Any:
        self._steps.reach("before recent")
        async for news in real(since):
            yield news
        self._steps.reach("after recent")


class SteppedLog(PostgresLog):
    """The real one; each append is a step before it and one after."""

    steps: Steps

    async def append_async(self, entries: Sequence[Any], *, session: int | None = None) -> list[Any]:
        self.steps.reach("before append")
        outcomes = await super().append_async(entries, session=session)
        self.steps.reach("after append")
        return outcomes


@dataclass(frozen=True)
class Dying:
    """Where the processes work: the log, the folder with the sandbox's ledger."""

    url: str
    folder: Path

    @property
    def steps(self) -> list[str]:
        """Those of the process that was started last."""
        file = self.folder / "steps"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    @contextmanager
    def working(self, kind: str, *, die_at: int | None = None) -> Iterator[Any]:
        """A process that does one kind's work."""
        with self._started(_work, kind, die_at=die_at) as process:
            yield process

    def operate(self, *words: str, die_at: int | None = None) -> int:
        """Has an operator's command run; its exit code, below zero where a signal ended it."""
        with self._started(_operate, words, die_at=die_at) as process:
            process.join(SECONDS_MAX)
            assert process.exitcode is not None, f"still at {self.steps}"
            return int(process.exitcode)

    @contextmanager
    def _started(self, run: Callable[..., None], what: Any, *, die_at: int | None) -> Iterator[Any]:
        (self.folder / "steps").unlink(missing_ok=True)
        steps = Steps(self.folder / "steps", die_at)
        process = _processes.Process(target=run, args=(what, self, steps))
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()


def kind_of(name: str, gateway: Any, log: EventReader, submit: Callable[[Any], Any]) -> ProcessKind:
    """The kind, whose clock is so far ahead that there is something to do."""

    def clock() -> datetime:
        return datetime.now(UTC) + LATER.get(name, timedelta())

    kinds: dict[str, Callable[[], ProcessKind]] = {
        "coupon_batches": CouponBatches,
        "credit_expiry": CreditExpiry,
        "hold_expiry": lambda: HoldExpiry(clock=clock),
        "payment": lambda: Payment(gateway, clock=clock),
        "gateway_payments": lambda: ParkedPayments(gateway, clock=clock),
        "schedules": Schedules,
        "price_list_ends": lambda: PriceListEnds(log),
        "gateway_news": lambda: NewsFetching(gateway, submit, clock=clock, every=timedelta(hours=1)),
    }
    return kinds[name]()


def clock_of(name: str) -> Callable[[], datetime]:
    """The clock of whoever does the kind's work."""
    return lambda: utc_now() + LATER.get(name, timedelta())


def _work(name: str, place: Dying, steps: Steps) -> None:
    _silence(place)

    async def work() -> None:
        SteppedLog.steps = steps
        log = SteppedLog.open(place.url)
        sandbox = SandboxGateway(Books(place.folder / "sandbox.sqlite"), echoes=True)
        async with Handling(log, CODEC, HANDLERS) as loop:

            async def submit(command: Any) -> Any:
                return await loop.handle(command, Context(actor=Actor("gateway", "test"), channel="gateway"))

            kind = kind_of(name, SteppedGateway(sandbox, steps), log, submit)
            async with ProcessManagers(log, CODEC, loop, [kind], clock=clock_of(name)):
                await asyncio.Event().wait()

    asyncio.run(work())


def _operate(words: Sequence[str], place: Dying, steps: Steps) -> None:
    _silence(place)
    SteppedLog.steps = steps
    cli.PostgresLog = SteppedLog  # type: ignore[misc]
    chosen = handling.choose_gateway
    handling.choose_gateway = lambda settings: SteppedGateway(chosen(settings), steps)  # type: ignore[assignment,return-value]
    commands = {
        "retry": cli.retry_command,
        "write-off": cli.write_off_command,
        "catch-up": cli.catch_up_command,
    }
    commands[words[0]].main(list(words[1:]), prog_name="daybook payments", obj=_Addresses(place))


@dataclass(frozen=True)
class _Addresses:
    place: Dying

    @property
    def postgres_url(self) -> str:
        return self.place.url

    @property
    def data_dir(self) -> Path:
        return self.place.folder


def _silence(place: Dying) -> None:
    """What it prints goes to a file."""
    out = (place.folder / "out").open("a")
    sys.stdout = sys.stderr = out
