"""Writing a cancellation down: what its orders bear, and what stands alone."""

from __future__ import annotations

from collections import Counter

from aggregates.inventory import stock
from aggregates.kernel import Money, OrderId, Sku
from aggregates.orders import credit_note, fulfilment, number, order, refund_booking
from aggregates.orders.events import CreditNoteLine
from aggregates.orders.order import Refund
from aggregates.payments import payment
from commands.handlers.numbering import given_numbers, number_credit_note
from commands.importing.online_retail.identity import adjustment_source
from commands.importing.online_retail.recording import (
    Credited,
    OrderCredit,
    RecordCancellation,
    StandAloneCredit,
)
from commands.loop.decision import Decision
from commands.loop.state_cache import StateCache

UNMATCHED = "returned, no sale to match"


def handle_record_cancellation(cache: StateCache, command: RecordCancellation) -> Decision:
    """One command over every credit note, order, payment and stock the cancellation touches."""
    first = credit_note.stream(command.first_credit_note_id)
    decision = Decision(id=command.number, stream=first)
    if cache.state(first).issued is not None:
        return decision
    cache.states(_streams(command))
    for part in command.on_orders:
        _credit_order(cache, decision, command, part)
    if command.alone is not None:
        _credit_alone(cache, decision, command, command.alone)
    decision.created = True
    return decision


def _streams(command: RecordCancellation) -> list[str]:
    """Every stream it touches, so that all are loaded at once."""
    parts: list[OrderCredit | StandAloneCredit] = [*command.on_orders]
    if command.alone is not None:
        parts.append(command.alone)
    return list(
        dict.fromkeys(
            [
                *(credit_note.stream(part.credit_note_id) for part in parts),
                *(number.credit_note_stream(part.number) for part in parts),
                *(order.stream(part.order_id) for part in command.on_orders),
                *(payment.stream(part.order_id) for part in command.on_orders),
                *(stock.stream(line.sku) for part in parts for line in part.lines),
            ]
        )
    )


def _credit_order(
    cache: StateCache, decision: Decision, command: RecordCancellation, part: OrderCredit
) -> None:
    order_id = part.order_id
    order_stream, payment_stream = order.stream(order_id), payment.stream(order_id)
    sold = cache.state(order_stream)
    decision.add(
        order_stream,
        fulfilment.return_lines(
            sold,
            order_id=order_id,
            return_id=part.return_id,
            lines=part.returned,
            restock=True,
        ),
    )
    amount = Money.sum((line.amount for line in part.refunded), command.currency)
    if amount.amount:  # What was free, or refunded before, comes back without money.
        decision.add(
            order_stream,
            refund_booking.book_refund(
                sold,
                order_id=order_id,
                credit_note_id=part.credit_note_id,
                refund=Refund(amount=amount, lines=tuple(part.refunded)),
            ),
        )
        decision.add(
            payment_stream,
            payment.refund_elsewhere(
                cache.state(payment_stream),
                order_id=order_id,
                amount=amount,
                credit_note_id=part.credit_note_id,
            ),
        )
    _issue(cache, decision, command, part, order_id=order_id)
    units: Counter[Sku] = Counter()
    for line in part.lines:
        units[line.sku] += line.quantity
    for sku, quantity in units.items():
        stream = stock.stream(sku)
        decision.add(
            stream,
            stock.restock(
                cache.state(stream), sku=sku, order_id=order_id, return_id=part.return_id, quantity=quantity
            ),
        )


def _credit_alone(
    cache: StateCache, decision: Decision, command: RecordCancellation, alone: StandAloneCredit
) -> None:
    _issue(cache, decision, command, alone)
    for line in alone.lines:
        stream = stock.stream(line.sku)
        # A restock names its order; without one the goods that came back are a correction upwards.
        decision.add(
            stream,
            stock.adjust(
                cache.state(stream),
                sku=line.sku,
                delta=line.quantity,
                reason=UNMATCHED,
                source=adjustment_source(command.number, line.nth),
            ),
        )


def _issue(
    cache: StateCache,
    decision: Decision,
    command: RecordCancellation,
    part: OrderCredit | StandAloneCredit,
    *,
    order_id: OrderId | None = None,
) -> None:
    stream = credit_note.stream(part.credit_note_id)
    decision.add(
        stream,
        credit_note.issue(
            cache.state(stream),
            credit_note_id=part.credit_note_id,
            number=number_credit_note(cache, decision, part.credit_note_id, given_numbers(part.number)),
            currency=command.currency,
            lines=[_note_line(line) for line in part.lines],
            charges=part.charges if isinstance(part, StandAloneCredit) else (),
            issued_on=command.issued_on,
            order_id=order_id,
            customer_id=command.customer_id,
        ),
    )


def _note_line(line: Credited) -> CreditNoteLine:
    return CreditNoteLine(sku=line.sku, title=line.title, quantity=line.quantity, amount=line.amount)
