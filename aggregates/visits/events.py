"""What can happen in a visit. Stream `visit-<id>`."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.kernel import Sku


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductViewed:
    """A shopper looked at a product's page; the view before was of another product.

    `number`: the visit's views are counted from 1.
    """

    visit_id: str
    sku: Sku
    number: int
    customer_id: str | None = None


VisitEvent = ProductViewed
