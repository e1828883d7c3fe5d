"""Giving money back: how much, for which lines, and never more than was paid.

A refund is planned when it is asked for and booked when the money has gone back; between the two it is
under way, and the next plan counts it as gone. Of the units it covers, those that came back are refunded
first; the others, as far as they were not sent, are withdrawn: they are not sent any more.

A line is worth what was paid for it. Where an order was priced by rules of sale, its lines and its shipping
bear all of its total, so every refund is shared among them, and none gets back more than was paid for it.

It goes back to what it was paid with: the last taken first, which is the card, each up to what it gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

from aggregates.kernel import LineId, Money, OrderId, Reason, Rejected, WrongCurrency, allocate
from aggregates.orders.events import (
    Charge,
    CreditedTax,
    CreditNoteLine,
    OrderEvent,
    OrderPlaced,
    OrderRefunded,
    RefundedCharge,
    RefundedLine,
)
from aggregates.orders.fulfilment import Asked, TooManyUnits, UnknownLine, units_of
from aggregates.orders.order import Line, Order, Refund, paid_beside_lines, placed_order, with_refunds
from aggregates.pricing import refunds
from aggregates.pricing.refunds import Refundable, refund_amount
from aggregates.pricing.rules import SHIPPING
from aggregates.pricing.shares import share

CARD = "card"
"""The tender that the gateway pays back; credit is named by its account."""


@dataclass(frozen=True, slots=True)
class RefundTooLarge(Reason):
    """More than the order has left to refund"""

    order_id: OrderId
    asked: Money
    remaining: Money


@dataclass(frozen=True, slots=True)
class RefundOverTender(Reason):
    """More than this means of payment gave and has not got back"""

    tender: str
    asked: Money
    remaining: Money


@dataclass(frozen=True, slots=True)
class NothingToRefund(Reason):
    """Nothing of the order is left to refund"""

    order_id: OrderId
    order_status: str


def plan_refund(
    order: Order,
    *,
    order_id: OrderId,
    amount: Money | None = None,
    lines: Asked = None,
    shipping: bool = False,
    to: Mapping[str, Money] | None = None,
    under_way: Sequence[Refund] = (),
) -> Refund:
    """How much goes back, for what, and to what. `shipping` is named like a line, of one unit.

    `to`: what is to go to which tender (`Tender.key`); the rest goes as it was paid.

    Lines alone: their units' share of what was paid for them, so that refunding a line unit by unit gives
    exactly that. An amount alone: shared by what is left of each line and of shipping; borne by no line
    where the order was not priced by rules. Both: the amount, shared among the lines in
    proportion, and never more than they are worth. Neither: all that remains, charges included, and shared
    where amounts alone left less than the lines are worth; so is whatever comes to all that remains and
    would leave units to send: what is paid back completely is not sent.
    """
    placed = placed_order(order, order_id)
    lines_left = with_refunds(order, under_way)
    remaining = placed.total - order.refunded
    for refund in under_way:
        remaining -= refund.amount
    if order.canceled or not order.confirmed or remaining.amount <= 0:
        raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
    if amount is not None and amount.currency != placed.currency:
        raise Rejected(WrongCurrency(asked=amount.currency, expected=placed.currency))
    if placed.explanation is None:
        rest = _rest_of(lines_left, remaining, paid_beside_lines(placed))
    else:
        rest = _shared_rest_of(order, lines_left, remaining, under_way)
    all_of_it = Refund(amount=remaining, lines=rest)
    if lines is None and not shipping:
        planned = all_of_it if amount is None else share_amount(order, amount, under_way=under_way)
    else:
        units = units_of(
            lines_left,
            order_id=order_id,
            asked={} if lines is None else lines,
            left=lambda line: line.ordered.quantity - line.refunded,
        )
        worth = {
            line_id: _refundable(lines_left[line_id]).worth(quantity) for line_id, quantity in units.items()
        }
        if shipping:
            worth[SHIPPING] = _shipping_left(order, under_way)
            if not worth[SHIPPING]:
                raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
        planned = _of_parts(worth, order_id=order_id, units=units, amount=amount, currency=placed.currency)
    if planned.amount > remaining:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=planned.amount, remaining=remaining))
    if planned.amount.amount <= 0:
        raise Rejected(NothingToRefund(order_id=order_id, order_status=order.status))
    if planned.amount == remaining and _leaves_units_to_send(order, [*under_way, planned]):
        planned = all_of_it
    return _with_withdrawn_units(_to_tenders(order, planned, to or {}, under_way), lines_left)


def share_amount(order: Order, amount: Money, *, under_way: Sequence[Refund] = ()) -> Refund:
    """An amount for no units: shared by what is left of each line and of shipping, as far as it goes; borne
    by no line where the order was not priced by rules."""
    assert order.placed is not None
    if order.placed.explanation is None:
        return Refund(amount=amount, lines=())
    left = _refundables(order, under_way)
    shares = refund_amount(left, min(amount.amount, sum(one.left for one in left)))
    return Refund(
        amount=amount,
        lines=tuple(
            RefundedLine(line_id=one.target, quantity=0, amount=Money(one.amount, amount.currency))
            for one in shares
            if one.target in order.lines
        ),
    )


def cut_to_tenders(order: Order, refund: Refund) -> Refund:
    """What can still go back of a refund that was planned on more: each tender at most what is left of it."""
    assert order.placed is not None
    left = {one.tender: one.left for one in _tenders(order)}
    currency = refund.amount.currency
    parts = {one.key: min(one.amount, Money(left.get(one.key, 0), currency)) for one in refund.tenders}
    credit = tuple(replace(one, amount=parts[one.key]) for one in refund.credit if parts[one.key].amount)
    return replace(share_amount(order, Money.sum(parts.values(), currency)), credit=credit)


def leaves_nothing(order: Order, refund: Refund) -> bool:
    """Whether with this refund all money is back and no unit was or will be sent: the order ends canceled."""
    if order.placed is None or not order.units or order.units_fulfilled:
        return False
    is_all = order.refunded + refund.amount == order.placed.total
    return is_all and not _leaves_units_to_send(order, [refund])


def book_refund(
    order: Order, *, order_id: OrderId, credit_note_id: str, refund: Refund, reason: str | None = None
) -> tuple[OrderEvent, ...]:
    """Writes down that the money went back, once per credit note."""
    placed = placed_order(order, order_id)
    if credit_note_id in order.refunds:
        return ()
    for part in refund.lines:
        line = order.lines.get(part.line_id)
        if line is None:
            raise Rejected(UnknownLine(order_id=order_id, line_id=part.line_id))
        if part.quantity > line.ordered.quantity - line.refunded:
            raise Rejected(
                TooManyUnits(
                    line_id=part.line_id,
                    asked=part.quantity,
                    remaining=line.ordered.quantity - line.refunded,
                )
            )
    remaining = placed.total - order.refunded
    if refund.amount > remaining:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=refund.amount, remaining=remaining))
    if placed.explanation is not None:
        _require_left(order, refund, order_id)
    _require_tenders(order, refund)
    lines, charges = _taxed(order, refund)
    return (
        OrderRefunded(
            order_id=order_id,
            credit_note_id=credit_note_id,
            amount=refund.amount,
            lines=_with_withdrawn_units(replace(refund, lines=lines), order.lines).lines,
            charges=charges,
            tenders=refund.tenders,
            reason=reason,
            customer_id=placed.customer_id,
        ),
    )


def credited_lines(order: Order, lines: Sequence[RefundedLine]) -> tuple[CreditNoteLine, ...]:
    """A refund's lines as its credit note shows them."""
    return tuple(
        CreditNoteLine(
            sku=order.lines[line.line_id].ordered.sku,
            title=order.lines[line.line_id].ordered.title,
            quantity=line.quantity,
            amount=line.amount,
            tax=line.tax,
        )
        for line in lines
    )


