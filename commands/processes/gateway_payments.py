"""Payments at the gateway of which nobody knows the order: after a while the gateway is asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from aggregates.payments.events import GatewayNewsParked, GatewayPaymentForeign, GatewayPaymentLinked
from commands.gateways.gateway import Gateway, GatewayRefusal, GatewayUnavailable, GatewayUnclear
from commands.handlers.payments import CloseForeign, JoinStanding
from commands.processes.kind import Change, Closed, Due, NotYet, Opened
from event_store.records import EventLog, RecordedEvent

WAIT = timedelta(minutes=5)
"""So long the answer of the call that made the payment, or other news, may take to tell the order."""


class ParkedPayments:
    """See ProcessKind. The queue is the gateway's reference."""

    name = "gateway_payments"
    event_names = (
        "payments.gateway_news_parked",
        "payments.gateway_payment_linked",
        "payments.gateway_payment_foreign",
    )
    at_once_max = 4
    round_seconds = 0.2

    def __init__(self, gateway: Gateway, *, clock: Callable[[], datetime]) -> None:
        self._gateway = gateway
        self._clock = clock

    def starts_at(self, log: EventLog) -> int:
        """The log's start: whatever was parked is owed an end."""
        return 0

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """The first news sets the timer; further ones set it anew, which does no harm."""
        match event:
            case GatewayNewsParked(gateway_reference=reference):
                yield Opened(reference, due_at=recorded.recorded_at + WAIT)
            case GatewayPaymentLinked(gateway_reference=reference):
                yield Closed(reference)
            case GatewayPaymentForeign(gateway_reference=reference):
                yield Closed(reference)

    async def do(self, due: Due) -> JoinStanding | CloseForeign:
        """Looks at the payment, whose metadata names the order if it is one of ours."""
        parked: GatewayNewsParked = due.event
        try:
            response = await self._gateway.look(parked.gateway_reference)
        except GatewayRefusal:  # The gateway knows no such payment.
            return CloseForeign(reference=parked.gateway_reference)
        except (GatewayUnavailable, GatewayUnclear) as error:
            raise NotYet(f"gateway: {error}") from None
        return JoinStanding(
            standing=response.standing, on=self._clock().date(), looked_at=parked.gateway_reference
        )
