"""Commands on carts. Checking out is `PlaceOrder` in orders.py: it concerns more than the cart.

Each that may change what the cart costs prices it, in the same decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from aggregates.cart import cart, items
from aggregates.cart.cart import Cart, GiftUnfit
from aggregates.cart.events import DeliveryChosen, ShippingQuoted, TakenPrice, TaxQuoted
from aggregates.cart.items import Limits
from aggregates.catalog import product
from aggregates.kernel import CartId, Reason, Rejected, Sku
from aggregates.pricing.context import TargetTax
from aggregates.pricing.offer import Offer
from aggregates.pricing.provider_requests import ProviderRequest, ShippingRequest, TaxRequest
from aggregates.pricing.rules import MAIN_MARKET
from aggregates.promotions import coupon
from aggregates.promotions.coupon import UnknownCoupon
from aggregates.terms.terms import MAIN_TERMS
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache
from commands.quoting import (
    groups_of,
    offered,
    postal_prefix,
    provider_request,
    quote,
    region_as_named,
    reprice,
    requoted,
    rules_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCart:
    """Take a cart; `cart_id` is `new_id()`: nobody can guess it."""

    name: ClassVar = "open_cart"
    cart_id: CartId
    currency: str
    customer_id: str | None = None
    market: str = MAIN_MARKET
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartCommand:
    """A change to a cart that may change what it costs. UTC: it is priced `at`; new prices hold until
    `locked_until`."""

    cart_id: CartId
    at: datetime
    locked_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItem(CartCommand):
    """Put units of a product into a cart."""

    name: ClassVar = "add_item"
    sku: Sku
    quantity: int
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuantity(CartCommand):
    """Make a cart's line hold exactly so many units; 0 removes it."""

    name: ClassVar = "set_quantity"
    sku: Sku
    quantity: int
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveItem(CartCommand):
    """Take a product out of a cart."""

    name: ClassVar = "remove_item"
    sku: Sku


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterCoupon(CartCommand):
    """Have a coupon count in a cart."""

    name: ClassVar = "enter_coupon"
    code: str
    coupons_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCoupon(CartCommand):
    """Take a coupon out of a cart."""

    name: ClassVar = "remove_coupon"
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseDelivery(CartCommand):
    """Say where a cart is to go, and how. The cart keeps the beginning of the postal code that rules name,
    no more."""

    name: ClassVar = "choose_delivery"
    personal: ClassVar = ("postal_code",)
    country: str
    region: str | None = None
    postal_code: str | None = None
    method_id: str | None = None
    pickup_point: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseGift(CartCommand):
    """Take one of the gifts that a promotion gives; the first of them where no SKU is named."""

    name: ClassVar = "choose_gift"
    promotion_id: str
    sku: Sku | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineGift(CartCommand):
    """Leave a promotion's gift out."""

    name: ClassVar = "decline_gift"
    promotion_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCart(CartCommand):
    """Choose all prices of a cart anew, and hold them."""

    name: ClassVar = "quote_cart"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordQuote(CartCommand):
    """Have a provider's answer count, if it is on the cart as it is now."""

    digest: str
    provider: str
    reference: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTaxQuote(RecordQuote):
    """Have a provider's taxes count."""

    name: ClassVar = "record_tax_quote"
    answers: dict[str, TargetTax]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordShippingQuote(RecordQuote):
    """Have a carrier's price count."""

    name: ClassVar = "record_shipping_quote"
    amount: int


ASKS = "asks"
"""The fact of an answer that names what a provider is to be asked for: `tax` or `shipping`."""


@dataclass(frozen=True, slots=True)
class UnknownMarket(Reason):
    """No such market"""

    market: str


@dataclass(frozen=True, slots=True)
class MarketCurrency(Reason):
    """The market does not sell in this currency"""

    market: str
    currency: str
    currencies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CouponUnfit(Reason):
    """The coupon can never apply to this cart

    `why`: its promotion is for another `market` or `currency`.
    """

    advice: ClassVar = {
        "market": "It is for another market.",
        "currency": "It is for another currency.",
    }
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class UnknownShippingMethod(Reason):
    """No such shipping method"""

    method_id: str


def handle_open_cart(cache: StateCache, command: OpenCart) -> Decision:
    """Opens the cart, in a market that sells in its currency; where no market is defined, `main` sells in
    all."""
    stream = cart.stream(command.cart_id)
    states = cache.states((stream, MAIN_TERMS))
    market = states[MAIN_TERMS].rules.markets.get(command.market)
    if market is None and command.market != MAIN_MARKET:
        raise Rejected(UnknownMarket(command.market))
    if market is not None and command.currency not in market.currencies:
        raise Rejected(MarketCurrency(command.market, command.currency, market.currencies))
    decision = Decision(id=command.cart_id, stream=stream, created=True)
    decision.add(
        stream,
        cart.open_cart(
            states[stream],
            cart_id=command.cart_id,
            currency=command.currency,
            customer_id=command.customer_id,
            market=command.market,
            locale=command.locale,
        ),
    )
    return decision


