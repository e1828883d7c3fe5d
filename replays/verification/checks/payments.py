"""Money taken was authorized or paid elsewhere, no more goes back than was taken, and what is owed is so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aggregates.kernel import Money, OrderId, StreamKind
from aggregates.orders import order
from aggregates.payments import payment, process
from aggregates.payments.events import (
    ConcernRaised,
    OwedChanged,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDisputed,
    PaymentEvent,
    PaymentNotNeeded,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundSettled,
    PaymentRequested,
    PaymentVoided,
    PaymentWrittenOff,
    ProcessEvent,
    StepBegun,
    StepEnded,
)
from aggregates.payments.payment import Payment
from aggregates.payments.standing import RefundStanding, Standing
from aggregates.settlement import owe
from event_store.codec import Codec
from event_store.errors import DecodingFailed, LogUnreadable, UnknownEvent
from event_store.records import EventReader, RecordedEvent
from replays.verification.checks.orders import OrdersCheck
from replays.verification.findings import Finding, Report, at

ORDERS_AT_ONCE = 200
DAMAGE = (LookupError, RuntimeError, StopIteration, LogUnreadable)
"""Events that cannot be, or cannot be read, are findings of their own: from them no state follows."""


@dataclass(slots=True)
class StepBook:
    """What must be remembered of an order's steps; amounts in minor units."""

    last: int = 0
    open: set[int] = field(default_factory=set)
    asked: int = 0  # of banks, in all attempts
    asked_most: int = 0  # in one
    owed: tuple[int, int] = (0, 0)  # to the shop, to the customer
    to_look_at: bool = False  # a step was ever stuck, a concern raised, or anything owed


