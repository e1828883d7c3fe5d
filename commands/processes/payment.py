"""Payment: an open step is a call of the gateway, and its answer a command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from aggregates.payments.events import StepBegun, StepEnded
from commands.gateways.gateway import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    Gateway,
    GatewayAnswer,
    GatewayRefusal,
    GatewayTimeout,
    GatewayUnavailable,
    Refunded,
    Voided,
)
from commands.handlers.payments import GatewayOutcome, RecordGatewayOutcome
from commands.processes.kind import CHECKPOINT_BEFORE_KINDS, Change, Closed, Due, NotYet, Opened
from event_store.records import EventLog, RecordedEvent

log_lines = structlog.get_logger("commands.processes")

CALLS = Counter("daybook_gateway_calls_total", "Calls of the gateway by their answer", ["call", "outcome"])
CALL_SECONDS = Histogram("daybook_gateway_call_seconds", "Duration of gateway calls", ["call"])

CALL_SECONDS_MAX = 10.0
"""How long an answer is waited for. Whether the call was done is then not known; it is made again."""


class Payment:
    """See ProcessKind. The steps of one process are called one after the other."""

    name = "payment"
    event_names = ("payments.step_begun", "payments.step_ended")
    at_once_max = 16  # enough for a gateway that takes half a second to settle thirty orders a second
    round_seconds = 0.01

    def __init__(
        self,
        gateway: Gateway,
        *,
        clock: Callable[[], datetime],
        call_seconds_max: float = CALL_SECONDS_MAX,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._call_seconds_max = call_seconds_max
        self._threads = ThreadPoolExecutor(self.at_once_max, "gateway")

    def starts_at(self, log: EventLog) -> int:
        """Where all before it is done: every step that was ever begun is owed its call."""
        return log.checkpoint(CHECKPOINT_BEFORE_KINDS)

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """The work's key is the one under which the gateway knows the call."""
        match event:
            case StepBegun(step=step):
                yield Opened(recorded.stream, step)
            case StepEnded(step=step):
                yield Closed(recorded.stream, step)

    async def do(self, due: Due) -> RecordGatewayOutcome:
        """Calls the gateway; its answer, as the command that records it."""
        begun: StepBegun = due.event
        try:
            outcome, reference, code = await self._ask(due.key, begun)
        except (GatewayTimeout, GatewayUnavailable) as error:
            CALLS.labels(begun.call, "none").inc()
            raise NotYet(f"gateway: {error}") from error
        CALLS.labels(begun.call, outcome).inc()
        report = log_lines.error if outcome == "refused" else log_lines.info
        report(
            "gateway_answered",
            call=begun.call,
            key=due.key,
            outcome=outcome,
            code=code,
            trace_id=due.recorded.correlation,
        )
        return RecordGatewayOutcome(
            order_id=begun.order_id,
            step=begun.step,
            outcome=outcome,
            answered_on=self._clock().date(),
            reference=reference,
            code=code,
        )

    def close(self) -> None:
        """Begins no more calls; one in flight ends by itself, and is made again under its key."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, key: str, begun: StepBegun) -> tuple[GatewayOutcome, str | None, str | None]:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._call_seconds_max):
                answer = await asyncio.get_running_loop().run_in_executor(
                    self._threads, partial(_call, self._gateway, key, begun)
                )
        except TimeoutError as error:
            raise GatewayTimeout(f"no answer in {self._call_seconds_max} s") from error
        except GatewayRefusal as refusal:
            return "refused", None, refusal.code
        finally:
            CALL_SECONDS.labels(begun.call).observe(time.perf_counter() - started)
        return _outcome(answer)


def _call(gateway: Gateway, key: str, begun: StepBegun) -> GatewayAnswer:
    if begun.call == "authorize":
        return gateway.authorize(
            key=key, method=begun.method or "", amount=begun.amount, order_id=begun.order_id
        )
    reference = begun.gateway_reference or ""
    match begun.call:
        case "capture":
            return gateway.capture(key=key, reference=reference, amount=begun.amount)
        case "void":
            return gateway.void(key=key, reference=reference)
        case "refund":
            return gateway.refund(key=key, reference=reference, amount=begun.amount)


def _outcome(answer: GatewayAnswer) -> tuple[GatewayOutcome, str | None, str | None]:
    match answer:
        case Authorized(reference=reference):
            return "authorized", reference, None
        case ActionNeeded(reference=reference):
            return "action_required", reference, None
        case Declined(code=code):
            return "declined", None, code
        case Captured():
            return "captured", None, None
        case Voided():
            return "voided", None, None
        case Refunded():
            return "refunded", None, None
