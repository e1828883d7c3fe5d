"""Placing an order: what a cart becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from aggregates.cart import cart, items
from aggregates.cart.cart import Cart, CartLine
from aggregates.cart.events import DeliveryChosen
from aggregates.catalog import product
from aggregates.credit import account
from aggregates.customers import shopper
from aggregates.inventory import stock
from aggregates.inventory.stock import NotEnoughStock, Shortage, Stock
from aggregates.kernel import CartId, Money, OrderId, Rejected, Sku
from aggregates.orders import order
from aggregates.orders.events import Address, OrderPlaced, VatCheck
from aggregates.orders.order import Purchase
from aggregates.payments import payment, process
from aggregates.payments.events import CaptureWhen
from aggregates.payments.steps import begin_authorize
from aggregates.pricing.offer import Offer
from aggregates.pricing.rules import MAIN_MARKET
from aggregates.promotions import coupon
from aggregates.terms.terms import MAIN_TERMS
from commands.handlers.cart import UnknownMarket
from commands.handlers.chargeable import Chargeable, any_amount, require_chargeable
from commands.handlers.checkout_price import require_agreed, require_complete
from commands.handlers.claims import claim, coupons_that_count
from commands.handlers.credit import NamedCredit, choose_credit, redeem
from commands.handlers.numbering import drawn_numbers, number_order, order_number_stream
from commands.loop.decision import AwaitedStep, Decision, TooLarge
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache
from commands.quoting import Quote, postal_prefix, quote, region_as_named, requoted, rules_of


@dataclass(frozen=True, slots=True)
class OrderTooLarge(TooLarge):
    """The order has more or longer lines than one order can have"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Check a cart out: the order, its stock and the request for its payment, together or not at all."""

    name: ClassVar = "place_order"
    personal: ClassVar = ("email", "shipping_address", "billing_address", "vat_number")
    too_large: ClassVar = OrderTooLarge
    cart_id: CartId
    order_id: OrderId  # `new_id()`, made for this command
    email: str
    shipping_address: Address
    payment_method: str | None  # None where nothing is to be paid
    capture: CaptureWhen
    at: datetime  # UTC; placed, and priced as of then
    locked_until: datetime  # UTC; prices that are chosen anew hold until then
    shopper: str  # whose orders it counts among, where its cart has no customer
    expires_at: datetime  # UTC; payment undecided by then, the units go back on sale
    secret_hash: str | None = None  # SHA-256, hex, of the secret its shopper gets
    billing_address: Address | None = None  # None: as the shipping address
    vat_number: str | None = None  # of right form
    vat_check: VatCheck | None = None  # what is known of that; None without one
    credits: tuple[NamedCredit, ...] = ()  # pay in this order; the card pays the rest
    total: Money | None = None  # the most that its shopper agreed to; None: what the cart showed last


def handle_place_order(
    cache: StateCache, command: PlaceOrder, *, chargeable: Chargeable = any_amount
) -> Decision:
    """One command over the cart, the order, every stock, what is limited, the payment and its process."""
    cart_stream, order_stream = cart.stream(command.cart_id), order.stream(command.order_id)
    payment_stream, process_stream = payment.stream(command.order_id), process.stream(command.order_id)
    new = (
        order_stream,
        payment_stream,
        process_stream,
        order_number_stream(next(drawn_numbers(command.order_id))),
    )
    held: Cart = cache.states((cart_stream, MAIN_TERMS))[cart_stream]
    shopper_key = shopper.customer_key(held.customer_id) if held.customer_id else command.shopper
    cache.expect_new(*new, shopper.stream(shopper_key))
    skus = dict.fromkeys(line.sku for line in held.all_lines)
    states = cache.states(
        (
            *new,
            shopper.stream(shopper_key),
            *(product.stream(sku) for sku in skus),
            *(stock.stream(sku) for sku in skus),
            *(coupon.stream(code) for code in held.coupons),
            *(account.stream(one.account_id) for one in command.credits),
        )
    )
    decision = Decision(id=command.order_id, stream=order_stream, created=True)
    if command.vat_check is not None:
        decision.facts = {"vat_status": command.vat_check.status}
    if states[order_stream].placed is not None:
        return decision  # Once placed, its stock may have moved on: nothing is reserved a second time.
    offers = {sku: states[product.stream(sku)].offer for sku in skus}
    checked_out = cart.check_out(held, cart_id=command.cart_id, order_id=command.order_id, offers=offers)
    if not checked_out:
        return decision
    if held.market not in (MAIN_MARKET, *rules_of(cache).rules.markets):
        raise Rejected(UnknownMarket(held.market))  # It was retired: nobody can say what tax is due there.
    lines = requoted(cache, held, at=command.at, locked_until=command.locked_until, all_lines=False)
    decision.add(cart_stream, items.requote(held, cart_id=command.cart_id, lines=lines, cause="checkout"))
    sold = decision.after(cart_stream, held)
    decision.add(cart_stream, checked_out)
    stocks = {sku: states[stock.stream(sku)] for sku in skus}
    sold = replace(
        sold,
        gifts=_gifts_there(sold, stocks, offers),
        delivery=_delivery(cache, sold, command),
        coupons=coupons_that_count(cache, sold, at=command.at),
    )
    found = quote(cache, sold, at=command.at, shopper_key=shopper_key, vat_check=command.vat_check)
    if found is not None:
        require_complete(found.priced)
    placed = order.place(
        states[order_stream],
        order_id=command.order_id,
        number=number_order(cache, decision, command.order_id, drawn_numbers(command.order_id)),
        channel="web",
        currency=held.currency,
        lines=[_purchase(line, offers[line.sku]) for line in sold.all_lines],
        placed_at=command.at,
        customer_id=held.customer_id,
        cart_id=command.cart_id,
        email=command.email,
        shipping_address=command.shipping_address,
        billing_address=command.billing_address,
        vat_number=command.vat_number,
        vat_check=command.vat_check,
        secret_hash=command.secret_hash,
        shopper=shopper_key,
        priced=None if found is None else found.priced,
        context=None if found is None else found.context,
        credit=choose_credit(
            cache, command.credits, sold, payable=_payable(sold, found), on=command.at.date()
        ),
        claims=claim(
            cache,
            decision,
            found,
            order_id=command.order_id,
            shopper_key=shopper_key,
            at=command.at,
        ),
    )
    decision.add(order_stream, placed)
    (event,) = placed
    assert isinstance(event, OrderPlaced)
    redeem(cache, decision, event)
    require_agreed(held, event.total, found, agreed=command.total)
    require_chargeable(event.card, chargeable)
    _reserve(decision, event, stocks, command, confirmed=not event.card.amount)
    _request_payment(decision, event, states, command)
    return decision


