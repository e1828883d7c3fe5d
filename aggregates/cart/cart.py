"""A cart: one line per SKU, coupons, gifts and a delivery, until it becomes an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Literal, assert_never

from aggregates.cart.events import (
    CartCheckedOut,
    CartEvent,
    CartOpened,
    CartPriced,
    CouponEntered,
    CouponRemoved,
    DeliveryChosen,
    GiftChosen,
    GiftDeclined,
    ItemAdded,
    ItemRemoved,
    PricesRequoted,
    QuantityChanged,
    ShippingQuoted,
    TakenPrice,
    TaxQuoted,
)
from aggregates.kernel import (
    CartId,
    LineId,
    Money,
    NotForSale,
    OrderId,
    ProductNotOnSale,
    Reason,
    Rejected,
    Sku,
    StreamKind,
    UnitPrice,
)
from aggregates.pricing.context import PricedLine, Traits
from aggregates.pricing.matching import tokens
from aggregates.pricing.offer import Offer
from aggregates.pricing.rules import GIFT_CARD, MAIN_MARKET
from aggregates.pricing.selecting import unit_price

CartStatus = Literal["unknown", "open", "checked_out"]


@dataclass(frozen=True)
class CartLine:
    """Units of one SKU; title, price and traits are those of the moment it was taken, or quoted anew."""

    line_id: LineId
    sku: Sku
    title: str
    quantity: int
    price: TakenPrice
    traits: Traits | None = None
    seller: str | None = None
    locked_until: datetime | None = None
    gift_of: str | None = None

    @property
    def unit_price(self) -> UnitPrice:
        """The tier's of its quantity; below all of them, the first's."""
        tiers = self.price.tiers
        return UnitPrice(unit_price(tiers, max(self.quantity, tiers[0][0])), self.price.currency)

    @property
    def line_total(self) -> Money:
        """Rounded half-even to the minor unit, as the order will round it."""
        return self.unit_price.times(self.quantity)

    @property
    def is_gift_card(self) -> bool:
        """Whether what is bought is credit of its price."""
        return self.traits is not None and self.traits.tax_category == GIFT_CARD

    @cached_property
    def priced(self) -> PricedLine:
        """As pricing takes it: made once, as a cart is priced at each change, and most lines stay."""
        return PricedLine(
            line_id=self.line_id,
            sku=self.sku,
            quantity=self.quantity,
            list_id=self.price.list_id,
            tiers=self.price.tiers,
            was=self.price.was,
            traits=self.traits,
            gift_of=self.gift_of,
            tokens=tokens(self.sku, self.traits),
        )


@dataclass(slots=True)
class Cart:
    """`lines` by SKU, in the order they were added, `gifts` by promotion; `last_line` counts the line ids.

    `coupons`: the promotion of each code. `priced` is the last outcome that was not the plain sum of the
    lines.
    """

    status: CartStatus = "unknown"
    currency: str = ""
    customer_id: str | None = None
    market: str = MAIN_MARKET
    locale: str | None = None
    lines: dict[Sku, CartLine] = field(default_factory=dict)
    gifts: dict[str, CartLine] = field(default_factory=dict)
    last_line: int = 0
    coupons: dict[str, str] = field(default_factory=dict)
    delivery: DeliveryChosen | None = None
    declined_gifts: tuple[str, ...] = ()
    chosen_gifts: dict[str, Sku] = field(default_factory=dict)
    tax_answer: TaxQuoted | None = None
    shipping_answer: ShippingQuoted | None = None
    priced: CartPriced | None = None
    order_id: OrderId | None = None

    @property
    def all_lines(self) -> Iterable[CartLine]:
        """What was put in, then the gifts."""
        return (*self.lines.values(), *self.gifts.values())

    @property
    def sum_of_lines(self) -> int:
        """The sum of the rounded line totals, in minor units."""
        return sum(line.line_total.amount for line in self.lines.values())

    @property
    def total(self) -> Money:
        """What the shopper was last shown."""
        return Money(self.sum_of_lines if self.priced is None else self.priced.total, self.currency)


@dataclass(frozen=True, slots=True)
class UnknownCart(Reason):
    """No such cart"""

    cart_id: CartId


@dataclass(frozen=True, slots=True)
class CartAlreadyOpened(Reason):
    """The cart was opened with another currency or customer"""

    cart_id: CartId


@dataclass(frozen=True, slots=True)
class CartClosed(Reason):
    """The cart can no longer change"""

    cart_id: CartId
    cart_status: str


@dataclass(frozen=True, slots=True)
class CartEmpty(Reason):
    """The cart is empty"""

    cart_id: CartId


@dataclass(frozen=True, slots=True)
class CouponLimit(Reason):
    """The cart has as many coupons as a cart can have"""

    max: int


@dataclass(frozen=True, slots=True)
class GiftUnfit(Reason):
    """The promotion gives no such gift to this cart"""

    promotion_id: str
    sku: Sku | None = None


def initial() -> Cart:
    """A cart nobody has taken."""
    return Cart()


def evolve(cart: Cart, event: CartEvent) -> Cart:  # noqa: PLR0912 - a case per event
    """The cart after the event; changes it in place."""
    match event:
        case CartOpened():
            cart.status = "open"
            cart.currency = event.currency
            cart.customer_id = event.customer_id
            cart.market = event.market
            cart.locale = event.locale
        case ItemAdded():
            line = CartLine(
                line_id=event.line_id,
                sku=event.sku,
                title=event.title,
                quantity=event.quantity,
                price=event.price,
                traits=event.traits,
                seller=event.seller,
                locked_until=event.locked_until,
                gift_of=event.gift_of,
            )
            cart.last_line = int(event.line_id)
            if event.gift_of is None:
                cart.lines[event.sku] = line
            else:
                cart.gifts[event.gift_of] = line
        case QuantityChanged(line_id=line_id, sku=sku, quantity=quantity):
            lines, key = _place(cart, line_id, sku)
            lines[key] = replace(lines[key], quantity=quantity)
        case ItemRemoved(line_id=line_id, sku=sku):
            lines, key = _place(cart, line_id, sku)
            del lines[key]
        case PricesRequoted(lines=requoted):
            for new in requoted:
                lines, key = _place(cart, new.line_id, new.sku)
                lines[key] = replace(
                    lines[key],
                    price=new.price,
                    traits=new.traits,
                    seller=new.seller,
                    locked_until=new.locked_until,
                )
        case CouponEntered(code=code, promotion_id=promotion_id):
            cart.coupons[code] = promotion_id
        case CouponRemoved(code=code):
            cart.coupons.pop(code, None)
        case DeliveryChosen():
            cart.delivery = event
        case GiftDeclined(promotion_id=promotion_id):
            cart.declined_gifts = (*cart.declined_gifts, promotion_id)
            cart.chosen_gifts.pop(promotion_id, None)
        case GiftChosen(promotion_id=promotion_id, sku=sku):
            cart.declined_gifts = tuple(gift for gift in cart.declined_gifts if gift != promotion_id)
            cart.chosen_gifts[promotion_id] = sku
        case TaxQuoted():
            cart.tax_answer = event
        case ShippingQuoted():
            cart.shipping_answer = event
        case CartPriced():
            cart.priced = event
        case CartCheckedOut(order_id=order_id):
            cart.status = "checked_out"
            cart.order_id = order_id
        case _:
            assert_never(event)
    return cart


def _place(cart: Cart, line_id: LineId, sku: Sku) -> tuple[dict[str, CartLine], str]:
    """Where the line lies: what was put in by its SKU, a gift by its promotion."""
    line = cart.lines.get(sku)
    if line is not None and line.line_id == line_id:
        return cart.lines, sku
    return cart.gifts, next(key for key, gift in cart.gifts.items() if gift.line_id == line_id)


stream = StreamKind("cart", initial, evolve)


def open_cart(
    cart: Cart,
    *,
    cart_id: CartId,
    currency: str,
    customer_id: str | None = None,
    market: str = MAIN_MARKET,
    locale: str | None = None,
) -> tuple[CartEvent, ...]:
    """Takes a cart whose prices are all in `currency`, and those of the market."""
    if cart.status == "unknown":
        opened = CartOpened(
            cart_id=cart_id, currency=currency, customer_id=customer_id, market=market, locale=locale
        )
        return (opened,)
    if (cart.currency, cart.customer_id, cart.market) == (currency, customer_id, market):
        return ()
    raise Rejected(CartAlreadyOpened(cart_id))


def enter_coupon(
    cart: Cart, *, cart_id: CartId, code: str, promotion_id: str, coupons_max: int
) -> tuple[CartEvent, ...]:
    """Has the code count for its promotion."""
    require_open(cart, cart_id)
    if code in cart.coupons:
        return ()
    if len(cart.coupons) >= coupons_max:
        raise Rejected(CouponLimit(coupons_max))
    return (CouponEntered(cart_id=cart_id, code=code, promotion_id=promotion_id),)


def remove_coupon(cart: Cart, *, cart_id: CartId, code: str) -> tuple[CartEvent, ...]:
    """Takes the code out; what is not there needs no removing."""
    require_open(cart, cart_id)
    return (CouponRemoved(cart_id=cart_id, code=code),) if code in cart.coupons else ()


def choose_delivery(cart: Cart, *, delivery: DeliveryChosen) -> tuple[CartEvent, ...]:
    """Has it go there, that way."""
    require_open(cart, delivery.cart_id)
    return () if cart.delivery == delivery else (delivery,)


def decline_gift(cart: Cart, *, cart_id: CartId, promotion_id: str) -> tuple[CartEvent, ...]:
    """Leaves the promotion's gift out."""
    require_open(cart, cart_id)
    if promotion_id in cart.declined_gifts:
        return ()
    return (GiftDeclined(cart_id=cart_id, promotion_id=promotion_id),)


