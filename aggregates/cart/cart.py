"""A cart: one line per SKU at the price it was taken at, until it becomes an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
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
    RequotedLine,
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
    PriceMissing,
    ProductNotOnSale,
    Reason,
    Rejected,
    Sku,
    StreamKind,
    UnitPrice,
    UnknownProduct,
    WrongCurrency,
)
from aggregates.pricing.context import PricedLine, Traits
from aggregates.pricing.offer import Offer
from aggregates.pricing.rules import MAIN_MARKET
from aggregates.pricing.selecting import reaches, unit_price

CartStatus = Literal["unknown", "open", "checked_out"]


@dataclass(frozen=True, slots=True)
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
    def priced(self) -> PricedLine:
        """As pricing takes it."""
        return PricedLine(
            line_id=self.line_id,
            sku=self.sku,
            quantity=self.quantity,
            list_id=self.price.list_id,
            tiers=self.price.tiers,
            was=self.price.was,
            traits=self.traits,
            gift_of=self.gift_of,
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
class CartFull(Reason):
    """The cart has as many lines as a cart can have"""

    cart_id: CartId
    lines_max: int


@dataclass(frozen=True, slots=True)
class QuantityOverLimit(Reason):
    """More units than one line can hold"""

    sku: Sku
    asked: int
    limit: int


@dataclass(frozen=True, slots=True)
class CouponLimit(Reason):
    """The cart has as many coupons as a cart can have"""

    max: int


@dataclass(frozen=True, slots=True)
class PricesChanged(Reason):
    """The prices of these lines were held no longer, and have risen

    `lines`: each with `line_id`, `sku`, and the unit price `from` which `to` which it rose, in minor units.
    """

    lines: tuple[dict[str, object], ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`quantity_max` bounds each line, `lines_max` their number."""

    lines_max: int
    quantity_max: int


def add_item(
    cart: Cart,
    *,
    cart_id: CartId,
    sku: Sku,
    quantity: int,
    offer: Offer | None,
    price: TakenPrice | None,
    locked_until: datetime | None,
    limits: Limits,
) -> tuple[CartEvent, ...]:
    """Puts `quantity` more units in; a SKU that is there keeps its line, its title and its price.

    `offer` is the catalog's of the SKU, None where it has none; `price` what it costs in this cart today,
    None where nothing. Stock is not looked at: checkout reserves.
    """
    _open(cart, cart_id)
    offer, price = _for_sale(cart, sku, offer, price)
    line = cart.lines.get(sku)
    if line is not None:
        return _to_quantity(line, cart_id, line.quantity + quantity, limits)
    if len(cart.lines) >= limits.lines_max:
        raise Rejected(CartFull(cart_id=cart_id, lines_max=limits.lines_max))
    if quantity > limits.quantity_max:
        raise Rejected(QuantityOverLimit(sku=sku, asked=quantity, limit=limits.quantity_max))
    return (
        ItemAdded(
            cart_id=cart_id,
            line_id=str(cart.last_line + 1),
            sku=sku,
            title=offer.title,
            quantity=quantity,
            price=price,
            traits=offer.traits,
            seller=offer.seller,
            locked_until=locked_until,
        ),
    )


def set_quantity(
    cart: Cart,
    *,
    cart_id: CartId,
    sku: Sku,
    quantity: int,
    offer: Offer | None,
    price: TakenPrice | None,
    locked_until: datetime | None,
    limits: Limits,
) -> tuple[CartEvent, ...]:
    """Makes the SKU's line hold exactly `quantity` units; 0 removes it, a SKU that is not there is added.

    A line of what is no longer sold, or has no price in this cart any more, may shrink or go, nothing else.
    Below all tiers of its price it has today's price for so few units, and goes where there is none.
    """
    if quantity == 0:
        return remove_item(cart, cart_id=cart_id, sku=sku)
    line = cart.lines.get(sku)
    if line is None:
        return add_item(
            cart,
            cart_id=cart_id,
            sku=sku,
            quantity=quantity,
            offer=offer,
            price=price,
            locked_until=locked_until,
            limits=limits,
        )
    _open(cart, cart_id)
    if quantity > line.quantity:
        _for_sale(cart, sku, offer, price)
    changed = _to_quantity(line, cart_id, quantity, limits)
    if not changed or reaches(line.price.tiers, quantity):
        return changed
    offer, price = _for_sale(cart, sku, offer, price)
    anew = RequotedLine(
        line_id=line.line_id,
        sku=sku,
        before=line.unit_price.exact,
        price=price,
        traits=offer.traits,
        seller=offer.seller,
        locked_until=locked_until,
    )
    return (*changed, PricesRequoted(cart_id=cart_id, lines=(anew,), cause="quote"))


def remove_item(cart: Cart, *, cart_id: CartId, sku: Sku) -> tuple[CartEvent, ...]:
    """Takes the SKU's line out; what is not there needs no removing."""
    _open(cart, cart_id)
    line = cart.lines.get(sku)
    if line is None:
        return ()
    return (ItemRemoved(cart_id=cart_id, line_id=line.line_id, sku=sku),)


