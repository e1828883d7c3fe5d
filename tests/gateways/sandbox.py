"""A sandbox of one test: its ledger, its clock, and calls that wait for their response."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest

from aggregates.kernel import Money
from aggregates.payments.standing import Standing
from commands.gateways.gateway import GatewayRefusal
from commands.gateways.sandbox import VISA, Books, SandboxGateway

ORDER = "d" * 32
TEN, FOUR = Money(1000, "GBP"), Money(400, "GBP")

T = TypeVar("T")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 26, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Sandbox:
    """Each call has a key of its own where none is given."""

    path: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.books = Books(self.path, clock=self.clock)
        self.gateway = SandboxGateway(self.books)
        self._numbers = count(1)

    def _key(self, key: str | None) -> str:
        return key or f"checkout-{ORDER}/{next(self._numbers)}"

    def authorize(
        self, method: str = VISA, amount: Money = TEN, *, key: str | None = None, in_parts: bool = False
    ) -> Standing:
        call = self.gateway.authorize(
            key=self._key(key), method=method, amount=amount, order_id=ORDER, in_parts=in_parts
        )
        return run(call).standing

    def capture(
        self, reference: str, amount: Money = TEN, *, key: str | None = None, final: bool = True
    ) -> Standing:
        call = self.gateway.capture(key=self._key(key), reference=reference, amount=amount, final=final)
        return run(call).standing

    def void(self, reference: str, *, key: str | None = None, unless_authorized: bool = False) -> Standing:
        call = self.gateway.void(key=self._key(key), reference=reference, unless_authorized=unless_authorized)
        return run(call).standing

    def refund(
        self, reference: str, amount: Money = FOUR, *, key: str | None = None, credit_note: str | None = None
    ) -> Standing:
        call = self.gateway.refund(
            key=self._key(key), reference=reference, amount=amount, credit_note_id=credit_note
        )
        return run(call).standing

    def look(self, reference: str) -> Standing:
        return run(self.gateway.look(reference)).standing

    def captured(self, method: str = VISA, amount: Money = TEN) -> str:
        """A payment that is held and taken."""
        reference = self.authorize(method, amount).reference
        self.capture(reference, amount)
        return reference

    def news(self) -> list[str]:
        """The kinds of everything that happened, in order."""
        return [event["type"] for event in self.books.events(datetime(2000, 1, 1, tzinfo=UTC))]


def run(call: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(call)


def refusal(call: Any, *arguments: Any, **named: Any) -> str:
    """The code with which the call is refused."""
    with pytest.raises(GatewayRefusal) as refused:
        call(*arguments, **named)
    return refused.value.code
