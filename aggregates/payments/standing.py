"""What a gateway knows of one payment, in parts that may be joined in any order.

An API's response, a piece of news, a look and a report's line each tell a part of it: a `Standing`. Joining
takes the greater amount, the later state, the union. That is commutative, associative and idempotent, so
neither order nor doubles nor gaps in what arrives can matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeVar

from aggregates.kernel import OrderId

Closed = Literal["canceled", "lapsed", "captured"]
"""How a payment ended at the gateway: given up, its hold lapsed, or everything taken that ever will be."""

RefundState = Literal["pending", "requires_action", "succeeded", "canceled", "failed"]

_CLOSED_RANK: dict[Closed | None, int] = {None: 0, "canceled": 1, "lapsed": 2, "captured": 3}
_REFUND_RANK: dict[RefundState, int] = {
    "pending": 0,
    "requires_action": 1,
    "succeeded": 2,
    "canceled": 3,
    "failed": 4,
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStanding:
    """A refund at the gateway. What failed or was canceled gave nothing back."""

    reference: str  # the gateway's name for the refund
    amount: int  # minor units
    state: RefundState
    credit_note_id: str | None = None  # where it was made for one
    step: str | None = None  # the key of the step that made it; None: made elsewhere

    @property
    def alive(self) -> bool:
        """Whether the money went back, or is on its way."""
        return self.state not in ("canceled", "failed")

    @property
    def settled(self) -> bool:
        """Whether it is no longer on its way."""
        return _REFUND_RANK[self.state] >= _REFUND_RANK["succeeded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeMove:
    """Money that a dispute took from us (`amount` below zero) or gave back; never the dispute's status."""

    transaction: str  # the gateway's name for the movement
    dispute: str
    amount: int  # minor units, signed
    fee: int = 0  # minor units


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A part of what the gateway knows of one payment; what a part does not tell has its default."""

    reference: str  # the gateway's name for the payment
    currency: str
    authorized: int = 0  # minor units: the most that was ever held
    captured: int = 0  # minor units: the most that was ever taken
    closed: Closed | None = None
    acting: bool = False  # the shopper was asked to prove who they are, and may hold a client secret
    failed: str | None = None  # the code of an attempt that failed; another attempt may follow it
    capture_before: datetime | None = None  # UTC; when the hold lapses
    in_parts: bool = False  # may be captured in several parts
    refunds: tuple[RefundStanding, ...] = ()
    moves: tuple[DisputeMove, ...] = ()
    order_id: OrderId | None = None  # for which it was made, where the gateway knows
    step: str | None = None  # the key of the step that made it, where the gateway knows

    @property
    def most(self) -> int:
        """The most that was ever promised: money that was taken had been held."""
        return max(self.authorized, self.captured)

    @property
    def held(self) -> int:
        """What the bank still holds for us."""
        return 0 if self.closed else self.most - self.captured

    @property
    def returned(self) -> int:
        """What went back, or is on its way."""
        return sum(refund.amount for refund in self.refunds if refund.alive)

    @property
    def disputed(self) -> int:
        """What disputes took from us and did not give back."""
        return -sum(move.amount for move in self.moves)

    @property
    def left(self) -> int:
        """What was taken and is still ours."""
        return self.captured - self.returned - self.disputed

    @property
    def open(self) -> bool:
        """Whether it can still bring money."""
        return self.closed is None


def join(one: Standing, other: Standing) -> Standing:
    """What both together tell. ValueError for two payments, or two currencies."""
    if (one.reference, one.currency) != (other.reference, other.currency):
        raise ValueError(f"{one.reference} in {one.currency}, {other.reference} in {other.currency}")
    return replace(
        one,
        authorized=max(one.authorized, other.authorized),
        captured=max(one.captured, other.captured),
        closed=max(one.closed, other.closed, key=_CLOSED_RANK.__getitem__),
        acting=one.acting or other.acting,
        failed=_greater(one.failed, other.failed),
        capture_before=_greater(one.capture_before, other.capture_before),
        in_parts=one.in_parts or other.in_parts,
        refunds=tuple(join_refunds((*one.refunds, *other.refunds))),
        moves=tuple({move.transaction: move for move in (*one.moves, *other.moves)}.values()),
        order_id=_greater(one.order_id, other.order_id),
        step=_greater(one.step, other.step),
    )


def join_refunds(refunds: Iterable[RefundStanding]) -> list[RefundStanding]:
    """Each refund once, in its latest state."""
    joined: dict[str, RefundStanding] = {}
    for refund in refunds:
        known = joined.get(refund.reference, refund)
        joined[refund.reference] = replace(
            known,
            state=max(known.state, refund.state, key=_REFUND_RANK.__getitem__),
            credit_note_id=_greater(known.credit_note_id, refund.credit_note_id),
            step=_greater(known.step, refund.step),
        )
    return list(joined.values())


def _greater(one: T | None, other: T | None) -> T | None:
    known = [value for value in (one, other) if value is not None]
    return max(known) if known else None  # type: ignore[type-var]
