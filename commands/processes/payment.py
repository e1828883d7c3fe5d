"""Payment: an open step is a call of the gateway, and its answer a command."""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Counts
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from prometheus_client import Counter, Histogram

from aggregates.payments.events import StepBegun, StepEnded
from aggregates.payments.steps import is_done
from commands.gateways.gateway import (
    Gateway,
    GatewayRefusal,
    GatewayUnavailable,
    GatewayUnclear,
    Response,
)
from commands.handlers.payments import RecordGatewayOutcome
from commands.processes.kind import CHECKPOINT_BEFORE_KINDS, Change, Closed, Due, NotYet, Opened
from event_store.records import EventLog, RecordedEvent

T = TypeVar("T")

log_lines = structlog.get_logger("commands.processes")

CALLS = Counter("daybook_gateway_calls_total", "Calls of the gateway by their answer", ["call", "outcome"])
CALL_SECONDS = Histogram("daybook_gateway_call_seconds", "Duration of gateway calls", ["call"])

CALL_SECONDS_MAX = 12.0
"""How long an answer is waited for. Whether the call was done is then not known; it is made again."""
KEY_AGE_MAX = timedelta(hours=23)
"""Gateways forget keys after 24 h, and would do the call anew: after this a step is only looked for."""
LOST_AGE = timedelta(hours=24, minutes=30)
"""What is not found by then was not done, as far as anybody can tell."""
STORED_MAX = 3
"""The same fault so often is what the gateway stored under the key: only a look tells what was done."""


class Payment:
    """See ProcessKind. The steps of one process are called one after the other."""

    name = "payment"
    event_names = ("payments.step_begun", "payments.step_ended")
    at_once_max = 64  # calls wait in no thread; how many a second are made is the adapter's to limit
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
        self._stored: Counts[str] = Counts()  # by key: how often a stored fault was answered

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
        """Calls the gateway, or looks what became of the call; the answer, as the command that records it."""
        begun: StepBegun = due.event
        code: str | None = None
        response: Response | None = None
        outcome = "done"
        try:
            response = await self._response(due, begun)
            request_id = None if response is None else response.request_id
            if response is None:
                outcome = "lost"
        except GatewayRefusal as refusal:
            outcome, code, request_id = "refused", refusal.code, refusal.request_id
        except (GatewayUnclear, GatewayUnavailable) as error:
            CALLS.labels(begun.call, "none").inc()
            if error.alarm:
                log_lines.critical("gateway_access_denied", code=error.code, request_id=error.request_id)
            raise NotYet(f"gateway: {error}") from None
        self._stored.pop(due.key, None)
        CALLS.labels(begun.call, outcome).inc()
        report = log_lines.info if outcome == "done" else log_lines.error
        report(
            "gateway_answered",
            call=begun.call,
            key=due.key,
            outcome=outcome,
            code=code,
            request_id=request_id,
            trace_id=due.recorded.correlation,
        )
        return RecordGatewayOutcome(
            order_id=begun.order_id,
            step=begun.step,
            outcome=outcome,  # type: ignore[arg-type]  # one of the three
            answered_on=self._clock().date(),
            standing=None if response is None else response.standing,
            code=code,
            request_id=request_id,
        )

    async def _response(self, due: Due, begun: StepBegun) -> Response | None:
        """What the call answers, now or before; None where it was lost."""
        begun_at = due.recorded.recorded_at
        age = self._clock() - begun_at
        if begun.call == "look" or (age < KEY_AGE_MAX and self._stored[due.key] < STORED_MAX):
            try:
                return await self._timed(begun, self._called(due.key, begun))
            except GatewayUnclear as error:
                if begun.call == "look" and age >= LOST_AGE:
                    return None
                self._stored[due.key] += STORED_MAX if error.code == "idempotency_error" else error.stored
                raise
        found = await self._timed(begun, self._found(due.key, begun, begun_at))
        if found is None and age < LOST_AGE:
            raise GatewayUnclear("not found yet")
        return found

    async def _timed(self, begun: StepBegun, call: Awaitable[T]) -> T:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._call_seconds_max):
                return await call
        except TimeoutError:
            raise GatewayUnclear(f"no answer in {self._call_seconds_max} s") from None
        finally:
            CALL_SECONDS.labels(begun.call).observe(time.perf_counter() - started)

    def _called(self, key: str, begun: StepBegun) -> Awaitable[Response]:
        gateway, reference, amount = self._gateway, begun.gateway_reference or "", begun.amount
        match begun.call:
            case "authorize":
                return gateway.authorize(
                    key=key,
                    method=begun.method or "",
                    amount=amount,
                    order_id=begun.order_id,
                    in_parts=begun.in_parts,
                )
            case "capture":
                return gateway.capture(key=key, reference=reference, amount=amount, final=begun.final)
            case "void":
                return gateway.void(key=key, reference=reference, unless_authorized=begun.unless_authorized)
            case "refund":
                note = None if begun.refund is None else begun.refund.credit_note_id
                return gateway.refund(key=key, reference=reference, amount=amount, credit_note_id=note)
            case "look":
                return gateway.look(reference)

    async def _found(self, key: str, begun: StepBegun, begun_at: datetime) -> Response | None:
        """What the gateway knows of a call that may have been done; None where it shows no trace of it."""
        if begun.call == "authorize":
            since = begun_at - timedelta(minutes=5)  # of clocks that differ
            return await self._gateway.find(key=key, since=since, until=self._clock())
        response = await self._gateway.look(begun.gateway_reference or "")
        return response if is_done(begun, key, response.standing) else None
