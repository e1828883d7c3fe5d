"""What the process managers still have to do, folded from the log: open steps and unpaid reservations.

Nothing of it is kept anywhere else: a restart reads the same events from the checkpoint on, which is the
position before the oldest work still open, and finds all of it again.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aggregates.inventory.events import ReservationConfirmed, ReservationReleased, StockReserved
from aggregates.kernel import OrderId
from aggregates.payments.events import StepBegun, StepEnded
from event_store.records import RecordedEvent

EVENT_NAMES = (
    "payments.step_begun",
    "payments.step_ended",
    "inventory.stock_reserved",
    "inventory.reservation_confirmed",
    "inventory.reservation_released",
)
"""The stored names of the events that open and close work."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that led to a command."""

    position: int
    correlation: str | None


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A call of the gateway that is due, or waits for the process's earlier ones."""

    stream: str  # of the process
    begun: StepBegun
    cause: Cause

    @property
    def key(self) -> str:
        """Under which the gateway knows the call."""
        return f"{self.stream}/{self.begun.step}"


@dataclass(frozen=True, slots=True)
class UnpaidOrder:
    """An order whose units are kept until `expires_at`, the latest of its reservations."""

    order_id: OrderId
    expires_at: datetime
    cause: Cause  # the first of its reservations


@dataclass(slots=True)
class OpenWork:
    """Work by what it is about; `position` is the last position looked at."""

    position: int
    _steps: dict[str, dict[int, OpenStep]] = field(default_factory=dict)
    _unpaid: dict[OrderId, UnpaidOrder] = field(default_factory=dict)
    _expiries: list[tuple[datetime, OrderId]] = field(default_factory=list)  # a heap; may name closed work

    def evolve(self, recorded: RecordedEvent, event: Any) -> None:
        """Notes what the event opens or closes."""
        self.position = recorded.position
        cause = Cause(recorded.position, recorded.correlation)
        match event:
            case StepBegun(step=step):
                self._steps.setdefault(recorded.stream, {})[step] = OpenStep(recorded.stream, event, cause)
            case StepEnded(step=step):
                steps = self._steps.get(recorded.stream, {})
                steps.pop(step, None)  # begun before the checkpoint
                if not steps:
                    self._steps.pop(recorded.stream, None)
            case StockReserved(order_id=order_id, expires_at=expires_at):
                known = self._unpaid.get(order_id)
                if known is not None:
                    cause, expires_at = known.cause, max(known.expires_at, expires_at)
                self._unpaid[order_id] = UnpaidOrder(order_id, expires_at, cause)
                heapq.heappush(self._expiries, (expires_at, order_id))
            case ReservationConfirmed(order_id=order_id) | ReservationReleased(order_id=order_id):
                self._unpaid.pop(order_id, None)

    def due_steps(self) -> list[OpenStep]:
        """The first open step of each process."""
        return [steps[min(steps)] for steps in self._steps.values()]

    def take_expired(self, now: datetime) -> list[UnpaidOrder]:
        """The orders whose time is over at `now`, each of them once."""
        expired = []
        while self._expiries and self._expiries[0][0] <= now:
            expires_at, order_id = heapq.heappop(self._expiries)
            unpaid = self._unpaid.get(order_id)
            if unpaid is not None and unpaid.expires_at == expires_at:
                expired.append(unpaid)
        return list(dict.fromkeys(expired))

    def next_expiry(self) -> datetime | None:
        """When the next order's time may be over."""
        return self._expiries[0][0] if self._expiries else None

    @property
    def checkpoint(self) -> int:
        """The position before the oldest open work; the last one looked at where nothing is open."""
        causes = [step.cause for steps in self._steps.values() for step in steps.values()]
        causes += [unpaid.cause for unpaid in self._unpaid.values()]
        return min((cause.position - 1 for cause in causes), default=self.position)

    @property
    def steps_open(self) -> int:
        """Calls of the gateway without an answer."""
        return sum(len(steps) for steps in self._steps.values())

    @property
    def orders_unpaid(self) -> int:
        """Orders whose units are kept without a decided payment."""
        return len(self._unpaid)