def handle_add_item(cache: StateCache, command: AddItem) -> Decision:
    """Adds the item at today's price; 201 where it is a new line."""
    held, offer, decision = _take_up(cache, command, command.sku)
    line = held.lines.get(command.sku)
    decision.created = line is None
    units = command.quantity + (0 if line is None else line.quantity)
    offer, price = _offered(cache, held, offer, units)
    decision.add(
        decision.stream,
        items.add_item(
            held,
            cart_id=command.cart_id,
            sku=command.sku,
            quantity=command.quantity,
            offer=offer,
            price=price,
            locked_until=command.locked_until,
            limits=command.limits,
        ),
    )
    return _priced(cache, decision, command)


def handle_set_quantity(cache: StateCache, command: SetQuantity) -> Decision:
    """Sets the line's quantity; a product that is not in the cart yet is added at today's price."""
    held, offer, decision = _take_up(cache, command, command.sku)
    offer, price = _offered(cache, held, offer, max(1, command.quantity))
    decision.add(
        decision.stream,
        items.set_quantity(
            held,
            cart_id=command.cart_id,
            sku=command.sku,
            quantity=command.quantity,
            offer=offer,
            price=price,
            locked_until=command.locked_until,
            limits=command.limits,
        ),
    )
    return _priced(cache, decision, command)


def handle_remove_item(cache: StateCache, command: RemoveItem) -> Decision:
    """Removes the line."""
    held, decision = _open(cache, command)
    decision.add(decision.stream, items.remove_item(held, cart_id=command.cart_id, sku=command.sku))
    return _priced(cache, decision, command)


def handle_enter_coupon(cache: StateCache, command: EnterCoupon) -> Decision:
    """Enters the code where it counts for a promotion in force; whether that applies, the cart's notices
    say."""
    stream, coupon_stream = cart.stream(command.cart_id), coupon.stream(command.code)
    states = cache.states((stream, coupon_stream, MAIN_TERMS))
    held: Cart = states[stream]
    decision = Decision(id=command.cart_id, stream=stream)
    promotion_id = coupon.redeemable(states[coupon_stream], code=command.code, at=command.at)
    promotion = states[MAIN_TERMS].rules.promotions.get(promotion_id)
    if promotion is None or (promotion.ends_at is not None and promotion.ends_at <= command.at):
        raise Rejected(UnknownCoupon(command.code))
    entered = cart.enter_coupon(
        held,
        cart_id=command.cart_id,
        code=command.code,
        promotion_id=promotion_id,
        coupons_max=command.coupons_max,
    )
    decision.add(stream, entered)
    found = quote(cache, decision.after(stream, held), at=command.at)
    for missed in () if found is None else found.priced.explanation.not_applied:
        if missed.rule == promotion_id and missed.why in ("market", "currency"):
            raise Rejected(CouponUnfit(command.code, missed.why))
    return _priced(cache, decision, command)


def handle_remove_coupon(cache: StateCache, command: RemoveCoupon) -> Decision:
    """Takes the code out."""
    held, decision = _open(cache, command)
    decision.add(decision.stream, cart.remove_coupon(held, cart_id=command.cart_id, code=command.code))
    return _priced(cache, decision, command)


def handle_choose_delivery(cache: StateCache, command: ChooseDelivery) -> Decision:
    """Notes where it goes, and how; whether that way goes there, the cart's notices say."""
    held, decision = _open(cache, command)
    cart.require_open(held, command.cart_id)
    rules = rules_of(cache).rules
    if command.method_id is not None and command.method_id not in rules.shipping_methods:
        raise Rejected(UnknownShippingMethod(command.method_id))
    delivery = DeliveryChosen(
        cart_id=command.cart_id,
        country=command.country,
        region=region_as_named(cache, command.country, command.region, field="region"),
        postal_prefix=postal_prefix(cache, command.country, command.postal_code),
        method_id=command.method_id,
        pickup_point=command.pickup_point,
    )
    decision.add(decision.stream, cart.choose_delivery(held, delivery=delivery))
    return _asking(cache, decision, command)


def handle_choose_gift(cache: StateCache, command: ChooseGift) -> Decision:
    """Takes the gift, declined before or not."""
    held, decision = _open(cache, command)
    skus = _gifts_of(cache, command.promotion_id)
    sku = command.sku or next(iter(skus), None)
    if sku is None or sku not in skus:
        raise Rejected(GiftUnfit(command.promotion_id, command.sku))
    decision.add(
        decision.stream,
        cart.choose_gift(held, cart_id=command.cart_id, promotion_id=command.promotion_id, sku=sku),
    )
    return _priced(cache, decision, command)


