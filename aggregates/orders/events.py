"""What can happen to an order (stream `order-<id>`) and to a credit note (`credit_note-<id>`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from aggregates.kernel import CartId, LineId, Money, OrderId, Sku, UnitPrice

ChargeKind = Literal["shipping", "discount", "tax", "manual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """What was bought, at the price agreed."""

    line_id: LineId
    sku: Sku
    title: str
    seller: str
    quantity: int
    unit_price: UnitPrice
    line_total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """An amount beside the lines: postage, a discount (negative), tax, a manual charge."""

    kind: ChargeKind
    label: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuantity:
    """Some units of one order line."""

    line_id: LineId
    sku: Sku
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to send it. Personal data."""

    name: str
    line1: str
    country: str  # ISO 3166-1 alpha-2; what was stored as number 1 may bear any text
    line2: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None  # which of these three a country has differs


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """A customer bought these lines. total = sum of line totals + sum of charges."""

    order_id: OrderId
    number: str
    channel: str
    currency: str
    lines: tuple[OrderLine, ...]
    charges: tuple[Charge, ...]
    total: Money
    rounding: str
    placed_on: date  # UTC day of the sale (valid time)
    customer_id: str | None = None
    cart_id: CartId | None = None
    email: str | None = None  # personal
    shipping_address: Address | None = None  # personal
    secret_hash: str | None = None  # SHA-256, hexadecimal, of what lets its holder see the order


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    """The money is promised or paid: the order can be fulfilled."""

    order_id: OrderId
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCanceled:
    """The order will not be fulfilled. It repeats what views must take back."""

    order_id: OrderId
    reason: str
    placed_on: date
    currency: str
    total: Money
    lines: tuple[LineQuantity, ...]
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesFulfilled:
    """Units of these lines were sent."""

    order_id: OrderId
    fulfilment_id: str
    lines: tuple[LineQuantity, ...]
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesReturned:
    """Units of these lines came back; `restock` says whether they went back on the shelf."""

    order_id: OrderId
    return_id: str
    lines: tuple[LineQuantity, ...]
    restock: bool
    reason: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedLine:
    """The part of a refund that one line bears; `quantity` 0 where money alone went back."""

    line_id: LineId
    quantity: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded:
    """Money went back to the customer (amount positive), as its credit note says."""

    order_id: OrderId
    credit_note_id: str
    amount: Money
    lines: tuple[RefundedLine, ...]
    reason: str
    customer_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteLine:
    """What a credit note credits: units of a SKU at their price (amount positive)."""

    sku: Sku
    title: str
    quantity: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteIssued:
    """The merchant owes this amount back (positive); without `order_id` it stands alone."""

    credit_note_id: str
    number: str
    currency: str
    amount: Money
    lines: tuple[CreditNoteLine, ...]
    charges: tuple[Charge, ...]
    reason: str
    issued_on: date
    order_id: OrderId | None = None
    customer_id: str | None = None


OrderEvent = OrderPlaced | OrderConfirmed | OrderCanceled | LinesFulfilled | LinesReturned | OrderRefunded
CreditNoteEvent = CreditNoteIssued


def subject_of(event: OrderPlaced) -> str:
    """Whose personal data the order holds: the customer's, or the guest's who placed it."""
    return event.customer_id or f"guest-{event.order_id}"


def order_placed_from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Orders of number 1 have no secret, and their addresses no region."""
    address = data.get("shipping_address")
    return data | {
        "secret_hash": None,
        "shipping_address": None if address is None else address | {"region": None},
    }
