"""Giving money back: through the gateway what it took; at once what was paid elsewhere, or never taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import ClassVar

from aggregates.kernel import LineId, Money, OrderId, Reason, Rejected
from aggregates.orders import order, refund
from aggregates.orders.order import Order
from aggregates.payments import payment, process
from aggregates.payments.events import RefundRequest, RequestedCredit, RequestedLine
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process
from aggregates.payments.steps import begin_refund
from aggregates.settlement import in_parts, paid_back, refunds_under_way
from commands.handlers.cancellation import cancel
from commands.handlers.chargeable import Chargeable, any_amount, require_chargeable
from commands.handlers.credit import debit, require_unspent
from commands.handlers.credit_notes import book, note_for
from commands.handlers.settlement import settle
from commands.loop.decision import AwaitedStep, Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Give money back: an amount, the worth of some lines and of shipping, or all that remains."""

    name: ClassVar = "refund_order"
    personal: ClassVar = ("reason",)
    order_id: OrderId
    credit_note_id: str
    reason: str | None
    issued_on: date  # UTC
    amount: Money | None = None
    lines: Mapping[LineId, int] | None = None
    shipping: bool = False
    to: Mapping[str, Money] | None = None  # by tender: `card`, or an account of credit


@dataclass(frozen=True, slots=True)
class PartialRefundBeforeCapture(Reason):
    """Nothing was taken yet: the whole can be given up, not a part"""

    order_id: OrderId
    asked: Money
    total: Money


def handle_refund_order(
    cache: StateCache, command: RefundOrder, *, chargeable: Chargeable = any_amount
) -> Decision:
    """Begins the refund of what the gateway took; books at once what it never will."""
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
        shipping=command.shipping,
        to=command.to,
        under_way=refunds_under_way(steps),
    )
    require_unspent(cache, sold, planned)
    placed = order.placed_order(sold, order_id)
    card = placed.card
    note = note_for(sold, planned, command.credit_note_id)
    amount = Money(paid_back(sold, paid, steps, planned), card.currency)
    untaken = paid.held > 0 and not paid.captured and not steps.is_open("capture")
    booked = partial(
        book,
        cache,
        decision,
        order_id=order_id,
        credit_note_id=note,
        planned=planned,
        reason=command.reason,
        issued_on=command.issued_on,
    )
    if untaken and (note is None or planned.amount == placed.total):
        cancel(cache, decision, order_id=order_id, cause="canceled", reason=command.reason)
        settle(cache, decision, order_id, on=command.issued_on)
    elif untaken and not in_parts(sold, paid) and planned.card.amount:
        raise Rejected(PartialRefundBeforeCapture(order_id, planned.card, card))
    elif paid.paid_elsewhere is not None:
        decision.add(
            payment_stream,
            payment.refund_elsewhere(paid, order_id=order_id, amount=planned.amount, credit_note_id=note),
        )
        booked()
    elif not amount.amount:
        booked()
        settle(cache, decision, order_id, on=command.issued_on)
    else:
        require_chargeable(amount, chargeable)
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
            released=(planned.card - amount).amount,
            credit=tuple(
                RequestedCredit(kind=one.kind, account_id=one.account_id, amount=one.amount.amount)
                for one in planned.credit
                if one.kind != "card" and one.account_id is not None
            ),
        )
        decision.add(
            process_stream,
            begin_refund(
                steps,
                paid,
                order_id=order_id,
                amount=amount,
                request=request,
                reason=command.reason,
            ),
        )
        # Before the money goes: meanwhile nobody can spend what is paid back.
        debit(cache, decision, sold, planned, order_id=order_id, credit_note_id=command.credit_note_id)
        decision.awaited = AwaitedStep(process_stream, steps.last_step + 1)
    return decision


def handlers(chargeable: Chargeable) -> Handlers:
    """The gateway's `chargeable` says why an amount cannot be given back at all."""
    return {RefundOrder: partial(handle_refund_order, chargeable=chargeable)}