def handle_decline_gift(cache: StateCache, command: DeclineGift) -> Decision:
    """Leaves the gift out."""
    held, decision = _open(cache, command)
    if command.promotion_id not in held.gifts and not _gifts_of(cache, command.promotion_id):
        raise Rejected(GiftUnfit(command.promotion_id))
    decision.add(
        decision.stream,
        cart.decline_gift(held, cart_id=command.cart_id, promotion_id=command.promotion_id),
    )
    return _priced(cache, decision, command)


def _gifts_of(cache: StateCache, promotion_id: str) -> tuple[Sku, ...]:
    """What the promotion gives; nothing where it is none that does."""
    promotion = rules_of(cache).rules.promotions.get(promotion_id)
    return () if promotion is None or promotion.action.kind != "gift" else promotion.action.skus


def handle_quote_cart(cache: StateCache, command: QuoteCart) -> Decision:
    """Gives every line the price of this moment."""
    held, decision = _open(cache, command)
    lines = requoted(cache, held, at=command.at, locked_until=command.locked_until, all_lines=True)
    decision.add(decision.stream, items.requote(held, cart_id=command.cart_id, lines=lines, cause="quote"))
    return _asking(cache, decision, command)


def handle_record_tax_quote(cache: StateCache, command: RecordTaxQuote) -> Decision:
    """Records the taxes where they are on the cart as it is now."""
    quoted = TaxQuoted(
        cart_id=command.cart_id,
        digest=command.digest,
        provider=command.provider,
        reference=command.reference,
        answers=command.answers,
        expires_at=command.expires_at,
    )
    return _record(cache, command, TaxRequest, quoted)


def handle_record_shipping_quote(cache: StateCache, command: RecordShippingQuote) -> Decision:
    """Records the carrier's price where it is for the cart as it is now."""
    quoted = ShippingQuoted(
        cart_id=command.cart_id,
        digest=command.digest,
        provider=command.provider,
        reference=command.reference,
        amount=command.amount,
        expires_at=command.expires_at,
    )
    return _record(cache, command, ShippingRequest, quoted)


def _record(
    cache: StateCache,
    command: RecordQuote,
    request: type[ProviderRequest],
    quoted: TaxQuoted | ShippingQuoted,
) -> Decision:
    """Records it where its digest is that of the request to make now: the cart may have been edited
    meanwhile."""
    held, decision = _open(cache, command)
    cart.require_open(held, command.cart_id)
    due = provider_request(cache, held, quote(cache, held, at=command.at))
    if isinstance(due, request) and due.digest == command.digest:
        decision.add(decision.stream, (quoted,))
    return _asking(cache, decision, command)


def _open(cache: StateCache, command: CartCommand) -> tuple[Cart, Decision]:
    stream = cart.stream(command.cart_id)
    states = cache.states((stream, MAIN_TERMS))
    return states[stream], Decision(id=command.cart_id, stream=stream)


def _take_up(cache: StateCache, command: CartCommand, sku: Sku) -> tuple[Cart, Offer | None, Decision]:
    stream, product_stream = cart.stream(command.cart_id), product.stream(sku)
    states = cache.states((stream, product_stream, MAIN_TERMS))
    offer: Offer | None = states[product_stream].offer
    return states[stream], offer, Decision(id=command.cart_id, stream=stream)


def _offered(
    cache: StateCache, held: Cart, offer: Offer | None, units: int
) -> tuple[Offer | None, TakenPrice | None]:
    return offered(held, offer, units, rules_of(cache), groups_of(cache, held))


def _priced(cache: StateCache, decision: Decision, command: CartCommand) -> Decision:
    if decision.events:
        reprice(cache, decision, command.cart_id, at=command.at, locked_until=command.locked_until)
    return decision


def _asking(cache: StateCache, decision: Decision, command: CartCommand) -> Decision:
    """Prices the cart, and has the route ask whoever is to be asked about it."""
    asked = reprice(cache, decision, command.cart_id, at=command.at, locked_until=command.locked_until)
    if asked is not None:
        decision.facts = {ASKS: "tax" if isinstance(asked, TaxRequest) else "shipping"}
    return decision


HANDLERS: Handlers = {
    OpenCart: handle_open_cart,
    AddItem: handle_add_item,
    SetQuantity: handle_set_quantity,
    RemoveItem: handle_remove_item,
    EnterCoupon: handle_enter_coupon,
    RemoveCoupon: handle_remove_coupon,
    ChooseDelivery: handle_choose_delivery,
    ChooseGift: handle_choose_gift,
    DeclineGift: handle_decline_gift,
    QuoteCart: handle_quote_cart,
    RecordTaxQuote: handle_record_tax_quote,
    RecordShippingQuote: handle_record_shipping_quote,
}
