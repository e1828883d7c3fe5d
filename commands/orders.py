"""Placing an order and canceling one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from aggregates.cart import cart
from aggregates.cart.cart import Cart
from aggregates.inventory import stock
from aggregates.inventory.events import ReleaseCause
from aggregates.kernel import CartId, OrderId, Reason, Rejected
from aggregates.orders import order
from aggregates.orders.events import Address
from aggregates.orders.order import Order, Purchase
from aggregates.payments import payment, process
from aggregates.payments.events import CaptureWhen
from commands.books import Books
from commands.decision import SHOPPER, Actor, AwaitedStep, Decision, TooLarge
from commands.handling import Handlers


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
    payment_method: str
    capture: CaptureWhen
    placed_on: date  # UTC
    expires_at: datetime  # UTC; payment undecided by then, the units go back on sale
    secret_hash: str | None = None  # SHA-256, hex, of what its shopper is told


@dataclass(frozen=True, slots=True)
class OrderSecretRequired(Reason):
    """This is for whoever placed the order"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Give an order up, before anything of it was sent."""

    name: ClassVar = "cancel_order"
    order_id: OrderId
    reason: str


def order_number(order_id: OrderId) -> str:
    """What people call the order: ten digits in groups, from what is random in its id."""
    digits = f"{int(order_id[-16:], 16) % 10**10:010d}"
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"


def handle_place_order(books: Books, command: PlaceOrder) -> Decision:
    """One command over the cart, the order, every stock, the payment and its process."""
    cart_stream, order_stream = f"cart-{command.cart_id}", f"order-{command.order_id}"
    payment_stream, process_stream = f"payment-{command.order_id}", f"checkout-{command.order_id}"
    held: Cart = books.state(cart_stream)
    states = books.states(
        (
            order_stream,
            payment_stream,
            process_stream,
            *(f"product-{sku}" for sku in held.lines),
            *(f"stock-{sku}" for sku in held.lines),
        )
    )
    decision = Decision(id=command.order_id, stream=order_stream, created=True)
    if states[order_stream].placed is not None:
        return decision  # Once placed, its stock may have moved on: nothing is reserved a second time.
    offers = {sku: states[f"product-{sku}"].offer for sku in held.lines}
    decision.add(
        cart_stream,
        cart.check_out(held, cart_id=command.cart_id, order_id=command.order_id, products=offers),
    )
    placed = order.place(
        states[order_stream],
        order_id=command.order_id,
        number=order_number(command.order_id),
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
    for line in held.lines.values():
        decision.add(
            f"stock-{line.sku}",
            stock.reserve(
                states[f"stock-{line.sku}"],
                sku=line.sku,
                order_id=command.order_id,
                quantity=line.quantity,
                expires_at=command.expires_at,
            ),
        )
    decision.add(
        payment_stream,
        payment.request(
            states[payment_stream],
            order_id=command.order_id,
            method=command.payment_method,
            amount=held.total,
            capture=command.capture,
        ),
    )
    decision.add(process_stream, process.start(states[process_stream], order_id=command.order_id))
    decision.add(
        process_stream,
        process.begin_step(
            states[process_stream],
            order_id=command.order_id,
            call="authorize",
            amount=held.total,
            method=command.payment_method,
        ),
    )
    decision.awaited = AwaitedStep(process_stream, 1)
    return decision


def handle_cancel_order(books: Books, command: CancelOrder) -> Decision:
    """Cancels, puts the units back on sale, and undoes the payment."""
    order_id, process_stream = command.order_id, f"checkout-{command.order_id}"
    states = books.states((f"order-{order_id}", f"payment-{order_id}", process_stream))
    _require_hold(books.actor, states[f"order-{order_id}"])
    decision = Decision(id=order_id, stream=f"order-{order_id}")
    if cancel(books, decision, order_id=order_id, reason=command.reason, cause="canceled"):
        steps = states[process_stream]
        undone = process.undo(steps, states[f"payment-{order_id}"], order_id=order_id)
        decision.add(process_stream, undone)
        decision.awaited = AwaitedStep(process_stream, steps.last_step + 1) if undone else None
    return decision


def _require_hold(actor: Actor, asked_for: Order) -> None:
    """A shopper may ask for an order that was placed with a secret; one of before is the operator's."""
    placed = asked_for.placed
    if actor.kind == SHOPPER and (placed is None or placed.secret_hash is None):
        raise Rejected(OrderSecretRequired())


def cancel(books: Books, decision: Decision, *, order_id: OrderId, reason: str, cause: ReleaseCause) -> bool:
    """Adds to `decision` the order's cancellation and its units' release; False where it is canceled already.

    What the gateway holds of it is the caller's to undo.
    """
    order_stream, process_stream = f"order-{order_id}", f"checkout-{order_id}"
    states = books.states((order_stream, process_stream))
    placed = order.placed_order(states[order_stream], order_id)
    canceled = order.cancel(
        states[order_stream],
        order_id=order_id,
        reason=reason,
        refunding=bool(states[process_stream].refunds_under_way),
    )
    decision.add(order_stream, canceled)
    if not canceled:
        return False
    skus = dict.fromkeys(line.sku for line in placed.lines)
    stocks = books.states(f"stock-{sku}" for sku in skus)
    for sku in skus:
        decision.add(
            f"stock-{sku}",
            stock.release(stocks[f"stock-{sku}"], sku=sku, order_id=order_id, cause=cause),
        )
    return True


HANDLERS: Handlers = {PlaceOrder: handle_place_order, CancelOrder: handle_cancel_order}
