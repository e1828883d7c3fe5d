"""A filled shop, and a request of each route to it: what the query API's document has as examples.

`python -m tests.read_api.examples` sends them and writes down what is answered.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from aggregates.credit.events import AccountOpened, Credited
from aggregates.kernel import Money
from deploy.edge.event_streams import EVENT_STREAM
from deploy.edge.middleware import behind_the_edge
from deploy.edge.openapi import Example
from deploy.edge.settings import EdgeSettings
from deploy.local.query_process import build_query_process_app
from event_store.memory.log import MemoryLog
from read_api.openapi import EXAMPLES
from read_api.settings import QuerySettings
from replays.feed import http
from tests.bench.engines import own_redis
from tests.read_api.conftest import running
from tests.read_api.test_coupons import batch_of
from tests.read_api.test_explanations import explained
from tests.read_api.test_terms import RULES
from tests.shop.examples import Step, write_down
from tests.shop.facts import NOON, added, listed, opened, placed, placed_together, received, viewed
from tests.shop.story import Story
from tests.shop.views import ViewShop, all_views
from tests.waiting import SECONDS_MAX

MUG, CUP = "MUG-BLUE", "CUP-RED"
VISIT = "5f0c6f0e-6d2b-4c41-9a53-0f6f1c1f8a37"
CART = "019ac8f0-7c1e-7a00-8000-00000000ca27"
ORDER = "019ac8f0-7c1e-7a00-8000-000000004711"
CARD = "019ac8f0-7c1e-7a00-8000-0000000000c5"
API = "/api/v1"
FEED = f"GET {API}/events"
"""The feed's route is not this API's own: its example stands with it."""


def get(path: str, **parameters: Any) -> Step:
    """A request of one route."""
    return Step(f"GET {path}", {name.rstrip("_"): value for name, value in parameters.items()})


REQUESTS: list[Step] = [
    get("/health/live"),
    get("/health/ready"),
    get(f"{API}/products/{{sku}}", sku=MUG),
    get(f"{API}/products", category="Kitchen", sort="price_asc", limit="1"),
    get(f"{API}/search", q="blue mgu", in_stock="true", limit="10"),
    get(f"{API}/suggest", q="mu", limit="5"),
    get(f"{API}/products/{{sku}}/price-history", sku=MUG),
    get(f"{API}/products/{{sku}}/also-bought", sku=MUG),
    get(f"{API}/products/{{sku}}/live", sku=MUG),
    get(f"{API}/bestsellers", window="week", limit="10"),
    get(f"{API}/visits/{{visit_id}}/recent", visit_id=VISIT),
    get(f"{API}/markets"),
    get(f"{API}/shipping-methods", market="gb", country="GB"),
    get(f"{API}/promotions"),
    get(f"{API}/price-lists"),
    get(f"{API}/countries/{{country}}/address-form", country="GB"),
    get(f"{API}/carts/{{cart_id}}", cart_id=CART),
    get(f"{API}/carts/{{cart_id}}/live", cart_id=CART),
    get(f"{API}/orders/{{order_id}}", order_id=ORDER),
    get(f"{API}/orders/{{order_id}}/explanation", order_id="priced"),
    get(f"{API}/orders/{{order_id}}/live", order_id=ORDER),
    get(f"{API}/customers/{{customer_id}}/orders", customer_id="17850", limit="10"),
    get(f"{API}/customers/{{customer_id}}/value", customer_id="17850"),
    get(f"{API}/inventory", low="true", limit="10"),
    get(f"{API}/inventory/{{sku}}", sku=MUG),
    get(f"{API}/coupons/{{code}}", code="X-1"),
    get(f"{API}/coupon-batches/{{batch_id}}", batch_id="b"),
    get(f"{API}/coupon-batches/{{batch_id}}.csv", batch_id="b"),
    get(f"{API}/credit/{{account_id}}", account_id=CARD),
    get(f"{API}/dashboards/sales", from_="2026-03-01", to="2026-03-31"),
    get(f"{API}/dashboards/hours", from_="2026-03-01", to="2026-03-01"),
    get(f"{API}/dashboards/conversion"),
    get(FEED.removeprefix("GET "), after=0, limit=1),
]


def fill(shop: ViewShop) -> None:
    """A shop that has something for each route."""
    shop.happens(
        listed(MUG, "Blue mug", description="Stoneware, 350 ml.", color="blue"),
        listed(CUP, "Red cup", category="Kitchen > Cups", price="8.50", color="red"),
        received(MUG, 40),
        received(CUP, 3),
    )
    shop.happens(*RULES)
    shop.happens(viewed(MUG, visit_id=VISIT), viewed(CUP, 2, visit_id=VISIT))
    shop.happens(opened(CART), replace(added(MUG, 2, CART), title="Blue mug"))
    shop.happens(placed(ORDER, MUG, 2, customer_id="17850"), placed_together("second", MUG, CUP), explained())
    shop.happens(*batch_of("X-1", "X-2"))
    shop.happens(
        AccountOpened(account_id=CARD, kind="gift_card", currency="GBP"),
        Credited(account_id=CARD, amount=Money(5_000, "GBP"), cause="issued"),
    )


@contextmanager
def example_api(settings: QuerySettings, shop: ViewShop) -> Iterator[str]:
    """The query process's API over the shop, and a log with a delivery in it."""
    story = Story(MemoryLog(clock=lambda: NOON))
    story.receive()
    app = build_query_process_app(settings, story.log)
    edge = EdgeSettings(operator_token=settings.operator_token)
    with running(behind_the_edge(app, edge, methods=["GET", "HEAD"])) as address:
        yield address


def url_of(one: Step) -> httpx.URL:
    """The address of a request: what its path does not have stands in the query."""
    path, query = one.route.removeprefix("GET "), {}
    for name, value in one.parameters.items():
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", str(value))
        else:
            query[name] = value
    return httpx.URL(path, params=query)


def asked(client: httpx.Client, one: Step) -> Example:
    """The example, as this API answers it; of a stream its first message."""
    with client.stream("GET", url_of(one)) as response:
        assert response.status_code == 200, (one.route, response.read())
        media_type = response.headers["content-type"].partition(";")[0]
        if media_type == EVENT_STREAM:
            lines = response.iter_lines()
            answer: Any = "\n".join(
                [next(line for line in lines if line.startswith("id:")), next(lines), "", ""]
            )
        else:
            response.read()
            answer = response.json() if media_type == "application/json" else response.text
    return Example(one.route, response.status_code, answer, one.parameters, media_type=media_type)


def main() -> None:
    """Writes down what a new shop answers."""
    with tempfile.TemporaryDirectory() as folder, own_redis() as redis_url:
        shop = all_views(redis_url, Path(folder) / "index")
        fill(shop)
        settings = QuerySettings(redis_url=redis_url, data_dir=Path(folder))
        with (
            example_api(settings, shop) as address,
            httpx.Client(base_url=address, timeout=SECONDS_MAX) as client,
        ):
            examples = [asked(client, one) for one in REQUESTS]
        shop.close()
    write_down([one for one in examples if one.route != FEED], EXAMPLES)
    write_down([one for one in examples if one.route == FEED], http.EXAMPLES)


if __name__ == "__main__":
    main()
