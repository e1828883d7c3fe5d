"""Giving money back: at once where it was paid elsewhere, through the gateway else, a void before capture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from aggregates.kernel import LineId, Money, OrderId, Reason, Rejected
from aggregates.orders import credit_note, order, refund
from aggregates.orders.events import RefundedLine
from aggregates.orders.order import Order
from aggregates.orders.refund import Refund
from aggregates.payments import payment, process
from aggregates.payments.events import RefundRequest
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process
from commands.books import Books
from commands.decision import AwaitedStep, Decision
from commands.handling import Handlers
from commands.orders import cancel


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Give money back: an amount, the worth of some lines, or all that remains."""

    name: ClassVar = "refund_order"
    order_id: OrderId
    credit_note_id: str
    reason: str
    issued_on: date  # UTC
    amount: Money | None = None
    lines: Mapping[LineId, int] | None = None


@dataclass(frozen=True, slots=True)
class PartialRefundBeforeCapture(Reason):
    """Nothing was taken yet: the whole can be given up, not a part"""

    order_id: OrderId
    asked: Money
    total: Money


def handle_refund_order(books: Books, command: RefundOrder) -> Decision:
    """Begins the refund, or books it where no gateway has the money."""
    order_id = command.order_id
    order_stream, payment_stream = f"order-{order_id}", f"payment-{order_id}"
    process_stream = f"checkout-{order_id}"
    states = books.states((order_stream, payment_stream, process_stream))
    sold: Order = states[order_stream]
    paid: Payment = states[payment_stream]
    steps: Process = states[process_stream]
    decision = Decision(
        id=command.credit_note_id, stream=order_stream, created=True, facts={"order_id": order_id}
    )
    planned = refund.plan_refund(
        sold,
        order_id=order_id,
        amount=command.amount,
        lines=command.lines,
        under_way=[
            refund_of(step.amount, step.refund) for step in steps.refunds_under_way if step.refund is not None
        ],
    )
    if paid.phase == "authorized" and "capture" not in steps.calls:
        total = order.placed_order(sold, order_id).total
        if planned.amount != total:
            raise Rejected(PartialRefundBeforeCapture(order_id, planned.amount, total))
        cancel(books, decision, order_id=order_id, reason=command.reason, cause="canceled")
        decision.add(process_stream, process.undo(steps, paid, order_id=order_id))
        decision.awaited = AwaitedStep(process_stream, steps.last_step + 1)
    elif paid.source == "elsewhere":
        decision.add(
            payment_stream,
            payment.refund(
                paid,
                order_id=order_id,
                amount=planned.amount,
                credit_note_id=command.credit_note_id,
            ),
        )
        book(
            books,
            decision,
            order_id=order_id,
            credit_note_id=command.credit_note_id,
            planned=planned,
            reason=command.reason,
            issued_on=command.issued_on,
        )
    else:
        request = RefundRequest(
            credit_note_id=command.credit_note_id,
            reason=command.reason,
            lines=tuple((line.line_id, line.quantity, line.amount.amount) for line in planned.lines),
        )
        decision.add(
            process_stream,
            process.begin_refund(steps, paid, order_id=order_id, amount=planned.amount, request=request),
        )
        decision.awaited = AwaitedStep(process_stream, steps.last_step + 1)
    return decision


def book(
    books: Books,
    decision: Decision,
    *,
    order_id: OrderId,
    credit_note_id: str,
    planned: Refund,
    reason: str,
    issued_on: date,
) -> None:
    """Adds to `decision` the refund on the order and its credit note."""
    order_stream, note_stream = f"order-{order_id}", f"credit_note-{credit_note_id}"
    states: Mapping[str, Any] = books.states((order_stream, note_stream))
    sold: Order = states[order_stream]
    placed = order.placed_order(sold, order_id)
    decision.add(
        order_stream,
        refund.book_refund(
            sold, order_id=order_id, credit_note_id=credit_note_id, refund=planned, reason=reason
        ),
    )
    decision.add(
        note_stream,
        credit_note.issue(
            states[note_stream],
            credit_note_id=credit_note_id,
            number=f"C{placed.number}-{len(sold.refunds) + 1}",
            currency=placed.currency,
            lines=refund.credited_lines(sold, planned),
            charges=refund.credited_charges(sold, planned, label="refund"),
            reason=reason,
            issued_on=issued_on,
            order_id=order_id,
            customer_id=placed.customer_id,
        ),
    )


def refund_of(amount: Money, request: RefundRequest) -> Refund:
    """What a refund step at the gateway is about."""
    return Refund(
        amount=amount,
        lines=tuple(
            RefundedLine(line_id=line_id, quantity=units, amount=Money(minor, amount.currency))
            for line_id, units, minor in request.lines
        ),
    )


HANDLERS: Handlers = {RefundOrder: handle_refund_order}
