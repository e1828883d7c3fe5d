"""One visit: a shopper's way from product to product, under an id that their client made."""

from __future__ import annotations

from dataclasses import dataclass

from aggregates.kernel import ProductNotOnSale, Reason, Rejected, Sku, StreamKind, UnknownProduct
from aggregates.pricing.offer import Offer
from aggregates.visits.events import ProductViewed, VisitEvent


@dataclass(slots=True)
class Visit:
    """`views` are counted, not held: a visit's state is as small however long it is."""

    views: int = 0
    last_sku: Sku | None = None


@dataclass(frozen=True, slots=True)
class VisitFull(Reason):
    """The visit has as many views as a visit can have"""

    visit_id: str
    views_max: int


def initial() -> Visit:
    """A visit in which nothing was looked at."""
    return Visit()


def evolve(visit: Visit, event: VisitEvent) -> Visit:
    """The visit after the event; changes it in place."""
    visit.views = event.number
    visit.last_sku = event.sku
    return visit


stream = StreamKind("visit", initial, evolve)


def view_product(
    visit: Visit, *, visit_id: str, sku: Sku, offer: Offer | None, customer_id: str | None, views_max: int
) -> tuple[VisitEvent, ...]:
    """Counts a look at a product's page. The page that was looked at last, looked at again, is no other view.

    `offer` is the catalog's of the SKU, None where it has none.
    """
    if offer is None:
        raise Rejected(UnknownProduct(sku))
    if not offer.on_sale:
        raise Rejected(ProductNotOnSale(sku))
    if visit.last_sku == sku:
        return ()
    if visit.views >= views_max:
        raise Rejected(VisitFull(visit_id=visit_id, views_max=views_max))
    viewed = ProductViewed(visit_id=visit_id, sku=sku, number=visit.views + 1, customer_id=customer_id)
    return (viewed,)
