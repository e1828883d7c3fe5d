"""A cart: one line per SKU at the price it was first added at, until it becomes an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from aggregates.cart.events import (
    CartCheckedOut,
    CartEvent,
    CartOpened,
    ItemAdded,
    ItemRemoved,
    QuantityChanged,
)
from aggregates.kernel import (
    CartId,
    LineId,
    Money,
    NotForSale,
    Offer,
    OrderId,
    ProductNotOnSale,
    Reason,
    Rejected,
    Sku,
    StreamKind,
    UnitPrice,
    UnknownProduct,
    WrongCurrency,
)

CartStatus = Literal["unknown", "open", "checked_out"]


@dataclass(slots=True)
class CartLine:
    """Units of one SKU; title and price are those of the moment it was added."""

    line_id: LineId
    sku: Sku
    title: str
    quantity: int
    unit_price: UnitPrice

    @property
    def line_total(self) -> Money:
        """Rounded half-even to the minor unit, as the order will round it."""
        return self.unit_price.times(self.quantity)


@dataclass(slots=True)
class Cart:
    """`lines` by SKU, in the order they were added; `last_line` is the counter of the line ids."""

    status: CartStatus = "unknown"
    currency: str = ""
    customer_id: str | None = None
    lines: dict[Sku, CartLine] = field(default_factory=dict)
    last_line: int = 0
    order_id: OrderId | None = None

    @property
    def total(self) -> Money:
        """The sum of the rounded line totals."""
        return Money.sum((line.line_total for line in self.lines.values()), self.currency)


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


def initial() -> Cart:
    """A cart nobody has taken."""
    return Cart()


def evolve(cart: Cart, event: CartEvent) -> Cart:
    """The cart after the event; changes it in place."""
    match event:
        case CartOpened(currency=currency, customer_id=customer_id):
            cart.status = "open"
            cart.currency = currency
            cart.customer_id = customer_id
        case ItemAdded(line_id=line_id, sku=sku, title=title, quantity=quantity, unit_price=unit_price):
            cart.lines[sku] = CartLine(line_id, sku, title, quantity, unit_price)
            cart.last_line = int(line_id)
        case QuantityChanged(sku=sku, quantity=quantity):
            cart.lines[sku].quantity = quantity
        case ItemRemoved(sku=sku):
            del cart.lines[sku]
        case CartCheckedOut(order_id=order_id):
            cart.status = "checked_out"
            cart.order_id = order_id
        case _:
            assert_never(event)
    return cart


stream = StreamKind("cart", initial, evolve)


def open_cart(
    cart: Cart, *, cart_id: CartId, currency: str, customer_id: str | None = None
) -> tuple[CartEvent, ...]:
    """Takes a cart whose prices are all in `currency`."""
    if cart.status == "unknown":
        return (CartOpened(cart_id=cart_id, currency=currency, customer_id=customer_id),)
    if (cart.currency, cart.customer_id) == (currency, customer_id):
        return ()
    raise Rejected(CartAlreadyOpened(cart_id))


def add_item(
    cart: Cart,
    *,
    cart_id: CartId,
    sku: Sku,
    quantity: int,
    product: Offer | None,
    lines_max: int,
    quantity_max: int,
) -> tuple[CartEvent, ...]:
    """Puts `quantity` more units in; a SKU that is there keeps its line, its title and its price.

    `product` is the catalog's offer of the SKU, None where it has none. `quantity_max`
    bounds each line, `lines_max` their number. Stock is not looked at: checkout reserves.
    """
    _open(cart, cart_id)
    offer = _for_sale(cart, sku, product)
    line = cart.lines.get(sku)
    if line is not None:
        return _to_quantity(line, cart_id, line.quantity + quantity, quantity_max)
    if len(cart.lines) >= lines_max:
        raise Rejected(CartFull(cart_id=cart_id, lines_max=lines_max))
    if quantity > quantity_max:
        raise Rejected(QuantityOverLimit(sku=sku, asked=quantity, limit=quantity_max))
    return (
        ItemAdded(
            cart_id=cart_id,
            line_id=str(cart.last_line + 1),
            sku=sku,
            title=offer.title,
            quantity=quantity,
            unit_price=offer.unit_price,
        ),
    )


def set_quantity(
    cart: Cart,
    *,
    cart_id: CartId,
    sku: Sku,
    quantity: int,
    product: Offer | None,
    lines_max: int,
    quantity_max: int,
) -> tuple[CartEvent, ...]:
    """Makes the SKU's line hold exactly `quantity` units; 0 removes it, a SKU that is not there is added.

    A line of what is no longer sold, or is priced in another currency now, may shrink or go, nothing else.
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
            product=product,
            lines_max=lines_max,
            quantity_max=quantity_max,
        )
    _open(cart, cart_id)
    if quantity > line.quantity:
        _for_sale(cart, sku, product)
    return _to_quantity(line, cart_id, quantity, quantity_max)


def remove_item(cart: Cart, *, cart_id: CartId, sku: Sku) -> tuple[CartEvent, ...]:
    """Takes the SKU's line out; what is not there needs no removing."""
    _open(cart, cart_id)
    line = cart.lines.get(sku)
    if line is None:
        return ()
    return (ItemRemoved(cart_id=cart_id, line_id=line.line_id, sku=sku),)


def check_out(
    cart: Cart, *, cart_id: CartId, order_id: OrderId, products: Mapping[Sku, Offer | None]
) -> tuple[CartEvent, ...]:
    """Closes the cart for this order. `products` has the catalog's offer of every SKU in it.

    What is not sold any more, or not in the cart's currency, is refused, all of it at once.
    """
    if cart.status == "checked_out" and cart.order_id == order_id:
        return ()
    _open(cart, cart_id)
    if not cart.lines:
        raise Rejected(CartEmpty(cart_id))
    not_for_sale = []
    for sku in cart.lines:
        product = products[sku]
        if product is None or not product.on_sale:
            not_for_sale.append(NotForSale(sku, "delisted"))
        elif (currency := product.unit_price.currency) != cart.currency:
            not_for_sale.append(NotForSale(sku, "other_currency", currency))
    if not_for_sale:
        raise Rejected(ProductNotOnSale(not_for_sale[0].sku, tuple(not_for_sale)))
    return (CartCheckedOut(cart_id=cart_id, order_id=order_id),)


def _open(cart: Cart, cart_id: CartId) -> None:
    if cart.status == "unknown":
        raise Rejected(UnknownCart(cart_id))
    if cart.status != "open":
        raise Rejected(CartClosed(cart_id=cart_id, cart_status=cart.status))


def _for_sale(cart: Cart, sku: Sku, product: Offer | None) -> Offer:
    """What is offered today; refuses what this cart cannot buy more of."""
    if product is None:
        raise Rejected(UnknownProduct(sku))
    if not product.on_sale:
        raise Rejected(ProductNotOnSale(sku))
    if product.unit_price.currency != cart.currency:
        raise Rejected(WrongCurrency(asked=product.unit_price.currency, expected=cart.currency))
    return product


def _to_quantity(line: CartLine, cart_id: CartId, quantity: int, quantity_max: int) -> tuple[CartEvent, ...]:
    if quantity > quantity_max:
        raise Rejected(QuantityOverLimit(sku=line.sku, asked=quantity, limit=quantity_max))
    if quantity == line.quantity:
        return ()
    return (QuantityChanged(cart_id=cart_id, line_id=line.line_id, sku=line.sku, quantity=quantity),)
