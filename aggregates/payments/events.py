"""What can happen to an order's payment (`payment-<order id>`) and to the process that follows it
(`checkout-<order id>`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from aggregates.kernel import LineId, Money, OrderId

CaptureWhen = Literal["fulfilment", "checkout"]
PaymentSource = Literal["gateway", "elsewhere"]
Call = Literal["authorize", "capture", "void", "refund"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequested:
    """The order is to be paid by `method` (the gateway's name for it)."""

    order_id: OrderId
    method: str
    amount: Money
    capture: CaptureWhen


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNotNeeded:
    """The order costs nothing: no gateway is asked."""

    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorized:
    """The bank holds the amount for us."""

    order_id: OrderId
    amount: Money
    gateway_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequired:
    """The shopper must prove who they are before the bank decides."""

    order_id: OrderId
    gateway_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDeclined:
    """The bank declined; `code` is the gateway's reason."""

    order_id: OrderId
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentVoided:
    """The hold was given up; nothing was taken."""

    order_id: OrderId
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured:
    """The money is ours: taken by the gateway, or known to have been paid elsewhere."""

    order_id: OrderId
    amount: Money
    source: PaymentSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    """Money went back; `credit_note_id` is null where a canceled sale was simply undone."""

    order_id: OrderId
    amount: Money
    credit_note_id: str | None = None


PaymentEvent = (
    PaymentRequested
    | PaymentNotNeeded
    | PaymentAuthorized
    | ActionRequired
    | PaymentDeclined
    | PaymentVoided
    | PaymentCaptured
    | PaymentRefunded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStarted:
    """The process manager of this order's payment began its work."""

    order_id: OrderId
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedLine:
    """The part of a refund that one line is to bear; `withdrawn` of its units are not sent meanwhile."""

    line_id: LineId
    quantity: int
    amount: int  # minor units
    withdrawn: int | None = None  # null in what was stored as number 1, which had no such field


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """What a refund step is to book once the gateway has paid back."""

    credit_note_id: str
    lines: tuple[RequestedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegun:
    """A call of the gateway is due, under the key `<process stream>/<step>`, until its step ends."""

    order_id: OrderId
    step: int  # from 1
    call: Call
    amount: Money
    method: str | None = None
    gateway_reference: str | None = None
    refund: RefundRequest | None = None
    reason: str | None = None  # personal; why money is to go back


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """The gateway answered; `outcome` is its word (authorized, declined, captured …)."""

    order_id: OrderId
    step: int
    outcome: str


ProcessEvent = ProcessStarted | StepBegun | StepEnded


def step_subject(event: StepBegun) -> str:
    """Whose data a reason is: the order's."""
    return f"order-{event.order_id}"


def step_begun_from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Number 1 kept the reason within the request, and each line as [line id, units, amount]."""
    request = data.get("refund")
    if request is None:
        return data
    names = ("line_id", "quantity", "amount")
    lines = [dict(zip(names, line, strict=True)) for line in request["lines"]]
    return data | {
        "refund": {"credit_note_id": request["credit_note_id"], "lines": lines},
        "reason": request["reason"],
    }
