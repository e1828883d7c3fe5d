"""The port to what moves the money: four calls, their answers, and what can go wrong.

Every call carries a key. The gateway does a key's call once and answers it the same ever after, so a call
whose answer was lost is simply made again. Calls block; the process manager makes them in threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aggregates.kernel import Money, OrderId


@dataclass(frozen=True, slots=True)
class Authorized:
    """The bank holds the amount; `reference` is the gateway's name for the charge."""

    reference: str


@dataclass(frozen=True, slots=True)
class ActionNeeded:
    """The shopper must prove who they are before the bank decides."""

    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The bank declined; `code` is the gateway's reason."""

    code: str


@dataclass(frozen=True, slots=True)
class Captured:
    """The amount was taken."""


@dataclass(frozen=True, slots=True)
class Voided:
    """The hold was given up."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """The amount went back."""


GatewayAnswer = Authorized | ActionNeeded | Declined | Captured | Voided | Refunded


class GatewayError(Exception):
    """The root of what can go wrong at a gateway."""


class GatewayUnavailable(GatewayError):  # noqa: N818
    """The gateway is away: the call may be made again later, under the same key."""


class GatewayTimeout(GatewayError):  # noqa: N818
    """No answer in time. Whether the call was done is not known; under the same key it is done once."""


class GatewayRefusal(GatewayError):  # noqa: N818
    """The gateway will never do this call: what was asked does not fit what it holds."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Gateway(Protocol):
    """Moves money. Every call raises GatewayUnavailable, GatewayTimeout or GatewayRefusal."""

    def authorize(
        self, *, key: str, method: str, amount: Money, order_id: OrderId
    ) -> Authorized | ActionNeeded | Declined:
        """Asks the bank behind `method` to hold the amount."""

    def capture(self, *, key: str, reference: str, amount: Money) -> Captured:
        """Takes the amount, at most what is held, once."""

    def void(self, *, key: str, reference: str) -> Voided:
        """Gives up a hold, or the wait for the shopper, before anything was taken."""

    def refund(self, *, key: str, reference: str, amount: Money) -> Refunded:
        """Gives back a part of what was taken, never more in all than that."""
