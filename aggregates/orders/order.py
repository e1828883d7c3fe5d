"""One order: placed, confirmed. Cancellation, sending, returns and refunds have modules beside this."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, assert_never

from aggregates.kernel import (
    LINE_HALF_EVEN,
    CartId,
    LineId,
    Money,
    OrderId,
    Reason,
    Rejected,
    Sku,
    StreamKind,
    UnitPrice,
    WrongCurrency,
)
from aggregates.orders.events import (
    Address,
    Charge,
    LinesFulfilled,
    LinesReturned,
    OrderCanceled,
    OrderClaim,
    OrderConfirmed,
    OrderEvent,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    RefundedCharge,
    RefundedLine,
    Tender,
    VatCheck,
    amount_of_withdrawn,
    withdrawn_by,
)
from aggregates.pricing.context import Context
from aggregates.pricing.explanation import Priced
from aggregates.pricing.rules import BASE
from aggregates.pricing.shares import share

OrderStatus = Literal[
    "unknown",
    "placed",
    "confirmed",
    "partially_fulfilled",
    "fulfilled",
    "partially_returned",
    "returned",
    "canceled",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A line to be ordered, at the price agreed; its total is the order's to compute."""

    line_id: LineId
    sku: Sku
    title: str
    seller: str
    quantity: int
    unit_price: UnitPrice
    list_id: str = BASE
    was: Decimal | None = None
    gift_card: bool = False


@dataclass(slots=True)
class Line:
    """A line as ordered, and how many of its units were sent, came back, were refunded and withdrawn."""

    ordered: OrderLine
    fulfilled: int = 0
    returned: int = 0
    refunded: int = 0  # units
    withdrawn: int = 0  # units, of those refunded: they are not sent
    refunded_amount: int = 0  # minor units
    withdrawn_amount: int = 0  # minor units, of those: for the units withdrawn
    gift_cards: list[str] = field(default_factory=list)  # the accounts of those that were sent

    @property
    def unsent(self) -> int:
        """Units that can still be sent."""
        return self.ordered.quantity - self.fulfilled - self.withdrawn

    @property
    def sent_amount(self) -> int:
        """What the units sent are worth, in minor units."""
        return self.ordered.paid.amount * self.fulfilled // self.ordered.quantity

    def fulfil(self, quantity: int) -> None:
        """Counts units as sent. Logs of before have some that were refunded too: those were not withdrawn."""
        self.fulfilled += quantity
        self.withdrawn += min(0, self.unsent)

    def refund(self, part: RefundedLine) -> None:
        """Counts the line's part of a refund."""
        withdrawn = withdrawn_by(part, unsent=self.unsent, unrefunded_returns=self._unrefunded_returns)
        self.withdrawn += withdrawn
        self.withdrawn_amount += amount_of_withdrawn(part, withdrawn)
        self.refunded += part.quantity
        self.refunded_amount += part.amount.amount

    @property
    def _unrefunded_returns(self) -> int:
        return self.returned - (self.refunded - self.withdrawn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """An amount to give back and the part of it that each line bears; shipping or charges bear the rest.

    `credit`: what of it goes back to gift cards and store credit; the card gets the rest.
    """

    amount: Money
    lines: tuple[RefundedLine, ...]
    credit: tuple[Tender, ...] = ()

    @property
    def credit_amount(self) -> int:
        """What goes back to credit, in minor units."""
        return sum(one.amount.amount for one in self.credit)

    @property
    def card(self) -> Money:
        """What goes back to the card."""
        return self.amount - Money(self.credit_amount, self.amount.currency)

    @property
    def tenders(self) -> tuple[Tender, ...]:
        """All that it goes back to, the card first."""
        card = (Tender(kind="card", amount=self.card),) if self.card.amount else ()
        return (*card, *self.credit)


@dataclass(slots=True)
class Order:
    """`placed` is None until the order is. The units are sums over the lines, kept for `status`."""

    placed: OrderPlaced | None = None
    confirmed: bool = False
    canceled: bool = False
    lines: dict[LineId, Line] = field(default_factory=dict)
    units: int = 0
    units_fulfilled: int = 0
    units_returned: int = 0
    units_withdrawn: int = 0
    refunded_amount: int = 0  # minor units, lines and charges
    refunded_shipping_taxes: dict[str, int] = field(default_factory=dict)  # minor units by tax group
    refunded_shipping_nets: dict[str, int] = field(default_factory=dict)  # the same, without the tax
    refunded_credit: dict[str, int] = field(default_factory=dict)  # minor units by account
    refunded_for_cards: dict[str, int] = field(default_factory=dict)  # see `_for_cards`, by credit note
    fulfilments: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)
    refunds: set[str] = field(default_factory=set)  # credit note ids

    @property
    def status(self) -> OrderStatus:
        """How far the order has come."""
        if self.placed is None:
            return "unknown"
        if self.canceled:
            return "canceled"
        units = self.units - self.units_withdrawn
        if self.units_returned:
            return "returned" if self.units_returned == units else "partially_returned"
        if self.units_fulfilled:
            return "fulfilled" if self.units_fulfilled == units else "partially_fulfilled"
        return "confirmed" if self.confirmed else "placed"

    @property
    def refunded_card_amount(self) -> int:
        """What of the refunds went back to the card, in minor units."""
        return self.refunded_amount - sum(self.refunded_credit.values())

    @property
    def refunded(self) -> Money:
        """What went back to the customer so far."""
        return Money(self.refunded_amount, "" if self.placed is None else self.placed.currency)


