"""What an order and its payment owe each other: read off both, whoever asks."""

from __future__ import annotations

from collections.abc import Iterable

from aggregates.kernel import Money, OrderId
from aggregates.orders.events import RefundedLine, Tender, amount_of_withdrawn
from aggregates.orders.order import Order, Refund, paid_beside_lines, with_refunds
from aggregates.payments.events import OwedChanged, ProcessEvent, RefundRequest, StepBegun
from aggregates.payments.payment import Payment
from aggregates.payments.process import LOST, Process


def in_parts(sold: Order, paid: Payment) -> bool:
    """Whether each fulfilment takes its part: that is wanted, the bank can, and not all was taken already."""
    asked_for = sold.placed is not None and paid.capture == "each"
    return asked_for and any(one.in_parts for one in paid.standings.values()) and not _all_taken(sold, paid)


def due(sold: Order, paid: Payment, process: Process) -> int:
    """What may have been taken by now in all, in minor units, with what went back since."""
    if sold.placed is None or not sold.confirmed or sold.canceled:
        return 0
    if in_parts(sold, paid):
        return _from_card(sold, process) + paid.returned + _amount(process.refunds_under_way)
    return sold.placed.card.amount if paid.capture == "checkout" or sold.units_fulfilled else 0


def paid_back(sold: Order, paid: Payment, process: Process, planned: Refund) -> int:
    """How much of a refund the gateway is to pay back, in minor units.

    The rest was never taken, and is not going to be: what is held for units that are not sent any more, and
    what is beyond the money that was taken and is still there.
    """
    card = planned.card.amount
    if not in_parts(sold, paid):
        return card
    captures = [step for step in process.open_steps.values() if step.call == "capture"]
    held = 0 if any(step.final for step in captures) else paid.held - _amount(captures)
    taken = paid.captured + _amount(captures) - paid.returned - _amount(process.refunds_under_way)
    unsent = min(card, sum(amount_of_withdrawn(part, part.withdrawn or 0) for part in planned.lines))
    sent = card - unsent
    released = min(max(0, sent - (taken - paid.disputed)), held)
    return sent - released + min(unsent, max(0, taken - _from_card(sold, process)))


def refunds_under_way(process: Process) -> list[Refund]:
    """What was asked of the gateway for this order and not answered."""
    return [
        refund_of(step.amount, step.refund) for step in process.refunds_under_way if step.refund is not None
    ]


def refund_of(amount: Money, request: RefundRequest) -> Refund:
    """What a refund step of this amount is about."""
    credit = tuple(
        Tender(kind=one.kind, amount=Money(one.amount, amount.currency), account_id=one.account_id)
        for one in request.credit
    )
    return Refund(
        amount=Money.sum((amount, *(one.amount for one in credit)), amount.currency)
        + Money(request.released, amount.currency),
        credit=credit,
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


def owe(sold: Order, paid: Payment, process: Process, *, order_id: OrderId) -> tuple[ProcessEvent, ...]:
    """What a person must settle, where it is another than before; nothing while a call is under way."""
    if sold.placed is None or process.open_steps or paid.amount is None:
        return ()
    card, credited = sold.placed.card, sold.refunded_card_amount
    if sold.canceled:
        to_customer = paid.left
        to_shop = 0
    elif in_parts(sold, paid):
        to_customer = paid.left - _from_card(sold, process)
        to_shop = due(sold, paid, process) - paid.captured
    else:
        to_customer = credited + max(0, paid.captured - card.amount) - paid.returned - paid.disputed
        to_shop = (due(sold, paid, process) if sold.units_fulfilled else 0) - credited - paid.captured
    owed = OwedChanged(
        order_id=order_id,
        to_shop=Money(max(0, to_shop - process.written_off_to_shop), card.currency),
        to_customer=Money(max(0, to_customer - process.written_off_to_customer), card.currency),
        stuck=tuple(dict.fromkeys(step.call for step in _still_stuck(process, paid))),
        concerns=tuple(
            sorted(concern for concern in process.concerns if concern != "hold_lapses" or paid.held > 0)
        ),
    )
    if process.owed is None and not owed.is_owed:
        return ()
    return () if owed == process.owed else (owed,)


def _from_card(sold: Order, process: Process) -> int:
    """What is the shop's by now and the card's to pay: credit, which was taken at once, pays first."""
    assert sold.placed is not None
    under_way = sum(refund.credit_amount for refund in refunds_under_way(process))
    kept = sold.placed.credit.amount - sum(sold.refunded_credit.values()) - under_way
    return max(0, _earned(sold, process) - kept)


def _earned(sold: Order, process: Process) -> int:
    """What is the shop's by now where each fulfilment takes its part, refunds under way taken as made.

    The goods sent with the charges, or where nothing is left to send all that is not withdrawn; less what was
    credited for goods sent, or for none.
    """
    assert sold.placed is not None
    under_way = refunds_under_way(process)
    lines = with_refunds(sold, under_way).values()
    withdrawn = sum(line.withdrawn_amount for line in lines)
    credited = sold.refunded_amount + sum(refund.amount.amount for refund in under_way)
    earned = sold.placed.total.amount - withdrawn
    if any(line.unsent for line in lines):
        charges = paid_beside_lines(sold.placed) if sold.units_fulfilled else 0
        earned = min(earned, max(0, sum(line.sent_amount for line in lines) + charges))
    return max(0, earned - (credited - withdrawn))


def _all_taken(sold: Order, paid: Payment) -> bool:
    return sold.placed is not None and paid.captured >= sold.placed.card.amount


def _amount(steps: Iterable[StepBegun]) -> int:
    return sum(step.amount.amount for step in steps)


def _still_stuck(process: Process, paid: Payment) -> list[StepBegun]:
    """The stuck steps that what is known by now has not made needless."""

    def matters(step: StepBegun) -> bool:
        known = paid.standings.get(step.gateway_reference or "")
        match step.call:
            case "authorize":
                return process.outcomes[step.step] == LOST
            case "void":
                return known is None or known.open
            case "capture":
                return known is not None and known.held > 0
            case "refund":
                return known is None or known.left > 0
            case "look":
                return True

    return [step for step in process.stuck.values() if matters(step)]
