"""What can happen to an order's payment (`payment-<order id>`) and to the process that follows it
(`checkout-<order id>`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from aggregates.kernel import LineId, Money, OrderId
from aggregates.payments.standing import Closed, RefundState, Standing

CaptureWhen = Literal["fulfilment", "checkout", "each"]
"""The first fulfilment takes all, or the authorization at once, or each fulfilment takes its part."""
PaymentSource = Literal["gateway", "elsewhere", "credit"]
"""The gateway took it; it was paid before it came to us; gift cards or store credit pay for all of it."""
Call = Literal["authorize", "capture", "void", "refund", "look"]
Concern = Literal["dispute", "early_fraud_warning", "review", "hold_lapses", "unreconciled"]
"""What an operator must look at though nothing is owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequested:
    """The card's part of the order, `amount`, is to be paid by `method` (the gateway's name for it); `credit`
    pays the rest."""

    order_id: OrderId
    method: str
    amount: Money
    credit: Money
    capture: CaptureWhen


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNotNeeded:
    """The order costs nothing: no gateway is asked."""

    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorized:
    """The bank holds the amount for us: the most that it ever held of this payment."""

    order_id: OrderId
    amount: Money
    gateway_reference: str
    capture_before: datetime | None = None  # UTC; when the hold lapses
    in_parts: bool = False  # may be captured in several parts


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequired:
    """The shopper must prove who they are before the bank decides."""

    order_id: OrderId
    gateway_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAttemptFailed:
    """An attempt failed, as `code` says; at the gateway another may follow."""

    order_id: OrderId
    code: str
    gateway_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDeclined:
    """The bank said no; `code` is the gateway's word for why. No further attempt is waited for."""

    order_id: OrderId
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentVoided:
    """The hold, of this amount, was given up, lapsed, or its rest released after a part was captured."""

    order_id: OrderId
    amount: Money
    cause: Closed = "canceled"
    gateway_reference: str | None = None  # null in what was stored as number 1: the last that was named


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured:
    """This much more is ours: taken by the gateway, known to have been paid elsewhere, or by credit alone."""

    order_id: OrderId
    amount: Money
    source: PaymentSource
    gateway_reference: str | None = None  # null elsewhere, and in number 1: the last that was named
    final: bool = True  # no more is going to be captured of this payment


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    """Money went back, or is on its way; `credit_note_id` is null where a canceled sale was simply undone."""

    order_id: OrderId
    amount: Money
    credit_note_id: str | None = None
    gateway_reference: str | None = None  # null elsewhere, and in number 1: the last that was named
    refund_reference: str | None = None  # the gateway's name for the refund
    step: str | None = None  # the key of the step that made it; null where it was made elsewhere
    pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefundSettled:
    """A refund that was on its way has arrived."""

    order_id: OrderId
    refund_reference: str
    gateway_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefundFailed:
    """A refund gave nothing back in the end: the amount is with us again."""

    order_id: OrderId
    amount: Money
    refund_reference: str
    gateway_reference: str
    state: RefundState


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDisputed:
    """A dispute took money from us (`amount` below zero), or gave it back; `fee` is the gateway's."""

    order_id: OrderId
    amount: Money
    fee: Money
    dispute: str
    transaction: str
    gateway_reference: str


StandingEvent = (
    PaymentAuthorized
    | ActionRequired
    | PaymentAttemptFailed
    | PaymentVoided
    | PaymentCaptured
    | PaymentRefunded
    | PaymentRefundSettled
    | PaymentRefundFailed
    | PaymentDisputed
)
"""What changes the standing of one of the gateway's payments."""
PaymentEvent = PaymentRequested | PaymentNotNeeded | PaymentDeclined | StandingEvent


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
    withdrawn: int | None = None  # null in what was stored as number 1, which did not say


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedCredit:
    """The part of a refund that an account of credit is to get back."""

    kind: Literal["gift_card", "store_credit"]
    account_id: str
    amount: int  # minor units


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """What a refund step is to book once the gateway has paid back.

    `credit` goes back beside the step's amount, which is the card's part.
    """

    credit_note_id: str
    lines: tuple[RequestedLine, ...]
    credit: tuple[RequestedCredit, ...] = ()
    released: int = 0  # minor units beside the step's amount: held, never taken, and now never to be


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
    final: bool = True  # of a capture: the rest of the hold is released
    captured_after: int | None = None  # of a capture: what is taken in all once it is done, in minor units
    in_parts: bool = False  # of an authorization: to be captured in several parts, if the bank can
    unless_authorized: bool = False  # of a void: looks first, and keeps a hold


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """The gateway answered; `outcome` says what (authorized, declined, captured, refused, lost …)."""

    order_id: OrderId
    step: int
    outcome: str
    code: str | None = None  # the gateway's word for why
    request_id: str | None = None  # the gateway's name for the request


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRetried:
    """An operator asked for steps that the gateway refused, or lost, to be tried anew."""

    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentWrittenOff:
    """An operator gave up what is owed, and has seen what there was to be looked at."""

    order_id: OrderId
    to_shop: Money
    to_customer: Money
    reason: str | None = None  # personal


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcernRaised:
    """Something about the payment is to be looked at by an operator."""

    order_id: OrderId
    concern: Concern


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedChanged:
    """What the order leaves to be settled by a person, from now on; all zero and empty: nothing."""

    order_id: OrderId
    to_shop: Money
    to_customer: Money
    stuck: tuple[Call, ...]  # calls that the gateway refused, or whose outcome is lost
    concerns: tuple[Concern, ...]

    @property
    def is_owed(self) -> bool:
        """Whether there is anything to be settled."""
        return bool(self.to_shop.amount or self.to_customer.amount or self.stuck or self.concerns)


ProcessEvent = (
    ProcessStarted | StepBegun | StepEnded | PaymentRetried | PaymentWrittenOff | ConcernRaised | OwedChanged
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayNewsReceived:
    """The gateway sent news, once for ever by its id (`gateway_event-<id>`)."""

    event_id: str
    kind: str
    created: datetime  # UTC, by the gateway's clock
    gateway_reference: str | None = None
    order_id: OrderId | None = None  # null where nothing told which


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPaymentLinked:
    """The gateway's payment (`gateway_payment-<reference>`) is for this order."""

    gateway_reference: str
    order_id: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayNewsParked:
    """What the gateway told of a payment before anybody knew for which order it is."""

    gateway_reference: str
    standing: Standing | None  # null: to be looked at
    concern: Concern | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPaymentForeign:
    """The gateway's payment is none of ours."""

    gateway_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayNewsFetched:
    """All news up to this moment were asked for (`gateway_news-<gateway>`)."""

    gateway: str
    up_to: datetime  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceReconciled:
    """Our payments of a time were held against the gateway's balance report (`reconciliation-<gateway>`)."""

    gateway: str
    since: datetime  # UTC
    until: datetime  # UTC
    lines: int  # of the report
    healed: int  # items that were missing here, and were taken in
    left: int  # items to be looked into
    failure: str | None = None  # why there was no report to compare: the gateway's word


GatewayEvent = (
    GatewayNewsReceived
    | GatewayPaymentLinked
    | GatewayNewsParked
    | GatewayPaymentForeign
    | GatewayNewsFetched
    | BalanceReconciled
)


def step_subject(event: StepBegun | PaymentWrittenOff) -> str:
    """Whose data a reason is: the order's."""
    return f"order-{event.order_id}"


def payment_requested_from_2(data: dict[str, Any]) -> dict[str, Any]:
    """Of number 2 the card paid all."""
    return data | {"credit": {"amount": 0, "currency": data["amount"]["currency"]}}


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