@dataclass(frozen=True, slots=True)
class UnknownOrder(Reason):
    """No such order"""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class NothingOrdered(Reason):
    """An order needs at least one line or charge"""

    order_id: OrderId


@dataclass(frozen=True, slots=True)
class TotalBelowZero(Reason):
    """The discounts exceed what was ordered"""

    order_id: OrderId
    total: Money


def initial() -> Order:
    """An order nobody has placed."""
    return Order()


def evolve(order: Order, event: OrderEvent) -> Order:
    """The order after the event; changes it in place."""
    match event:
        case OrderPlaced(lines=lines):
            order.placed = event
            for line in lines:
                order.lines[line.line_id] = Line(line)
                order.units += line.quantity
        case OrderConfirmed():
            order.confirmed = True
        case OrderCanceled():
            order.canceled = True
        case LinesFulfilled(fulfilment_id=fulfilment_id, lines=sent, gift_cards=cards):
            order.fulfilments.add(fulfilment_id)
            for card in cards:
                order.lines[card.line_id].gift_cards.append(card.account_id)
            for part in sent:
                order.lines[part.line_id].fulfil(part.quantity)
                order.units_fulfilled += part.quantity
            order.units_withdrawn = _withdrawn(order)
        case LinesReturned(return_id=return_id, lines=returned):
            order.returns.add(return_id)
            for part in returned:
                order.lines[part.line_id].returned += part.quantity
                order.units_returned += part.quantity
        case OrderRefunded():
            _refund(order, event)
        case _:
            assert_never(event)
    return order


def _refund(order: Order, event: OrderRefunded) -> None:
    order.refunds.add(event.credit_note_id)
    order.refunded_amount += event.amount.amount
    for charge in event.charges or ():
        for group, net in shared_shipping_net(order, charge).items():
            order.refunded_shipping_nets[group] = order.refunded_shipping_nets.get(group, 0) + net
        for group, tax in charge.tax_groups.items():
            order.refunded_shipping_taxes[group] = order.refunded_shipping_taxes.get(group, 0) + tax
    for tender in event.tenders or ():
        if tender.kind != "card":
            before = order.refunded_credit.get(tender.key, 0)
            order.refunded_credit[tender.key] = before + tender.amount.amount
    for part in event.lines:
        order.lines[part.line_id].refund(part)
    order.units_withdrawn = _withdrawn(order)
    if for_cards := _for_cards(order, event):
        order.refunded_for_cards[event.credit_note_id] = for_cards