def _request_payment(
    decision: Decision, placed: OrderPlaced, states: Mapping[str, Any], command: PlaceOrder
) -> None:
    """Asks the gateway for what the card pays; an order of which it pays nothing is confirmed at once."""
    order_id, amount = command.order_id, placed.card
    order_stream, payment_stream = order.stream(order_id), payment.stream(order_id)
    requested = payment.request(
        states[payment_stream],
        order_id=order_id,
        method=command.payment_method,
        amount=amount,
        credit=placed.credit,
        capture=command.capture,
    )
    decision.add(payment_stream, requested)
    if not amount.amount:
        ordered = decision.after(order_stream, states[order_stream])
        decision.add(order_stream, order.confirm(ordered, order_id=order_id))
        return
    process_stream = process.stream(order_id)
    decision.add(process_stream, process.start(states[process_stream], order_id=order_id))
    begun = begin_authorize(
        states[process_stream],
        order_id=order_id,
        method=command.payment_method,
        amount=amount,
        in_parts=command.capture == "each",
    )
    decision.add(process_stream, begun)
    decision.awaited = AwaitedStep(process_stream, 1)


def _purchase(line: CartLine, offer: Offer) -> Purchase:
    return Purchase(
        line_id=line.line_id,
        sku=line.sku,
        title=line.title,
        seller=line.seller or offer.seller,
        quantity=line.quantity,
        unit_price=line.unit_price,
        list_id=line.price.list_id,
        was=line.price.was,
        gift_card=line.is_gift_card,
    )


def _payable(sold: Cart, found: Quote | None) -> int:
    """What credit may pay of the total, in minor units: not what is paid for gift cards."""
    cards = {line.line_id: line.line_total.amount for line in sold.all_lines if line.is_gift_card}
    if found is None:
        return sold.sum_of_lines - sum(cards.values())
    priced = found.priced
    return priced.total - sum(line.paid for line in priced.lines if line.line_id in cards)


def _gifts_there(
    held: Cart, stocks: Mapping[Sku, Stock], offers: Mapping[Sku, Offer | None]
) -> dict[str, CartLine]:
    """The gifts that can be sent beside what is bought: the others are left out, and hold no order up."""
    units = Counter({sku: line.quantity for sku, line in held.lines.items()})
    found: dict[str, CartLine] = {}
    for promotion_id, gift in held.gifts.items():
        offer = offers[gift.sku]
        enough = stocks[gift.sku].available >= units[gift.sku] + gift.quantity
        if offer is not None and offer.on_sale and enough:
            units[gift.sku] += gift.quantity
            found[promotion_id] = gift
    return found


def _delivery(cache: StateCache, held: Cart, command: PlaceOrder) -> DeliveryChosen:
    """Where the address lies, as far as rules ask; how, as the cart says."""
    address, chosen = command.shipping_address, held.delivery
    return DeliveryChosen(
        cart_id=command.cart_id,
        country=address.country,
        region=region_as_named(cache, address.country, address.region, field="shipping_address.region"),
        postal_prefix=postal_prefix(cache, address.country, address.postal_code),
        method_id=None if chosen is None else chosen.method_id,
        pickup_point=None if chosen is None else chosen.pickup_point,
    )


def _reserve(
    decision: Decision,
    placed: OrderPlaced,
    stocks: Mapping[Sku, Stock],
    command: PlaceOrder,
    *,
    confirmed: bool,
) -> None:
    """Sets the units of all lines aside; refuses with all that is short."""
    units: Counter[Sku] = Counter()
    for line in placed.lines:
        units[line.sku] += line.quantity
    short: list[Shortage] = []
    for sku, quantity in units.items():
        try:
            reserved = stock.reserve(
                stocks[sku],
                sku=sku,
                order_id=command.order_id,
                quantity=quantity,
                expires_at=command.expires_at,
                confirmed=confirmed,
            )
        except Rejected as rejected:
            if not isinstance(rejected.reason, NotEnoughStock):
                raise
            short += rejected.reason.short
        else:
            decision.add(stock.stream(sku), reserved)
    if short:
        raise Rejected(NotEnoughStock.of(short))


def handlers(chargeable: Chargeable) -> Handlers:
    """The gateway's `chargeable` says why an amount cannot be paid at all."""
    return {
        PlaceOrder: partial(handle_place_order, chargeable=chargeable),
    }
