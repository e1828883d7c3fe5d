"""Asking the query side how far its read models have come, as the operator where a token is set."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import httpx

PATHS = {  # Of each view; whether it is found there or not, the response names the view's position.
    "products": "/api/v1/products/0",
    "inventory": "/api/v1/inventory/0",
    "orders": f"/api/v1/orders/{'0' * 32}",
    "explanations": f"/api/v1/orders/{'0' * 32}/explanation",
    "customer orders": "/api/v1/customers/0/orders?limit=1",
    "customers' value": "/api/v1/customers/0/value",
    "sales": "/api/v1/dashboards/sales?from=2000-01-01&to=2000-01-01",
    "sales by hour": "/api/v1/dashboards/hours?from=2000-01-01&to=2000-01-01",
    "conversion": "/api/v1/dashboards/conversion?from=2000-01-01&to=2000-01-01",
    "bestsellers": "/api/v1/bestsellers?limit=1",
    "also bought": "/api/v1/products/0/also-bought",
    "bestsellers by window": "/api/v1/bestsellers?window=day&limit=1",
    "terms": "/api/v1/markets?limit=1",
    "search": "/api/v1/search?q=&limit=1",
}
STANDSTILL_SECONDS = 60.0


class ViewsUnreachable(Exception):  # noqa: N818
    """The query side does not answer, or its views stand still."""


def wait_for_views(read_url: str, *, position: int, moved: Callable[[int], None]) -> None:
    """Returns once every view stands at `position`; `moved` is called with the least of them now and then.

    Raises ViewsUnreachable.
    """
    slowest, moved_at = -1, time.monotonic()
    while True:
        now = min(view_position(read_url, path, wanted=position) for path in PATHS.values())
        if now > slowest:
            slowest, moved_at = now, time.monotonic()
            moved(now)
        if now >= position:
            return
        if time.monotonic() - moved_at > STANDSTILL_SECONDS:
            raise ViewsUnreachable(f"the read models stand at position {now:,} of {position:,}")


def view_position(read_url: str, path: str, *, wanted: int) -> int:
    """Where the view stands that answers `path`; waits a moment for it to reach `wanted`."""
    headers = {"Daybook-Min-Position": str(wanted)}
    if token := os.environ.get("DAYBOOK_OPERATOR_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    try:
        response = httpx.get(f"{read_url.rstrip('/')}{path}", headers=headers, timeout=30)
    except httpx.TransportError as error:
        raise ViewsUnreachable(f"the query side does not answer: {error}") from error
    position = response.headers.get("Daybook-View-Position", "")
    if not position.isdecimal():
        raise ViewsUnreachable(f"the query side does not say where its views stand ({path})")
    return int(position)
