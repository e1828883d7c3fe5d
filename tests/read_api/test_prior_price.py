"""The price before a reduction (directive 98/6/EC, Article 6a): from the log to the product's page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from aggregates.pricing.rules import MAIN_MARKET
from aggregates.terms.events import MarketDefined
from event_store.records import EventLog
from tests.shop.facts import listed, priced
from tests.shop.log import Shop
from tests.shop.views import ViewShop
from tests.terms.samples import BRITAIN

MAIN = replace(BRITAIN, market_id=MAIN_MARKET)
SINCE_MARCH = [((3, 1), "100.00"), ((5, 10), "80.00"), ((5, 20), "100.00")]
SERIES = [((3, 1), "100.00"), ((6, 1), "80.00"), ((6, 20), "70.00"), ((7, 1), "60.00")]

Changes = list[tuple[tuple[int, int], str]]


def pages(views: ViewShop, log: EventLog, api: httpx.Client, changes: Changes) -> list[dict[str, Any]]:
    """The mug of a log with these prices, each since its day: its page, and what lists and search show."""
    shop = Shop(log)
    for n, ((month, day), price) in enumerate(changes):
        event = priced("MUG", price) if n else listed("MUG", price=price)
        shop.record((event,), channel="import", valid_at=datetime(2026, month, day, tzinfo=UTC))
    shop.flush()
    headers = {"Daybook-Min-Position": str(views.follows(log))}
    found = [api.get("/api/v1/products/MUG", headers=headers).json()]
    for path in ("/api/v1/products", "/api/v1/search?q=mug"):
        found += api.get(path, headers=headers).json()["items"]
    return found


@pytest.mark.parametrize(
    ("changes", "prior"),
    [
        ([*SINCE_MARCH, ((6, 1), "70.00")], 8_000),
        ([*SINCE_MARCH, ((6, 25), "70.00")], 10_000),
        (SERIES, 7_000),
        (SINCE_MARCH, None),
    ],
    ids=["falls on 1 June", "falls on 25 June", "falls again and again", "rose last"],
)
@pytest.mark.parametrize("progressive", [None, False, True])
def test_the_prior_price_is_that_of_the_market(
    shop: ViewShop,
    log: EventLog,
    api: httpx.Client,
    changes: Changes,
    prior: int | None,
    progressive: bool | None,
) -> None:
    if progressive is not None:
        writer = Shop(log)
        writer.record(elsewhere={"terms-main": MarketDefined(market=replace(MAIN, progressive=progressive))})
        writer.flush()
    expected = 10_000 if progressive and changes is SERIES else prior
    for page in pages(shop, log, api, changes):
        shown = None if page["prior_price"] is None else page["prior_price"]["amount"]
        assert shown == expected