def choose_gift(cart: Cart, *, cart_id: CartId, promotion_id: str, sku: Sku) -> tuple[CartEvent, ...]:
    """Takes this one of the promotion's gifts."""
    require_open(cart, cart_id)
    if cart.chosen_gifts.get(promotion_id) == sku:
        return ()
    return (GiftChosen(cart_id=cart_id, promotion_id=promotion_id, sku=sku),)


def check_out(
    cart: Cart, *, cart_id: CartId, order_id: OrderId, offers: Mapping[Sku, Offer | None]
) -> tuple[CartEvent, ...]:
    """Closes the cart for this order. `offers` has the catalog's of every SKU in it.

    What is not sold any more, or not in the cart's currency, is refused, all of it at once.
    """
    if cart.status == "checked_out" and cart.order_id == order_id:
        return ()
    require_open(cart, cart_id)
    if not cart.lines:
        raise Rejected(CartEmpty(cart_id))
    not_for_sale = []
    for sku in cart.lines:
        offer = offers[sku]
        if offer is None or not offer.on_sale:
            not_for_sale.append(NotForSale(sku, "delisted"))
        elif cart.currency not in (sold_in := currencies(offer)):
            not_for_sale.append(NotForSale(sku, "other_currency", sold_in[0] if sold_in else None))
    if not_for_sale:
        raise Rejected(ProductNotOnSale(not_for_sale[0].sku, tuple(not_for_sale)))
    return (CartCheckedOut(cart_id=cart_id, order_id=order_id),)


def require_open(cart: Cart, cart_id: CartId) -> None:
    """Refuses a cart that is not there, or changes no more."""
    if cart.status == "unknown":
        raise Rejected(UnknownCart(cart_id))
    if cart.status != "open":
        raise Rejected(CartClosed(cart_id=cart_id, cart_status=cart.status))


def currencies(offer: Offer) -> list[str]:
    """What the product is sold in."""
    return [price.price_list.currency for price in offer.prices]
