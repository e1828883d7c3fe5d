"""One call of the gateway for one open step, in a thread, until there is an answer to record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial

import structlog
from prometheus_client import Counter, Histogram

from commands.gateway import (
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
from commands.payments import GatewayOutcome, RecordGatewayOutcome
from commands.processes.open_work import OpenStep

log_lines = structlog.get_logger("commands.processes")

CALLS = Counter("daybook_gateway_calls_total", "Calls of the gateway by their answer", ["call", "outcome"])
CALL_SECONDS = Histogram("daybook_gateway_call_seconds", "Duration of gateway calls", ["call"])

CALLS_AT_ONCE = 16
"""Enough for a gateway that takes half a second to settle thirty orders a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for an answer, and how long to pause before asking again; in seconds."""

    call_max: float = 10.0
    pause_first: float = 0.2
    pause_max: float = 30.0

    def pause(self, tries: int) -> float:
        """The pause after so many tries in vain: doubling, up to the most."""
        return min(self.pause_max, self.pause_first * 2.0 ** min(tries - 1, 30))


class GatewayCalls:
    """Makes the calls that open steps ask for."""

    def __init__(self, gateway: Gateway, patience: Patience) -> None:
        self._gateway = gateway
        self._patience = patience
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, "gateway")
        self._free = asyncio.Semaphore(CALLS_AT_ONCE)

    def close(self) -> None:
        """Begins no more calls; one in flight ends by itself, and is made again under its key."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def answer_to(self, step: OpenStep, today: Callable[[], date]) -> RecordGatewayOutcome:
        """The gateway's answer, as the command that records it; asks until there is one."""
        tries = 0
        while True:
            tries += 1
            try:
                outcome, reference, code = await self._ask(step)
            except (GatewayTimeout, GatewayUnavailable) as error:
                CALLS.labels(step.begun.call, "none").inc()
                pause = self._patience.pause(tries)
                log_lines.warning(
                    "gateway_away",
                    call=step.begun.call,
                    key=step.key,
                    tries=tries,
                    pause_seconds=pause,
                    error=str(error),
                    trace_id=step.cause.correlation,
                )
                await asyncio.sleep(pause)
                continue
            CALLS.labels(step.begun.call, outcome).inc()
            report = log_lines.error if outcome == "refused" else log_lines.info
            report(
                "gateway_answered",
                call=step.begun.call,
                key=step.key,
                outcome=outcome,
                code=code,
                trace_id=step.cause.correlation,
            )
            return RecordGatewayOutcome(
                order_id=step.begun.order_id,
                step=step.begun.step,
                outcome=outcome,
                answered_on=today(),
                reference=reference,
                code=code,
            )

    async def _ask(self, step: OpenStep) -> tuple[GatewayOutcome, str | None, str | None]:
        async with self._free:
            begun = time.perf_counter()
            call = asyncio.get_running_loop().run_in_executor(
                self._threads, partial(_call, self._gateway, step)
            )
            try:
                return _outcome(await asyncio.wait_for(call, self._patience.call_max))
            except TimeoutError as error:
                raise GatewayTimeout(f"no answer in {self._patience.call_max} s") from error
            except GatewayRefusal as refusal:
                return "refused", None, refusal.code
            finally:
                CALL_SECONDS.labels(step.begun.call).observe(time.perf_counter() - begun)


def _call(gateway: Gateway, step: OpenStep) -> GatewayAnswer:
    begun = step.begun
    if begun.call == "authorize":
        return gateway.authorize(
            key=step.key, method=begun.method or "", amount=begun.amount, order_id=begun.order_id
        )
    reference = begun.gateway_reference or ""
    match begun.call:
        case "capture":
            return gateway.capture(key=step.key, reference=reference, amount=begun.amount)
        case "void":
            return gateway.void(key=step.key, reference=reference)
        case "refund":
            return gateway.refund(key=step.key, reference=reference, amount=begun.amount)


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
