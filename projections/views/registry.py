"""Every view that lies in Redis. The search index is a build of its own."""

from __future__ import annotations

from projections.views import (
    also_bought,
    bestseller_days,
    bestsellers,
    cart,
    catalog,
    conversion,
    coupon_batches,
    coupons,
    credit,
    customer_orders,
    customer_value,
    explanations,
    inventory,
    orders,
    price_history,
    recent,
    sales,
    sales_hours,
    terms,
)
from projections.views.time_zone import DEFAULT, TimeZone
from projections.views.view import View


def views(time_zone: TimeZone = DEFAULT, *, visit_days: int = recent.DAYS_DEFAULT) -> tuple[View, ...]:
    """Every view; those that count by the shop's days or hours in this zone, and visits kept for so long."""
    return (
        *_WITHOUT_SETTINGS,
        recent.view(visit_days),
        sales_hours.view(time_zone),
        conversion.view(time_zone),
    )


_WITHOUT_SETTINGS: tuple[View, ...] = (
    catalog.VIEW,
    price_history.VIEW,
    inventory.VIEW,
    cart.VIEW,
    orders.VIEW,
    explanations.VIEW,
    customer_orders.VIEW,
    customer_value.VIEW,
    sales.VIEW,
    bestsellers.VIEW,
    bestseller_days.VIEW,
    also_bought.VIEW,
    coupons.VIEW,
    coupons.BATCH_VIEW,
    coupon_batches.VIEW,
    terms.VIEW,
    credit.VIEW,
)

VIEWS = views()
"""Every view of a shop that sets nothing."""
