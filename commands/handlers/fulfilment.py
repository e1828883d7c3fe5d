"""Sending an order's lines, and taking them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from aggregates.inventory import stock
from aggregates.kernel import LineId, OrderId, Reason, Rejected, Sku
from aggregates.orders import fulfilment, order
from aggregates.orders.events import LineQuantity, LinesFulfilled, LinesReturned
from aggregates.orders.order import Order
from aggregates.payments import payment, process
from aggregates.payments.payment import Payment, PaymentNotPossible
from aggregates.settlement import refunds_under_way
from commands.gift_codes import GiftCodes
from commands.handlers.cancellation import release_unsendable
from commands.handlers.credit import debit_refunded_before, open_sold
from commands.handlers.settlement import Account
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache

LAPSE_MARGIN = timedelta(hours=1)
"""Before a hold lapses nothing is sent any more for its money: the capture must still reach the bank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfilOrder:
    """Send units of an order; `lines` None: all that remain. `codes`: of the gift cards among them."""

    name: ClassVar = "fulfil_order"
    order_id: OrderId
    fulfilment_id: str
    sent_at: datetime  # UTC
    lines: Mapping[LineId, int] | None = None
    codes: GiftCodes | None = None

    def journal_arguments(self) -> dict[str, Any]:
        """All but what codes are made with."""
        return {name: getattr(self, name) for name in ("order_id", "fulfilment_id", "sent_at", "lines")}


@dataclass(frozen=True, slots=True)
class AuthorizationLapses(Reason):
    """The bank is about to stop holding the money: it may be gone before it is taken"""

    order_id: OrderId
    capture_before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLines:
    """Take back units that were sent; `lines` None: all that are out."""

    name: ClassVar = "return_lines"
    personal: ClassVar = ("reason",)
    order_id: OrderId
    return_id: str
    restock: bool
    reason: str | None
    lines: Mapping[LineId, int] | None = None


def handle_fulfil_order(cache: StateCache, command: FulfilOrder) -> Decision:
    """Sends from what is reserved; the first fulfilment begins the capture, in full."""
    order_id = command.order_id
    order_stream, process_stream = order.stream(order_id), process.stream(order_id)
    states = cache.states((order_stream, process_stream, payment.stream(order_id)))
    sold: Order = states[order_stream]
    _require_money(sold, states[payment.stream(order_id)], order_id, command.sent_at)
    decision = Decision(
        id=command.fulfilment_id, stream=order_stream, created=True, facts={"order_id": order_id}
    )
    sent = fulfilment.fulfil(
        sold,
        order_id=order_id,
        fulfilment_id=command.fulfilment_id,
        lines=command.lines,
        under_way=refunds_under_way(states[process_stream]),
        account_of=None if command.codes is None else partial(command.codes.sold_account, order_id),
    )
    cards = [
        (card, fulfilment.worth_of(sold, card))
        for event in sent
        if isinstance(event, LinesFulfilled)
        for card in event.gift_cards
    ]
    decision.add(order_stream, sent)
    if opened := open_sold(cache, decision, order_id, cards):
        decision.facts = {**decision.facts, "gift_cards": opened}
        debit_refunded_before(cache, decision, sold, order_id, [card for card, _ in cards])
    release_unsendable(cache, decision, order_id, sold.lines.values())
    units = _units_by_sku(part for event in sent if isinstance(event, LinesFulfilled) for part in event.lines)
    stocks = cache.states(stock.stream(sku) for sku in units)
    for sku, quantity in units.items():
        decision.add(
            stock.stream(sku),
            stock.dispatch(stocks[stock.stream(sku)], sku=sku, order_id=order_id, quantity=quantity),
        )
    Account(cache, order_id, decision).settle(on=command.sent_at.date())
    return decision


def handle_return_lines(cache: StateCache, command: ReturnLines) -> Decision:
    """Records the return, and puts the units back on the shelf where they are fit for sale."""
    order_id, order_stream = command.order_id, order.stream(command.order_id)
    decision = Decision(id=command.return_id, stream=order_stream, created=True, facts={"order_id": order_id})
    returned = fulfilment.return_lines(
        cache.state(order_stream),
        order_id=order_id,
        return_id=command.return_id,
        lines=command.lines,
        restock=command.restock,
        reason=command.reason,
    )
    decision.add(order_stream, returned)
    if not command.restock:
        return decision
    units = _units_by_sku(
        part for event in returned if isinstance(event, LinesReturned) for part in event.lines
    )
    stocks = cache.states(stock.stream(sku) for sku in units)
    for sku, quantity in units.items():
        decision.add(
            stock.stream(sku),
            stock.restock(
                stocks[stock.stream(sku)],
                sku=sku,
                order_id=order_id,
                return_id=command.return_id,
                quantity=quantity,
            ),
        )
    return decision


def _require_money(sold: Order, paid: Payment, order_id: OrderId, now: datetime) -> None:
    """Goods leave only for money that is ours, or that the bank still holds for long enough to take it."""
    if not sold.confirmed or sold.canceled or paid.not_needed or paid.captured:
        return
    if not paid.held:
        raise Rejected(PaymentNotPossible(order_id=order_id, step="capture", payment_status=paid.status))
    lapses = min((one.capture_before for one in paid.open if one.held and one.capture_before), default=None)
    if lapses is not None and now >= lapses - LAPSE_MARGIN:
        raise Rejected(AuthorizationLapses(order_id=order_id, capture_before=lapses))


def _units_by_sku(parts: Iterable[LineQuantity]) -> Counter[Sku]:
    units: Counter[Sku] = Counter()
    for part in parts:
        units[part.sku] += part.quantity
    return units


HANDLERS: Handlers = {FulfilOrder: handle_fulfil_order, ReturnLines: handle_return_lines}