def credited_taxes(order: Order, refunded: OrderRefunded) -> tuple[CreditedTax, ...]:
    """The tax in a refund by the order's tax groups; what bears no tax of a group is in none."""
    assert order.placed is not None
    placed, currency = order.placed, refunded.amount.currency
    base: dict[str, int] = {}
    tax: dict[str, int] = {}

    def count(group: str, amount: int, part: int) -> None:
        base[group] = base.get(group, 0) + amount - part
        tax[group] = tax.get(group, 0) + part

    for line in refunded.lines:
        group = order.lines[line.line_id].ordered.tax_group
        if group is not None and line.tax is not None:
            count(group, line.amount.amount, line.tax.amount)
    for charge in refunded.charges or ():
        bases = _shipping_bases(placed)
        if charge.kind == "shipping" and bases:
            shares = share(charge.amount.amount - charge.tax.amount, [*bases.values()])
            for group, net in zip(bases, shares, strict=True):
                part = charge.tax_groups.get(group, 0)
                count(group, net + part, part)
    return tuple(
        CreditedTax(
            group=one.group,
            label=one.label,
            rate=one.rate,
            base=Money(base[one.group], currency),
            amount=Money(tax[one.group], currency),
        )
        for one in placed.taxes
        if one.group in tax and (base[one.group] or tax[one.group])
    )