class PaymentsCheck:
    """Payments and their steps agree with themselves and with their order.

    Of each of the gateway's payments: authorized ≤ what an attempt asked for; captured ≤ authorized; given up
    once, and by what was held; refunded ≤ captured, once it ended; each refund, and each movement of a
    dispute, once. A step that ended was begun. What is said to be owed is what the order's books come to,
    and what they come to in the end was said.
    """

    def __init__(self, report: Report, orders: OrdersCheck, log: EventReader, codec: Codec) -> None:
        self._report = report
        self._orders = orders
        self._card_of = orders.card_of
        self._log = log
        self._codec = codec
        self._payments: dict[OrderId, Payment] = {}
        self._steps: dict[OrderId, StepBook] = {}
        self._returned_too_much: dict[str, tuple[RecordedEvent, str]] = {}  # by the gateway's payment

    def see(self, recorded: RecordedEvent, event: PaymentEvent) -> None:
        """Holds an event of a payment against what is known of it, and adds it."""
        paid = self._payments.setdefault(event.order_id, payment.initial())
        steps = self._steps.get(event.order_id, StepBook())
        wrong = [*_of_order(event, self._card_of(event.order_id))]
        if _names_nothing(paid, event):
            wrong.append("it is about a payment of the gateway's, and there is none")
        else:
            wrong += _against(paid, event)
            payment.evolve(paid, event)
            sold = self._orders.books(event.order_id)
            wrong += _sums(paid, steps, event, None if sold is None else sold.total)
            self._note_returned(paid, recorded, event)
        for words in wrong:
            self._report(at(recorded, "payment", words))

    def see_process(self, recorded: RecordedEvent, event: ProcessEvent) -> None:
        """Holds a step, or what a person must settle, against the steps before."""
        steps = self._steps.setdefault(event.order_id, StepBook())
        match event:
            case StepBegun(step=step):
                if step != steps.last + 1:
                    self._report(at(recorded, "payment", f"step {step} after step {steps.last}"))
                steps.last = step
                steps.open.add(step)
                if event.call == "authorize":
                    steps.asked += event.amount.amount
                    steps.asked_most = max(steps.asked_most, event.amount.amount)
            case StepEnded(step=step, outcome=outcome):
                if step not in steps.open:
                    self._report(at(recorded, "payment", f"step {step} ended, and was not open"))
                steps.open.discard(step)
                steps.to_look_at |= outcome in (process.REFUSED, process.LOST)
            case ConcernRaised():
                steps.to_look_at = True
            case PaymentWrittenOff(to_shop=to_shop, to_customer=to_customer):
                if (written_off := (to_shop.amount, to_customer.amount)) != steps.owed:
                    wrong = f"{written_off} written off of {steps.owed} owed to shop and customer"
                    self._report(at(recorded, "payment", wrong))
            case OwedChanged(to_shop=to_shop, to_customer=to_customer):
                steps.owed = (to_shop.amount, to_customer.amount)
                steps.to_look_at = True
                self._check_owed(recorded, event)

    def check_end(self, head: int) -> None:
        """At the head, no more is back than was taken, and what each order's books come to was said last."""
        for recorded, wrong in self._returned_too_much.values():
            self._report(at(recorded, "payment", wrong))
        open_ended = [order_id for order_id in self._payments if self._may_be_owed(order_id)]
        for first in range(0, len(open_ended), ORDERS_AT_ONCE):
            page = open_ended[first : first + ORDERS_AT_ONCE]
            kinds = (order.stream, payment.stream, process.stream)
            read = self._log.read_streams([kind(order_id) for order_id in page for kind in kinds])
            for order_id in page:
                try:
                    sold, paid, steps = (self._fold(kind, read[kind(order_id)], head) for kind in kinds)
                except (*DAMAGE, DecodingFailed, UnknownEvent):
                    continue
                for unsaid in owe(sold, paid, steps, order_id=order_id):
                    before = "nothing" if steps.owed is None else _owed(steps.owed)
                    wrong = f"{_owed(unsaid)} by the books; said last: {before}"
                    self._report(Finding(rule="payment", wrong=wrong, stream=process.stream(order_id)))

    def _note_returned(self, paid: Payment, recorded: RecordedEvent, event: PaymentEvent) -> None:
        """What more is back than was taken may yet turn out to have failed: the gateway's news of one refund
        come before those of another."""
        known = _known(paid, event)
        if known is None or not known.closed:
            return
        if known.returned > known.captured:
            wrong = f"{known.returned} refunded of {known.captured} taken"
            self._returned_too_much[known.reference] = (recorded, wrong)
        else:
            self._returned_too_much.pop(known.reference, None)

    def _may_be_owed(self, order_id: OrderId) -> bool:
        """False where what is remembered tells that nothing is: states are read of the others alone."""
        paid, sold = self._payments[order_id], self._orders.books(order_id)
        steps = self._steps.get(order_id, StepBook())
        if paid.amount is None or sold is None or steps.open:
            return False
        if steps.to_look_at:
            return True
        if sold.canceled:
            return paid.left != 0
        untouched = not (paid.captured or paid.returned or paid.disputed or sold.refunded or sold.sent_any)
        even = paid.captured == sold.card.amount and paid.returned + paid.disputed == sold.refunded
        return not (untouched or even)

    def _check_owed(self, recorded: RecordedEvent, event: OwedChanged) -> None:
        """From the log: it is rare, and whole states of all orders would be much to remember."""
        order_id = event.order_id
        try:
            sold = self._state(order.stream, order_id, recorded)
            paid = self._state(payment.stream, order_id, recorded)
            steps = self._state(process.stream, order_id, recorded)
        except DAMAGE:
            return
        expected = owe(sold, paid, steps, order_id=order_id)
        if expected != (event,):
            books = _owed(*expected) if expected else "nothing new"
            self._report(at(recorded, "payment", f"{_owed(event)}; by the books: {books}"))

    def _state(self, stream: StreamKind, order_id: OrderId, before: RecordedEvent) -> Any:
        return self._fold(stream, self._log.read_stream(stream(order_id)), before.position - 1)

    def _fold(self, stream: StreamKind, history: Iterable[RecordedEvent], up_to: int) -> Any:
        earlier = (self._codec.decode(recorded) for recorded in history if recorded.position <= up_to)
        return stream.fold(stream.initial(), earlier)


def _owed(event: ProcessEvent) -> str:
    assert isinstance(event, OwedChanged)
    shop, customer = event.to_shop.amount, event.to_customer.amount
    look = ", ".join((*event.stuck, *event.concerns)) or "nothing"
    return f"{shop} owed to the shop, {customer} to the customer, {look} to be looked at"


