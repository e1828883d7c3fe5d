"""What we lack of a payment is asked of the gateway, and joined into our log by the rules of every news."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aggregates.payments.standing import Standing
from commands.gateways.gateway import Gateway
from commands.handlers.payments import JoinStanding
from commands.reconciliation.running import Heal

Submit = Callable[[Any], Awaitable[Any]]
"""Has a command handled."""


def healing(gateway: Gateway, submit: Submit) -> Heal:
    """See Heal; the steps that follow from what is joined are the running system's to do."""

    async def heal(reference: str) -> Standing:
        response = await gateway.look(reference)
        await submit(JoinStanding(standing=response.standing, on=datetime.now(UTC).date()))
        return response.standing

    return heal