def _shipping_bases(placed: OrderPlaced) -> dict[str, int]:
    """What of shipping, its tax left out, each tax group is on: the group's base less what its lines are."""
    found: dict[str, int] = {}
    if placed.shipping is None:
        return found
    for total in placed.taxes:
        lines = [line for line in placed.lines if line.tax_group == total.group]
        part = total.base - sum(
            line.paid.amount if total.inside else line.paid.amount - line.tax.amount for line in lines
        )
        if total.inside:
            part -= placed.shipping.tax_groups.get(total.group, 0)
        if part > 0:
            found[total.group] = part
    return found


def credited_charges(order: Order, refund: Refund, *, label: str) -> tuple[Charge, ...]:
    """The part of a refund that no line bears: the order's own charges if it is all of them, else one sum."""
    assert order.placed is not None
    beside = Money(_beside_lines(refund), refund.amount.currency)
    if beside.amount == 0:
        return ()
    if order.placed.explanation is not None:
        shipping = order.placed.shipping
        return (Charge(kind="shipping", label=label if shipping is None else shipping.label, amount=beside),)
    if beside.amount == paid_beside_lines(order.placed) and not _refunded_beside_lines(order):
        return order.placed.charges
    return (Charge(kind="manual", label=label, amount=beside),)


def _to_tenders(order: Order, refund: Refund, to: Mapping[str, Money], under_way: Sequence[Refund]) -> Refund:
    """The refund with the credit that gets its part of it back."""
    assert order.placed is not None
    currency = refund.amount.currency
    given = [one for one in order.placed.tenders if one.kind != "card"]
    if not given and not to:
        return refund
    for amount in to.values():
        if amount.currency != currency:
            raise Rejected(WrongCurrency(asked=amount.currency, expected=currency))
    named = Money.sum(to.values(), currency)
    if named > refund.amount:
        raise Rejected(RefundTooLarge(order.placed.order_id, named, refund.amount))
    parts_named = {tender: amount.amount for tender, amount in to.items()}
    try:
        parts = refunds.by_tender(refund.amount.amount, _tenders(order, under_way), parts_named)
    except refunds.OverTenderError as error:
        raise Rejected(
            RefundOverTender(error.tender, Money(error.requested, currency), Money(error.remaining, currency))
        ) from None
    credit = (replace(one, amount=Money(parts.get(one.key, 0), currency)) for one in reversed(given))
    return replace(refund, credit=tuple(one for one in credit if one.amount.amount))


def _require_tenders(order: Order, refund: Refund) -> None:
    """Refuses more for a tender than it gave and has not got back."""
    assert order.placed is not None
    currency = refund.amount.currency
    left = {one.tender: one.left for one in _tenders(order)}
    for one in refund.tenders:
        if one.amount.amount > left.get(one.key, 0):
            remaining = Money(left.get(one.key, 0), currency)
            raise Rejected(RefundOverTender(one.key, one.amount, remaining))


def _tenders(order: Order, under_way: Sequence[Refund] = ()) -> list[refunds.Tender]:
    """What each tender gave and got back, in the order they were taken; refunds `under_way` count."""
    assert order.placed is not None
    back = Counter(order.refunded_credit) + Counter({CARD: order.refunded_card_amount})
    for refund in under_way:
        for one in refund.tenders:
            back[one.key] += one.amount.amount
    gave = {one.key: one.amount.amount for one in order.placed.tenders if one.kind != "card"}
    gave[CARD] = order.placed.card.amount
    return [refunds.Tender(key, amount, back[key]) for key, amount in gave.items()]


def _taxed(order: Order, refund: Refund) -> tuple[tuple[RefundedLine, ...], tuple[RefundedCharge, ...]]:
    """The parts of a refund with the tax in each; of orders without rules there is none."""
    assert order.placed is not None
    currency = refund.amount.currency
    nothing = Money(0, currency)
    beside = _beside_lines(refund)
    if order.placed.explanation is None:
        charge = RefundedCharge(kind="manual", amount=Money(beside, currency), tax=nothing)
        lines = tuple(replace(part, tax=nothing) for part in refund.lines)
        return lines, (charge,) if beside else ()
    left = {one.target: one for one in _refundables(order)}
    lines = tuple(
        replace(part, tax=Money(left[part.line_id].tax_in(part.amount.amount), currency))
        for part in refund.lines
    )
    if not beside:
        return lines, ()
    tax = left[SHIPPING].tax_in(beside)
    shipping = order.placed.shipping
    groups = {} if shipping is None else shipping.tax_groups
    back = order.refunded_shipping_taxes
    left_of_groups = {one: amount - back.get(one, 0) for one, amount in groups.items()}
    charge = RefundedCharge(
        kind="shipping",
        amount=Money(beside, currency),
        tax=Money(tax, currency),
        tax_groups=refunds.share_tax(tax, left_of_groups) if groups else {},
    )
    return lines, (charge,)


