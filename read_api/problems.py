"""The problems of the query API alone."""

from __future__ import annotations

from typing import Any

from deploy.edge.problems import ProblemError, ProblemType

INVALID_MIN_POSITION = ProblemType("invalid-min-position", 400, "Daybook-Min-Position is not a position.")
INVALID_CURSOR = ProblemType("invalid-cursor", 400, "The cursor is not one of this query's.")
TOO_MANY_DAYS = ProblemType("too-many-days", 400, "These are more days than one answer has.")
CURSOR_EXPIRED = ProblemType("cursor-expired", 410, "The pages after this cursor are gone. Start again.")
CURRENCY_REQUIRED = ProblemType(
    "currency-required", 422, "Prices are compared in one currency, and the shop has several: name one."
)
UNKNOWN_PRODUCT = ProblemType("unknown-product", 404, "There is no such product.")
UNKNOWN_SKU = ProblemType("unknown-sku", 404, "There is no stock under this SKU.")
UNKNOWN_CART = ProblemType("unknown-cart", 404, "There is no such cart.")
UNKNOWN_ORDER = ProblemType("unknown-order", 404, "There is no such order.")
UNKNOWN_COUPON = ProblemType("unknown-coupon", 404, "There is no such coupon.")
UNKNOWN_ACCOUNT = ProblemType("unknown-account", 404, "There is no such gift card or store credit.")
UNKNOWN_BATCH = ProblemType("unknown-batch", 404, "There is no such batch of coupons.")
UNKNOWN_MARKET = ProblemType("unknown-market", 404, "There is no such market.")
UNKNOWN_COUNTRY = ProblemType("unknown-country", 404, "No country has this ISO 3166-1 alpha-2 code.")
VIEW_BEHIND = ProblemType("view-behind", 412, "The view has not reached the position asked for.")
VIEW_NOT_READY = ProblemType("view-not-ready", 503, "The view is being built. Try again.")
STORE_UNAVAILABLE = ProblemType("store-unavailable", 503, "The read models are away. Try again.")

PROBLEM_TYPES: tuple[ProblemType, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, ProblemType)
)


def unknown(kind: ProblemType, position: int, **facts: Any) -> ProblemError:
    """There is no such thing, as far as the view has come."""
    return ProblemError(kind, headers={"Daybook-View-Position": str(position)}, **facts)
