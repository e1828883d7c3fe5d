"""What we lack of a payment is asked of the gateway, and joined into our log by the rules of every news."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from commands.gateways.gateway import Gateway
from commands.handlers.payments import JoinStanding
from commands.handlers.registry import HANDLERS
from commands.loop.decision import Context
from commands.loop.handling import Handling
from commands.operator.handling import CHANNEL, OPERATOR
from commands.reconciliation.running import Heal
from event_store.codec import Codec
from event_store.records import EventLog


@asynccontextmanager
async def healing(log: EventLog, codec: Codec, gateway: Gateway) -> AsyncIterator[Heal]:
    """See Heal; the steps that follow from what is joined are the running system's to do."""
    async with Handling(log, codec, HANDLERS) as handling:

        async def heal(reference: str) -> None:
            response = await gateway.look(reference)
            command = JoinStanding(standing=response.standing, on=datetime.now(UTC).date())
            await handling.handle(command, Context(actor=OPERATOR, channel=CHANNEL))

        yield heal
