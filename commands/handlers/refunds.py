"""Giving money back: at once where it was paid elsewhere, through the gateway else, a void before capture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any, ClassVar

from aggregates.kernel import LineId, Money, OrderId, Reason, Rejected
from aggregates.orders import credit_note, order, refund
from aggregates.orders.events import RefundedLine
from aggregates.orders.order import Order, Refund
from aggregates.payments import payment, process
from aggregates.payments.events import RefundRequest, RequestedLine
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process
from commands.handlers.cancellation import cancel, release_unsendable
from commands.handlers.numbering import number_credit_note
from commands.loop.decision import AwaitedStep, Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Give money back: an amount, the worth of some lines, or all that remains."""

    name: ClassVar = "refund_order"
    personal: ClassVar = ("reason",)
    order_id: OrderId
    credit_note_id: str
    reason: str | None
    issued_on: date  # UTC
    amount: Money | None = None
    lines: Mapping[LineId, int] | None = None


@dataclass(frozen=True, slots=True)
class PartialRefundBeforeCapture(Reason):
    """Nothing was taken yet: the whole can be given up, not a part"""

    order_id: OrderId
    asked: Money
    total: Money


def handle_refund_order(cache: StateCache, command: RefundOrder) -> Decision:
    """Begins the refund, or books it where no gateway has the money."""
    order_id = command.order_id
    order_stream, payment_stream = order.stream(order_id), payment.stream(order_id)
    process_stream = process.stream(order_id)
    states = cache.states((order_stream, payment_stream, process_stream))
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
        under_way=refunds_under_way(steps),
    )
    if paid.phase == "authorized" and not steps.capturing:
        total = order.placed_order(sold, order_id).total
        if planned.amount != total:
            raise Rejected(PartialRefundBeforeCapture(order_id, planned.amount, total))
        cancel(cache, decision, order_id=order_id, cause="canceled", reason=command.reason)
        decision.add(process_stream, process.undo(steps, paid, order_id=order_id))
        decision.awaited = AwaitedStep(process_stream, steps.last_step + 1)
    elif paid.source == "elsewhere":
        note = note_for(sold, planned, command.credit_note_id)
        decision.add(
            payment_stream,
            payment.refund(paid, order_id=order_id, amount=planned.amount, credit_note_id=note),
        )
        book(
            cache,
            decision,
            order_id=order_id,
            credit_note_id=note,
            planned=planned,
            reason=command.reason,
            issued_on=command.issued_on,
        )
    else:
        request = RefundRequest(
            credit_note_id=command.credit_note_id,
            lines=tuple(
                RequestedLine(
                    line_id=line.line_id,
                    quantity=line.quantity,
                    amount=line.amount.amount,
                    withdrawn=line.withdrawn,
                )
                for line in planned.lines
            ),
        )
        decision.add(
            process_stream,
            process.begin_refund(
                steps,
                paid,
                order_id=order_id,
                amount=planned.amount,
                request=request,
                reason=command.reason,
            ),
        )
        decision.awaited = AwaitedStep(process_stream, steps.last_step + 1)
    return decision


def note_for(sold: Order, planned: Refund, credit_note_id: str) -> str | None:
    """The credit note to book the refund under; None where it leaves nothing of the order.

    Such an order is canceled, and a sale that is undone needs no credit note.
    """
    return None if refund.leaves_nothing(sold, planned) else credit_note_id


def book(
    cache: StateCache,
    decision: Decision,
    *,
    order_id: OrderId,
    credit_note_id: str | None,
    planned: Refund,
    issued_on: date,
    reason: str | None = None,
) -> None:
    """Adds to `decision` what the refund does to the order: units it withdrew go on sale again.

    Under no credit note (see `note_for`) it cancels the order.
    """
    if credit_note_id is None:
        cancel(cache, decision, order_id=order_id, cause="refunded", reason=reason)
        return
    order_stream, note_stream = order.stream(order_id), credit_note.stream(credit_note_id)
    states: Mapping[str, Any] = cache.states((order_stream, note_stream))
    sold: Order = states[order_stream]
    placed = order.placed_order(sold, order_id)
    decision.add(
        order_stream,
        refund.book_refund(
            sold, order_id=order_id, credit_note_id=credit_note_id, refund=planned, reason=reason
        ),
    )
    numbers = (f"C{placed.number}-{nth}" for nth in count(len(sold.refunds) + 1))
    decision.add(
        note_stream,
        credit_note.issue(
            states[note_stream],
            credit_note_id=credit_note_id,
            number=number_credit_note(cache, decision, credit_note_id, numbers),
            currency=placed.currency,
            lines=refund.credited_lines(sold, planned),
            charges=refund.credited_charges(sold, planned, label="refund"),
            issued_on=issued_on,
            order_id=order_id,
            customer_id=placed.customer_id,
        ),
    )
    release_unsendable(cache, decision, order_id, order.with_refunds(sold, [planned]).values())


def refunds_under_way(steps: Process) -> list[Refund]:
    """What was asked of the gateway for this order and not answered."""
    return [
        refund_of(step.amount, step.refund) for step in steps.refunds_under_way if step.refund is not None
    ]


def refund_of(amount: Money, request: RefundRequest) -> Refund:
    """What a refund step at the gateway is about."""
    return Refund(
        amount=amount,
        lines=tuple(
            RefundedLine(
                line_id=line.line_id,
                quantity=line.quantity,
                amount=Money(line.amount, amount.currency),
                withdrawn=line.withdrawn,
            )
            for line in request.lines
        ),
    )


HANDLERS: Handlers = {RefundOrder: handle_refund_order}
