"""What can happen to a customer (`customer-<id>`), and to what is counted of a shopper (`shopper-<key>`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aggregates.kernel import OrderId
from aggregates.pricing.context import Exemption, VatStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCounted:
    """The shopper placed an order, with these promotions that limit their uses per shopper."""

    shopper: str
    order_id: OrderId
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUncounted:
    """That order was given up."""

    shopper: str
    order_id: OrderId
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsSet:
    """The customer belongs to these groups, and to no others."""

    customer_id: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxStatusSet:
    """What the customer's taxes follow from: a VAT number and whether it was confirmed, certificates of
    exemption.

    `vat_country`: how the number begins, as VIES names it (EL is Greece, XI Northern Ireland).
    `consultation`: the number that VIES gave its answer.
    """

    customer_id: str
    vat_number: str | None = None  # personal
    vat_country: str | None = None
    status: VatStatus = "unchecked"
    checked_at: datetime | None = None
    consultation: str | None = None
    exemptions: tuple[Exemption, ...] = ()


ShopperEvent = OrderCounted | OrderUncounted
CustomerEvent = GroupsSet | TaxStatusSet


def customer_subject(event: TaxStatusSet) -> str:
    """A person's own data have the person's key."""
    return f"customer-{event.customer_id}"