def _for_cards(order: Order, event: OrderRefunded) -> int:
    """What a refund, booked just now, gave back for gift cards that were sent or can still be, in minor
    units."""
    cards = {line_id: line for line_id, line in order.lines.items() if line.ordered.gift_card}
    if not cards:
        return 0
    borne = sum(
        part.amount.amount - amount_of_withdrawn(part, part.withdrawn or 0)
        for part in event.lines
        if part.line_id in cards
    )
    beside = event.amount.amount - sum(part.amount.amount for part in event.lines)
    return borne + min(beside, max(0, refunded_beyond_goods(order)))


def refunded_beyond_goods(order: Order) -> int:
    """What an order without rules of sale gave back beside the lines of gift cards and beyond all that was
    paid for anything else, in minor units; below zero where some of that is left."""
    assert order.placed is not None
    if order.placed.explanation is not None:  # Lines and shipping bear all of it.
        return 0
    cards = [line for line in order.lines.values() if line.ordered.gift_card]
    goods = order.placed.total.amount - sum(line.ordered.paid.amount for line in cards)
    return order.refunded_amount - sum(line.refunded_amount for line in cards) - goods


stream = StreamKind("order", initial, evolve)


def place(
    order: Order,
    *,
    order_id: OrderId,
    number: str,
    channel: str,
    currency: str,
    lines: Sequence[Purchase],
    charges: Sequence[Charge] = (),
    placed_at: datetime,
    customer_id: str | None = None,
    cart_id: CartId | None = None,
    email: str | None = None,
    shipping_address: Address | None = None,
    billing_address: Address | None = None,
    vat_number: str | None = None,
    vat_check: VatCheck | None = None,
    secret_hash: str | None = None,
    shopper: str | None = None,
    priced: Priced | None = None,
    context: Context | None = None,
    claims: tuple[OrderClaim, ...] = (),
    credit: tuple[Tender, ...] = (),
) -> tuple[OrderEvent, ...]:
    """Orders the lines. Each exact line total is rounded half-even, then all is summed.

    `credit` pays its part of the total; the card the rest, if any.

    With `priced`, the outcome of the calculation on `context`: its lines alone, and its amounts.
    An order is placed once: its id identifies it.
    """
    if order.placed is not None:
        return ()
    if not lines and not charges:
        raise Rejected(NothingOrdered(order_id))
    if priced is not None:
        charges = [
            Charge(kind=one.kind, label=one.label, amount=Money(one.amount, currency))
            for one in priced.charges
        ]
    for asked in (
        *(line.unit_price.currency for line in lines),
        *(charge.amount.currency for charge in charges),
    ):
        if asked != currency:
            raise Rejected(WrongCurrency(asked=asked, expected=currency))
    ordered = tuple(map(_plain, lines)) if priced is None else _priced(lines, priced)
    total = Money.sum(
        (*(line.line_total for line in ordered), *(charge.amount for charge in charges)), currency
    )
    if total.amount < 0:
        raise Rejected(TotalBelowZero(order_id=order_id, total=total))
    return (
        OrderPlaced(
            order_id=order_id,
            number=number,
            channel=channel,
            currency=currency,
            lines=ordered,
            charges=tuple(charges),
            total=total,
            rounding=LINE_HALF_EVEN if priced is None else priced.explanation.calculation,
            placed_on=placed_at.astimezone(UTC).date(),
            placed_at=placed_at,
            customer_id=customer_id,
            cart_id=cart_id,
            email=email,
            shipping_address=shipping_address,
            billing_address=billing_address,
            vat_number=vat_number,
            vat_check=vat_check,
            secret_hash=secret_hash,
            tenders=_tenders(total, credit),
            shopper=shopper,
            claims=claims,
            context=context,
            explanation=None if priced is None else priced.explanation,
            taxes=() if priced is None else priced.taxes,
            shipping=None if priced is None else priced.shipping,
        ),
    )


