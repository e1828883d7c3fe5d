"""The commands an import is made of. Each is done once: its streams, or its sources, show whether it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from aggregates.kernel import LineId, Money, OrderId, Sku, UnitPrice
from aggregates.orders.events import Charge, RefundedLine
from aggregates.orders.order import Purchase
from aggregates.pricing.rules import STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIfNew:
    """Put a product on sale unless the SKU was ever listed."""

    name: ClassVar = "list_product_if_new"
    sku: Sku
    title: str
    description: str
    category: str
    attributes: Mapping[str, str]
    price: UnitPrice
    seller: str = "main"
    tax_category: str = STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveOpeningStock:
    """Book the units that sales to be recorded next are going to need; once per source."""

    name: ClassVar = "receive_opening_stock"
    sku: Sku
    quantity: int
    reason: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSale:
    """Write down a sale made elsewhere: placed, paid, fulfilled and dispatched, without a cart.

    What a stock lacks, because others bought meanwhile, is received under `top_up_source`.
    """

    name: ClassVar = "record_sale"
    order_id: OrderId
    number: str
    customer_id: str | None
    currency: str
    lines: Sequence[Purchase]
    charges: Sequence[Charge]
    placed_at: datetime  # UTC
    fulfilment_id: str
    top_up_source: str

    def journal_arguments(self) -> dict[str, Any]:
        """The lines are in the order's first event; the journal need not hold them twice."""
        return {"order_id": self.order_id, "number": self.number, "lines": len(self.lines)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credited:
    """Units of a SKU and what is credited for them (amount positive; 0 units: money alone)."""

    nth: int  # the line of the cancellation
    sku: Sku
    title: str
    quantity: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCredit:
    """The part of a cancellation that one order bears."""

    order_id: OrderId
    return_id: str
    credit_note_id: str
    number: str
    returned: Mapping[LineId, int]
    refunded: Sequence[RefundedLine]
    lines: Sequence[Credited]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandAloneCredit:
    """The part of a cancellation that no order bears; its goods go back on the shelf all the same."""

    credit_note_id: str
    number: str
    lines: Sequence[Credited]
    charges: Sequence[Charge]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCancellation:
    """Write down a cancellation made elsewhere; the first credit note shows whether it was."""

    name: ClassVar = "record_cancellation"
    number: str
    customer_id: str | None
    currency: str
    on_orders: Sequence[OrderCredit]
    alone: StandAloneCredit | None
    issued_on: date  # UTC

    @property
    def first_credit_note_id(self) -> str:
        """Of the first part; there is at least one."""
        if self.on_orders:
            return self.on_orders[0].credit_note_id
        assert self.alone is not None
        return self.alone.credit_note_id

    def journal_arguments(self) -> dict[str, Any]:
        """Which orders bear it; the rest is in the events."""
        return {
            "number": self.number,
            "orders": [part.order_id for part in self.on_orders],
            "alone": self.alone is not None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Units of one SKU found or lost, in the clerk's words."""

    sku: Sku
    delta: int
    reason: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAdjustments:
    """Write down a clerk's corrections; what a stock lacks is received first, as for a sale."""

    name: ClassVar = "record_adjustments"
    number: str
    corrections: Sequence[Correction]
    top_up_source: str
