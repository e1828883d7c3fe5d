"""An operator's commands from the command line, handled on the log as any command process handles its own.

Several may write at once (docs/decisions/0002). What a gateway has to do for a command is done by the process
that leads `payment`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregates.payments import gateway, process
from aggregates.payments.events import GatewayNewsFetched, StepBegun, StepEnded
from commands.codec import CODEC
from commands.gateways.choose import choose_gateway
from commands.handlers.payments import RecordGatewayNews, RecordNewsFetched
from commands.handlers.registry import HANDLERS
from commands.loop.decision import OPERATOR_ROLE, Actor, Answer, Context
from commands.loop.handling import Handling
from commands.processes.gateway_news import OVERLAP, REACH, catch_up
from commands.settings import Settings
from event_store.records import EventLog, RecordedEvent

CHANNEL = "cli"
OPERATOR = Actor("operator", "cli", frozenset({OPERATOR_ROLE}))
STEPS_SECONDS_MAX = 15.0
"""How long the gateway's answers are waited for; no call takes longer than twelve seconds."""


@dataclass(frozen=True, slots=True)
class Step:
    """A call of the gateway, and how it ended; `ended` is None where it has not yet."""

    begun: StepBegun
    ended: StepEnded | None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """News since a moment, and how many of them were new to the log."""

    since: datetime
    news: int
    new: int


def do_and_wait(log: EventLog, command: Any) -> list[Step]:
    """Handles a command on an order's payment; the steps that followed, once the gateway has answered them.

    Raises Rejected, BusyError, StoreUnavailable.
    """

    async def run() -> list[Step]:
        async with Handling(log, CODEC, HANDLERS) as handling:
            stream = process.stream(command.order_id)
            before = len(log.read_stream(stream))
            await _handle(handling, command)
            deadline = asyncio.get_running_loop().time() + STEPS_SECONDS_MAX
            while True:
                head = log.head()
                steps = _steps(log.read_stream(stream), after_version=before)
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0 or all(step.ended is not None for step in steps):
                    return steps
                await asyncio.to_thread(log.wait, after=head, timeout_seconds=left)

    return asyncio.run(run())


def fetch_news(log: EventLog, settings: Settings, *, since: datetime | None) -> CaughtUp:
    """Records what the gateway has told since a moment; without one since they were last asked for.

    Raises GatewayError, BusyError, StoreUnavailable.
    """

    async def run() -> CaughtUp:
        now = datetime.now(UTC)
        new = 0
        async with aclosing(choose_gateway(settings)) as chosen, Handling(log, CODEC, HANDLERS) as handling:
            begins = since or _last_fetched(log.read_stream(gateway.news_stream(chosen.name)), now)
            head = log.head()

            async def submit(command: RecordGatewayNews) -> None:
                nonlocal new
                new += (await _handle(handling, command)).position > head

            count = await catch_up(chosen, submit, since=begins, now=now)
            if since is None:  # Nothing lies between the last time and this.
                await _handle(handling, RecordNewsFetched(gateway=chosen.name, up_to=now))
        return CaughtUp(since=max(begins, now - REACH), news=count, new=new)

    return asyncio.run(run())


async def _handle(handling: Handling, command: Any) -> Answer:
    return await handling.handle(command, Context(actor=OPERATOR, channel=CHANNEL))


def _steps(history: Iterable[RecordedEvent], *, after_version: int) -> list[Step]:
    begun: dict[int, StepBegun] = {}
    ended: dict[int, StepEnded] = {}
    for recorded in history:
        match CODEC.decode(recorded):
            case StepBegun() as event if recorded.version > after_version:
                begun[event.step] = event
            case StepEnded() as event:
                ended[event.step] = event
    return [Step(event, ended.get(step)) for step, event in begun.items()]


def _last_fetched(history: list[RecordedEvent], now: datetime) -> datetime:
    for recorded in reversed(history):
        match CODEC.decode(recorded):
            case GatewayNewsFetched(up_to=up_to):
                return up_to - OVERLAP
    return now - REACH + timedelta(minutes=1)