def _leaves_units_to_send(order: Order, refunds: Sequence[Refund]) -> bool:
    return any(line.unsent for line in with_refunds(order, refunds).values())


def _with_withdrawn_units(refund: Refund, lines: Mapping[LineId, Line]) -> Refund:
    """The refund with the number of units that each of its parts withdraws from `lines`."""
    parts = []
    for part in refund.lines:
        before = lines[part.line_id]
        after = copy(before)
        after.refund(part)
        parts.append(replace(part, withdrawn=after.withdrawn - before.withdrawn))
    return replace(refund, lines=tuple(parts))


def _of_parts(
    worth: Mapping[LineId, int],
    *,
    order_id: OrderId,
    units: Mapping[LineId, int],
    amount: Money | None,
    currency: str,
) -> Refund:
    remaining = Money(sum(worth.values()), currency)
    if amount is None:
        shares = [Money(part, currency) for part in worth.values()]
    elif amount > remaining:
        raise Rejected(RefundTooLarge(order_id=order_id, asked=amount, remaining=remaining))
    else:
        shares = allocate(amount, list(worth.values())) if remaining.amount else []
    return Refund(
        amount=remaining if amount is None else amount,
        lines=tuple(
            RefundedLine(line_id=line_id, quantity=units[line_id], amount=share)
            for line_id, share in zip(worth, shares, strict=True)
            if line_id in units
        ),
    )


def _refundable(line: Line) -> Refundable:
    sold = line.ordered
    return Refundable(
        sold.line_id, sold.paid.amount, sold.tax.amount, sold.quantity, line.refunded, line.refunded_amount
    )


def _refundables(order: Order, under_way: Sequence[Refund] = ()) -> list[Refundable]:
    """The lines, and shipping as a line of one unit, with what is booked and `under_way` of each."""
    assert order.placed is not None
    found = [_refundable(line) for line in with_refunds(order, under_way).values()]
    shipping = order.placed.shipping
    if shipping is not None:
        refunded = _refunded_beside_lines(order) + sum(_beside_lines(refund) for refund in under_way)
        found.append(Refundable(SHIPPING, shipping.paid, shipping.tax, refunded=refunded))
    return found


def _shipping_left(order: Order, under_way: Sequence[Refund]) -> int:
    return sum(one.left for one in _refundables(order, under_way) if one.target == SHIPPING)


def _require_left(order: Order, refund: Refund, order_id: OrderId) -> None:
    """Refuses more for a line, or for shipping, than is left of what was paid for it."""
    parts = {part.line_id: part.amount.amount for part in refund.lines}
    parts[SHIPPING] = _beside_lines(refund)
    left = {SHIPPING: 0} | {one.target: one.left for one in _refundables(order)}
    for target, amount in parts.items():
        if amount > left[target]:
            currency = refund.amount.currency
            raise Rejected(RefundTooLarge(order_id, Money(amount, currency), Money(left[target], currency)))


def _beside_lines(refund: Refund) -> int:
    return refund.amount.amount - sum(part.amount.amount for part in refund.lines)


def _refunded_beside_lines(order: Order) -> int:
    return order.refunded_amount - sum(line.refunded_amount for line in order.lines.values())


def _rest_of(lines: Mapping[LineId, Line], remaining: Money, charges: int) -> tuple[RefundedLine, ...]:
    worth = [line.ordered.paid.amount - line.refunded_amount for line in lines.values()]
    shares = [Money(part, remaining.currency) for part in worth]
    beside = remaining.amount - sum(worth)
    if beside < 0 and beside != charges:
        shares = allocate(remaining, worth)
    rest = (
        RefundedLine(line_id=line_id, quantity=line.ordered.quantity - line.refunded, amount=share)
        for (line_id, line), share in zip(lines.items(), shares, strict=True)
    )
    return tuple(line for line in rest if line.quantity or line.amount.amount)


def _shared_rest_of(
    order: Order, lines: Mapping[LineId, Line], remaining: Money, under_way: Sequence[Refund]
) -> tuple[RefundedLine, ...]:
    """What is left of each line and its units; shipping bears the rest."""
    shares = refund_amount(_refundables(order, under_way), remaining.amount)
    amounts = {one.target: one.amount for one in shares}
    rest = (
        RefundedLine(
            line_id=line_id,
            quantity=line.ordered.quantity - line.refunded,
            amount=Money(amounts.get(line_id, 0), remaining.currency),
        )
        for line_id, line in lines.items()
    )
    return tuple(line for line in rest if line.quantity or line.amount.amount)
