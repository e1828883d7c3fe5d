"""A sender at work on a log, and what an operator asks of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from aggregates.inventory.events import StockReceived
from commands.handlers.registry import HANDLERS
from commands.handlers.webhooks import DisableEndpoint, EnableEndpoint, RegisterEndpoint, ReplayEndpoint
from commands.loop.decision import OPERATOR_ROLE, Actor, Answer, Context
from commands.loop.handling import Handling
from commands.webhooks.addresses import Reach, parse_networks
from commands.webhooks.endpoints import WebhookEndpoint, read_endpoints
from commands.webhooks.retries import Retries
from commands.webhooks.sender import Sending, WebhookSender
from commands.webhooks.signature import new_secret
from event_store.deliveries import Attempt, Delivery, DeliveryLog
from event_store.ids import new_id
from event_store.records import Entry
from tests.shop.facts import CODEC
from tests.webhooks.receivers import until

HERE = Reach(parse_networks("127.0.0.0/8,::1/128"))
QUICK = Retries(pauses=(0.01,) * 40, failing_max=timedelta(days=3), struggling_pauses=(0.01, 0.02))
"""Tries again at once, and as often as a busy machine needs."""
RECEIVED = "inventory.stock_received"


def receive(log: DeliveryLog, *streams: str) -> list[int]:
    """Appends an event to each of these streams, in order; their positions."""
    positions = []
    for stream in streams:
        version = len(log.read_stream(stream))
        event = StockReceived(sku=stream.partition("-")[2], location="main", quantity=1, reason="delivery")
        entry = Entry(
            command_id=uuid4(),
            name="receive_stock",
            verdict="accepted",
            reads={stream: version},
            events=[CODEC.encode(stream, event)],
            actor="operator:test",
            channel="test",
        )
        (outcome,) = log.append([entry])
        positions.append(outcome.last_position)
    return positions


@dataclass
class Operator:
    """Asks the command process."""

    log: DeliveryLog
    handling: Handling

    async def ask(self, command: Any) -> Answer:
        context = Context(actor=Actor("operator", "test", frozenset({OPERATOR_ROLE})), channel="test")
        return await self.handling.handle(command, context)

    async def register(
        self,
        url: str,
        *,
        events: Iterable[str] = (RECEIVED,),
        ordering: Any = "stream",
        from_position: int | None = None,
    ) -> str:
        endpoint_id = new_id()
        command = RegisterEndpoint(
            endpoint_id=endpoint_id,
            url=url,
            secret=new_secret(),
            events=tuple(events),
            ordering=ordering,
            description="",
            from_position=from_position,
            head=self.log.head(),
        )
        await self.ask(command)
        return endpoint_id

    async def replay(self, endpoint_id: str, from_position: int) -> None:
        head = self.log.head()
        await self.ask(ReplayEndpoint(endpoint_id=endpoint_id, from_position=from_position, head=head))

    async def enable(self, endpoint_id: str) -> None:
        await self.ask(EnableEndpoint(endpoint_id=endpoint_id))

    async def ask_for_a_turn(self, endpoint_id: str) -> None:
        """Has its lane begin anew, in the log and so in the store."""
        await self.ask(DisableEndpoint(endpoint_id=endpoint_id, cause="operator"))
        await self.enable(endpoint_id)

    def endpoint(self, endpoint_id: str) -> WebhookEndpoint:
        return read_endpoints(self.log, CODEC).by_id[endpoint_id]

    def deliveries(self, endpoint_id: str) -> list[Delivery]:
        """By position."""
        return self.log.listed_deliveries(endpoint_id, limit=1_000)[::-1]

    def attempts(self, endpoint_id: str) -> list[Attempt]:
        return self.log.attempts(endpoint_id, [one.position for one in self.deliveries(endpoint_id)])

    async def disabled(self, endpoint_id: str) -> tuple[str, str]:
        """Once it is: cause and detail."""
        await until(lambda: self.endpoint(endpoint_id).disabled, lambda: repr(self.attempts(endpoint_id)))
        found = self.endpoint(endpoint_id).disabled
        assert found is not None
        return found.cause, found.detail


@asynccontextmanager
async def operating(log: DeliveryLog) -> AsyncIterator[Operator]:
    """A command process's loop without a sender."""
    async with Handling(log, CODEC, HANDLERS) as handling:
        yield Operator(log, handling)


@asynccontextmanager
async def sending(log: DeliveryLog, *, now: Any = None, **other: Any) -> AsyncIterator[Operator]:
    """A command process that sends webhooks."""
    how = Sending(**({"reach": HERE, "retries": QUICK, "call_seconds": 30.0} | other))
    async with operating(log) as operator:
        clock = now or (lambda: datetime.now(UTC))
        async with WebhookSender(log, CODEC, operator.handling, how, clock=clock, failed=failed):
            yield operator


def failed(name: str, error: BaseException | None) -> None:
    raise AssertionError(f"{name} has ended: {error!r}")