def enter_coupon(
    cart: Cart, *, cart_id: CartId, code: str, promotion_id: str, coupons_max: int
) -> tuple[CartEvent, ...]:
    """Has the code count for its promotion."""
    _open(cart, cart_id)
    if code in cart.coupons:
        return ()
    if len(cart.coupons) >= coupons_max:
        raise Rejected(CouponLimit(coupons_max))
    return (CouponEntered(cart_id=cart_id, code=code, promotion_id=promotion_id),)


def remove_coupon(cart: Cart, *, cart_id: CartId, code: str) -> tuple[CartEvent, ...]:
    """Takes the code out; what is not there needs no removing."""
    _open(cart, cart_id)
    return (CouponRemoved(cart_id=cart_id, code=code),) if code in cart.coupons else ()


def choose_delivery(cart: Cart, *, delivery: DeliveryChosen) -> tuple[CartEvent, ...]:
    """Has it go there, that way."""
    _open(cart, delivery.cart_id)
    return () if cart.delivery == delivery else (delivery,)


def decline_gift(cart: Cart, *, cart_id: CartId, promotion_id: str) -> tuple[CartEvent, ...]:
    """Leaves the promotion's gift out."""
    _open(cart, cart_id)
    if promotion_id in cart.declined_gifts:
        return ()
    return (GiftDeclined(cart_id=cart_id, promotion_id=promotion_id),)


def choose_gift(cart: Cart, *, cart_id: CartId, promotion_id: str, sku: Sku) -> tuple[CartEvent, ...]:
    """Takes this one of the promotion's gifts."""
    _open(cart, cart_id)
    if cart.chosen_gifts.get(promotion_id) == sku:
        return ()
    return (GiftChosen(cart_id=cart_id, promotion_id=promotion_id, sku=sku),)


def requote(
    cart: Cart, *, cart_id: CartId, lines: tuple[RequotedLine, ...], cause: Literal["quote", "checkout"]
) -> tuple[CartEvent, ...]:
    """Gives lines the prices of this moment. Because the shopper asked: whatever they are; at checkout:
    none dearer."""
    _open(cart, cart_id)
    if cause == "checkout":
        dearer = []
        for new in lines:
            line = cart.lines[new.sku]
            after = replace(line, price=new.price)
            if after.unit_price.exact > line.unit_price.exact:
                dearer.append(
                    {
                        "line_id": new.line_id,
                        "sku": new.sku,
                        "from": line.unit_price.times(1).amount,
                        "to": after.unit_price.times(1).amount,
                    }
                )
        if dearer:
            raise Rejected(PricesChanged(tuple(dearer)))
    return (PricesRequoted(cart_id=cart_id, lines=lines, cause=cause),) if lines else ()


def check_out(
    cart: Cart, *, cart_id: CartId, order_id: OrderId, offers: Mapping[Sku, Offer | None]
) -> tuple[CartEvent, ...]:
    """Closes the cart for this order. `offers` has the catalog's of every SKU in it.

    What is not sold any more, or not in the cart's currency, is refused, all of it at once.
    """
    if cart.status == "checked_out" and cart.order_id == order_id:
        return ()
    _open(cart, cart_id)
    if not cart.lines:
        raise Rejected(CartEmpty(cart_id))
    not_for_sale = []
    for sku in cart.lines:
        offer = offers[sku]
        if offer is None or not offer.on_sale:
            not_for_sale.append(NotForSale(sku, "delisted"))
        elif cart.currency not in (currencies := _currencies(offer)):
            not_for_sale.append(NotForSale(sku, "other_currency", currencies[0] if currencies else None))
    if not_for_sale:
        raise Rejected(ProductNotOnSale(not_for_sale[0].sku, tuple(not_for_sale)))
    return (CartCheckedOut(cart_id=cart_id, order_id=order_id),)


def _open(cart: Cart, cart_id: CartId) -> None:
    if cart.status == "unknown":
        raise Rejected(UnknownCart(cart_id))
    if cart.status != "open":
        raise Rejected(CartClosed(cart_id=cart_id, cart_status=cart.status))


def _for_sale(
    cart: Cart, sku: Sku, offer: Offer | None, price: TakenPrice | None
) -> tuple[Offer, TakenPrice]:
    """What is offered today; refuses what this cart cannot buy more of."""
    if offer is None:
        raise Rejected(UnknownProduct(sku))
    if not offer.on_sale:
        raise Rejected(ProductNotOnSale(sku))
    if price is None:
        currencies = _currencies(offer)
        if currencies and cart.currency not in currencies:
            raise Rejected(WrongCurrency(asked=currencies[0], expected=cart.currency))
        raise Rejected(PriceMissing(sku=sku, currency=cart.currency, market=cart.market))
    return offer, price


def _currencies(offer: Offer) -> list[str]:
    """What the product is sold in."""
    return [price.price_list.currency for price in offer.prices]


def _to_quantity(line: CartLine, cart_id: CartId, quantity: int, limits: Limits) -> tuple[CartEvent, ...]:
    if quantity > limits.quantity_max:
        raise Rejected(QuantityOverLimit(sku=line.sku, asked=quantity, limit=limits.quantity_max))
    if quantity == line.quantity:
        return ()
    return (QuantityChanged(cart_id=cart_id, line_id=line.line_id, sku=line.sku, quantity=quantity),)
