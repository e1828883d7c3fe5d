"""Placing an order and canceling one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import ClassVar

from aggregates.cart import cart
from aggregates.cart.cart import Cart
from aggregates.catalog import product
from aggregates.inventory import stock
from aggregates.inventory.stock import NotEnoughStock, Shortage, Stock
from aggregates.kernel import CartId, Money, OrderId, Reason, Rejected, Sku
from aggregates.orders import order
from aggregates.orders.events import Address, OrderEvent, OrderPlaced
from aggregates.orders.order import Order, Purchase
from aggregates.payments import payment, process
from aggregates.payments.events import CaptureWhen
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process
from aggregates.payments.steps import begin_authorize
from commands.handlers.cancellation import cancel, release_unsendable
from commands.handlers.chargeable import Chargeable, any_amount, require_chargeable
from commands.handlers.numbering import drawn_numbers, number_order, order_number_stream
from commands.handlers.settlement import settle
from commands.loop.decision import SHOPPER, Actor, AwaitedStep, Decision, TooLarge
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True)
class OrderTooLarge(TooLarge):
    """The order has more or longer lines than one order can have"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Check a cart out: the order, its stock and the request for its payment, together or not at all."""

    name: ClassVar = "place_order"
    personal: ClassVar = ("email", "shipping_address")
    too_large: ClassVar = OrderTooLarge
    cart_id: CartId
    order_id: OrderId  # `new_id()`, made for this command
    email: str
    shipping_address: Address
    payment_method: str | None  # None where nothing is to be paid
    capture: CaptureWhen
    placed_on: date  # UTC
    expires_at: datetime  # UTC; payment undecided by then, the units go back on sale
    secret_hash: str | None = None  # SHA-256, hex, of the secret its shopper gets


@dataclass(frozen=True, slots=True)
class OrderSecretRequired(Reason):
    """This is for whoever placed the order"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Give an order up, before anything of it was sent."""

    name: ClassVar = "cancel_order"
    personal: ClassVar = ("reason",)
    order_id: OrderId
    canceled_on: date  # UTC
    reason: str | None = None


def handle_place_order(
    cache: StateCache, command: PlaceOrder, *, chargeable: Chargeable = any_amount
) -> Decision:
    """One command over the cart, the order, every stock, the payment and its process."""
    cart_stream, order_stream = cart.stream(command.cart_id), order.stream(command.order_id)
    payment_stream, process_stream = payment.stream(command.order_id), process.stream(command.order_id)
    new = (
        order_stream,
        payment_stream,
        process_stream,
        order_number_stream(next(drawn_numbers(command.order_id))),
    )
    cache.expect_new(*new)
    held: Cart = cache.state(cart_stream)
    states = cache.states(
        (
            *new,
            *(product.stream(sku) for sku in held.lines),
            *(stock.stream(sku) for sku in held.lines),
        )
    )
    decision = Decision(id=command.order_id, stream=order_stream, created=True)
    if states[order_stream].placed is not None:
        return decision  # Once placed, its stock may have moved on: nothing is reserved a second time.
    offers = {sku: states[product.stream(sku)].offer for sku in held.lines}
    decision.add(
        cart_stream,
        cart.check_out(held, cart_id=command.cart_id, order_id=command.order_id, offers=offers),
    )
    placed = order.place(
        states[order_stream],
        order_id=command.order_id,
        number=number_order(cache, decision, command.order_id, drawn_numbers(command.order_id)),
        channel="web",
        currency=held.currency,
        lines=[
            Purchase(
                line_id=line.line_id,
                sku=line.sku,
                title=line.title,
                seller=offers[line.sku].seller,
                quantity=line.quantity,
                unit_price=line.unit_price,
            )
            for line in held.lines.values()
        ],
        placed_on=command.placed_on,
        customer_id=held.customer_id,
        cart_id=command.cart_id,
        email=command.email,
        shipping_address=command.shipping_address,
        secret_hash=command.secret_hash,
    )
    decision.add(order_stream, placed)
    total = _total(placed)
    free = total.amount == 0
    require_chargeable(total, chargeable)
    _reserve(decision, held, {sku: states[stock.stream(sku)] for sku in held.lines}, command, confirmed=free)
    decision.add(
        payment_stream,
        payment.request(
            states[payment_stream],
            order_id=command.order_id,
            method=command.payment_method,
            amount=total,
            capture=command.capture,
        ),
    )
    if free:
        sold = decision.after(order_stream, states[order_stream])
        decision.add(order_stream, order.confirm(sold, order_id=command.order_id))
        return decision
    decision.add(process_stream, process.start(states[process_stream], order_id=command.order_id))
    decision.add(
        process_stream,
        begin_authorize(
            states[process_stream],
            order_id=command.order_id,
            method=command.payment_method,
            amount=total,
            in_parts=command.capture == "each",
        ),
    )
    decision.awaited = AwaitedStep(process_stream, 1)
    return decision