def confirm(order: Order, *, order_id: OrderId) -> tuple[OrderEvent, ...]:
    """The money is promised: the order can be fulfilled. A canceled order stays canceled."""
    placed = placed_order(order, order_id)
    if order.confirmed or order.canceled:
        return ()
    return (OrderConfirmed(order_id=order_id, customer_id=placed.customer_id),)


def _tenders(total: Money, credit: tuple[Tender, ...]) -> tuple[Tender, ...]:
    rest = total - Money.sum((one.amount for one in credit), total.currency)
    if rest.amount < 0:
        raise ValueError(f"credit of more than {total}")
    return (*credit, Tender(kind="card", amount=rest)) if rest.amount or not credit else credit


def _plain(line: Purchase) -> OrderLine:
    """A line as bought, without discount or tax."""
    total = line.unit_price.times(line.quantity)
    nothing = Money(0, total.currency)
    return OrderLine(
        line_id=line.line_id,
        sku=line.sku,
        title=line.title,
        seller=line.seller,
        quantity=line.quantity,
        unit_price=line.unit_price,
        line_total=total,
        discount=nothing,
        tax=nothing,
        paid=total,
        list_id=line.list_id,
        was=line.was,
        gift_card=line.gift_card,
    )


def _priced(lines: Sequence[Purchase], priced: Priced) -> tuple[OrderLine, ...]:
    """The lines that the calculation has, with its amounts."""
    bought = {line.line_id: line for line in lines}
    currency = priced.currency
    return tuple(
        OrderLine(
            line_id=one.line_id,
            sku=one.sku,
            title=bought[one.line_id].title,
            seller=bought[one.line_id].seller,
            quantity=one.quantity,
            unit_price=UnitPrice(one.unit_price, currency),
            line_total=Money(one.line_total, currency),
            discount=Money(one.discount, currency),
            tax=Money(one.tax, currency),
            paid=Money(one.paid, currency),
            list_id=bought[one.line_id].list_id,
            was=bought[one.line_id].was,
            tax_group=one.tax_group,
            gift_of=one.gift_of,
            gift_card=bought[one.line_id].gift_card,
        )
        for one in priced.lines
    )


def placed_order(order: Order, order_id: OrderId) -> OrderPlaced:
    """What was ordered; refuses where nothing was."""
    if order.placed is None:
        raise Rejected(UnknownOrder(order_id))
    return order.placed


def paid_beside_lines(placed: OrderPlaced) -> int:
    """What is paid beside the lines, in minor units: shipping; or where no line has a part in them, all
    charges, below zero where they are discounts."""
    return placed.total.amount - sum(line.paid.amount for line in placed.lines)


def shared_shipping_net(order: Order, charge: RefundedCharge) -> dict[str, int]:
    """What of a refund of shipping, its tax left out, is on each tax group: by what is left of it there,
    so that refunds in parts come to what was paid."""
    assert order.placed is not None
    nets = _shipping_nets(order.placed)
    if charge.kind != "shipping" or not nets:
        return {}
    left = {group: net - order.refunded_shipping_nets.get(group, 0) for group, net in nets.items()}
    return dict(zip(left, share(charge.amount.amount - charge.tax.amount, [*left.values()]), strict=True))


def _shipping_nets(placed: OrderPlaced) -> dict[str, int]:
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


def with_refunds(order: Order, refunds: Sequence[Refund]) -> dict[LineId, Line]:
    """The order's lines as they would be with these refunds booked; the order stays as it is."""
    lines = dict(order.lines)
    for refund in refunds:
        for part in refund.lines:
            line = lines[part.line_id] = copy(lines[part.line_id])
            line.refund(part)
    return lines


def _withdrawn(order: Order) -> int:
    return sum(line.withdrawn for line in order.lines.values())