def _of_order(event: PaymentEvent, total: Money | None) -> Iterator[str]:
    """What contradicts the order."""
    if isinstance(event, PaymentNotNeeded) and (total is None or total.amount):
        yield f"not needed, for an order of {total}"
    amount: Money | None = getattr(event, "amount", None)
    if amount is None:
        return
    if amount.amount < 0 and not isinstance(event, PaymentDisputed):
        yield f"an amount below zero: {amount}"
    if total is None:
        yield "nobody placed the order that it pays for"
    elif total.currency != amount.currency:
        yield f"{amount} for an order in {total.currency}"


def _names_nothing(paid: Payment, event: PaymentEvent) -> bool:
    if paid.standings or getattr(event, "gateway_reference", "none is needed") is not None:
        return False
    match event:
        case PaymentCaptured(source=source):
            return source == "gateway"
        case PaymentRefunded():
            return paid.paid_elsewhere is None
        case _:
            return True


def _known(paid: Payment, event: PaymentEvent) -> Standing | None:
    """What is known of the gateway's payment that the event is about."""
    reference: str | None = getattr(event, "gateway_reference", None)
    if reference is None:
        reference = next(reversed(paid.standings), None)
    return None if reference is None else paid.standings.get(reference)


def _against(paid: Payment, event: PaymentEvent) -> Iterator[str]:
    """What contradicts what was known before the event."""
    known = _known(paid, event)
    match event:
        case PaymentRequested():
            if paid.amount is not None:
                yield "it was asked for before"
        case PaymentVoided(cause=cause, amount=amount):
            if known is not None and known.closed == cause:
                yield f"{cause} before"
            held = 0 if known is None else known.most - known.captured
            # Number 1 gave up what was asked for where nothing was held yet.
            asked = 0 if paid.amount is None or held or event.gateway_reference else paid.amount.amount
            if amount.amount != (held or asked):
                yield f"{amount.amount} given up of {held or asked} held"
        case PaymentRefunded() | PaymentRefundSettled() | PaymentRefundFailed():
            yield from _of_refunds(() if known is None else known.refunds, event)
        case PaymentDisputed(transaction=transaction):
            if known is not None and any(move.transaction == transaction for move in known.moves):
                yield f"transaction {transaction} was booked before"


def _of_refunds(
    refunds: tuple[RefundStanding, ...], event: PaymentRefunded | PaymentRefundSettled | PaymentRefundFailed
) -> Iterator[str]:
    reference = event.refund_reference
    made = any(refund.reference == reference for refund in refunds)
    match event:
        case PaymentRefunded():
            if made:
                yield f"refund {reference} was made before"
        case PaymentRefundSettled():
            if not made:
                yield f"nobody made refund {reference}"
        case PaymentRefundFailed(amount=amount):
            # One of number 1 has no name: it may be any of this amount.
            if not any(
                refund.amount == amount.amount
                and (refund.reference == reference or refund.reference.startswith(payment.UNNAMED))
                for refund in refunds
            ):
                yield f"nobody made refund {reference} of {amount.amount}"


def _sums(paid: Payment, steps: StepBook, event: PaymentEvent, total: Money | None) -> Iterator[str]:
    """What is more than what it is taken from, after the event."""
    known = _known(paid, event)
    requested = 0 if paid.amount is None else paid.amount.amount
    if isinstance(event, PaymentAuthorized) and known is not None:
        if known.authorized > (asked := max(requested, steps.asked_most)):
            yield f"{known.authorized} authorized of {asked} requested"
        promised = sum(one.authorized for one in paid.standings.values())
        if promised > (asked := max(requested, steps.asked)):
            yield f"{promised} authorized in all attempts, of {asked} requested"
    if known is not None and known.captured > known.authorized:
        yield f"{known.captured} captured of {known.authorized} authorized"
    if paid.paid_elsewhere is not None:  # Which no gateway is asked for too.
        taken = paid.captured
        if total is not None and taken > total.amount:
            yield f"{taken} taken for an order of {total.amount}"
        if paid.returned > taken:
            yield f"{paid.returned} refunded of {taken} taken"