def handle_cancel_order(cache: StateCache, command: CancelOrder) -> Decision:
    """Cancels, puts the units back on sale, and undoes the payment; again where the gateway refused that.

    Of an order that was sent in part and has nothing left to send, what is still set aside goes back.
    """
    order_id, process_stream, payment_stream = (
        command.order_id,
        process.stream(command.order_id),
        payment.stream(command.order_id),
    )
    states = cache.states((order.stream(order_id), payment_stream, process_stream))
    sold: Order = states[order.stream(order_id)]
    _require_hold(cache.actor, sold)
    paid: Payment = states[payment_stream]
    steps: Process = states[process_stream]
    decision = Decision(id=order_id, stream=order.stream(order_id))
    if sold.units_fulfilled and release_unsendable(cache, decision, order_id, sold.lines.values()):
        return decision
    cancel(
        cache,
        decision,
        order_id=order_id,
        cause="canceled",
        reason=command.reason,
        refunding=bool(steps.refunds_under_way),
    )
    if steps.stuck and not steps.open_steps:
        decision.add(process_stream, process.retry(steps, order_id=order_id))
    settle(cache, decision, order_id, on=command.canceled_on)
    if paid.paid_elsewhere is not None and paid.left:
        decision.add(
            payment_stream,
            payment.refund_elsewhere(
                paid,
                order_id=order_id,
                amount=Money(paid.left, paid.paid_elsewhere.currency),
                credit_note_id=None,
            ),
        )
    return decision


def _require_hold(actor: Actor, asked_for: Order) -> None:
    """A shopper may ask for an order that was placed with a secret; one of before is the operator's."""
    placed = asked_for.placed
    if actor.kind == SHOPPER and (placed is None or placed.secret_hash is None):
        raise Rejected(OrderSecretRequired())


def _reserve(
    decision: Decision, held: Cart, stocks: Mapping[Sku, Stock], command: PlaceOrder, *, confirmed: bool
) -> None:
    """Sets every line aside; refuses with all that is short."""
    short: list[Shortage] = []
    for line in held.lines.values():
        try:
            reserved = stock.reserve(
                stocks[line.sku],
                sku=line.sku,
                order_id=command.order_id,
                quantity=line.quantity,
                expires_at=command.expires_at,
                confirmed=confirmed,
            )
        except Rejected as rejected:
            if not isinstance(rejected.reason, NotEnoughStock):
                raise
            short += rejected.reason.short
        else:
            decision.add(stock.stream(line.sku), reserved)
    if short:
        raise Rejected(NotEnoughStock.of(short))


def _total(placed: Iterable[OrderEvent]) -> Money:
    (event,) = placed
    assert isinstance(event, OrderPlaced)
    return event.total


def handlers(chargeable: Chargeable) -> Handlers:
    """The gateway's `chargeable` says why an amount cannot be paid at all."""
    return {
        PlaceOrder: partial(handle_place_order, chargeable=chargeable),
        CancelOrder: handle_cancel_order,
    }
