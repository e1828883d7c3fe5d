"""What holds on every route: problems, parameters, traces, measures, other origins, the OpenAPI document."""

from __future__ import annotations

import json

import httpx
import pytest
import structlog
from fastapi import APIRouter
from pydantic import BaseModel

from read_api.app import build_query_app
from read_api.problems import PROBLEM_TYPES
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.shop.views import ViewShop


class Feed(BaseModel):
    """What another owner's route answers."""

    next: int


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/products?sort=sideways", "sort"),
        ("/api/v1/products?limit=0", "limit"),
        ("/api/v1/products?limit=1001", "limit"),
        ("/api/v1/search?price_min=-1", "price_min"),
        ("/api/v1/search?price_max=1.5", "price_max"),
        ("/api/v1/search?price_min=1_000", "price_min"),
        ("/api/v1/search?price_max=1.0", "price_max"),
        ("/api/v1/products?limit=1_0", "limit"),
        ("/api/v1/search?currency=eur", "currency"),
        ("/api/v1/products?currency=EURO", "currency"),
        ("/api/v1/suggest?q=a&limit=51", "limit"),
        ("/api/v1/suggest?limit=5", "q"),
        ("/api/v1/products?limit=%2B1", "limit"),
        ("/api/v1/bestsellers?limit=%201", "limit"),
        ("/api/v1/customers/a/orders?limit=1.0", "limit"),
        ("/api/v1/search?in_stock=perhaps", "in_stock"),
        ("/api/v1/bestsellers?window=year", "window"),
        ("/api/v1/dashboards/sales?from=yesterday", "from"),
        ("/api/v1/dashboards/sales?from=0.0", "from"),
        ("/api/v1/dashboards/sales?to=2026-02-30", "to"),
        ("/api/v1/dashboards/conversion?from=2026-03-01T00:00:00Z", "from"),
        ("/api/v1/dashboards/conversion?to=20260301", "to"),
        ("/api/v1/dashboards/hours?from=2026-03-01T00:00:00Z", "from"),
    ],
)
def test_a_value_out_of_form_names_its_parameter(
    shop: ViewShop, api: httpx.Client, path: str, field: str
) -> None:
    answer = api.get(path)
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["field"]) == (
        422,
        "/problems/invalid-request",
        field,
    )
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/products/MUG?pretty=1",
        "/api/v1/products?categroy=Kitchen",
        "/api/v1/search?q=a&Q=b",
        "/api/v1/search?q=a&q=b",
        "/api/v1/carts/x?limit=1",
        "/health/live?x=1",
    ],
)
def test_a_parameter_that_is_not_known_is_refused(shop: ViewShop, api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unknown-parameter")


LONG = "x" * 30_000


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/products/{LONG}",
        f"/api/v1/carts/{LONG}",
        f"/api/v1/{LONG}",
        f"/api/v1/products?{LONG}=1",
        f"/api/v1/products?sort={LONG}",
        f"/api/v1/products?cursor={LONG}",
        f"/api/v1/search?q={LONG}",
        f"/api/v1/dashboards/sales?from={LONG}",
        f"/api/v1/products?limit={'1' * 30_000}",
        "/api/v1/products?" + "&".join(f"p{n}=1" for n in range(5_000)),
    ],
    ids=lambda path: path[:24],
)
def test_no_answer_repeats_what_is_long(shop: ViewShop, api: httpx.Client, path: str) -> None:
    shop.lists("MUG")
    answer = api.get(path)
    assert answer.status_code in (400, 404, 422)
    assert len(answer.content) < 2_000


def test_unknown_routes_and_methods_are_problems_too(shop: ViewShop, api: httpx.Client) -> None:
    for path in ("/", "/api/v1/nothing", "/api/v1/products/", "/api/v1/products/a/b"):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found"), path
    for path in ("/api/v1/products/MUG", "/api/v1/products", "/health/live"):
        answer = api.post(path)
        assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed"), path
        assert answer.headers["Allow"] == "GET, HEAD"


def test_the_trace_is_taken_from_the_asker_or_made(shop: ViewShop, query_settings: QuerySettings) -> None:
    shop.lists("MUG")
    logged = query_settings.model_copy(update={"access_log": True})
    app = build_query_app(logged, ready_position=lambda: 0)
    with structlog.testing.capture_logs() as lines, running(app) as address:
        parent = {"traceparent": f"00-{TRACE}-{'1' * 16}-01"}
        traced = httpx.get(f"{address}/api/v1/products/MUG", headers=parent)
        made = httpx.get(f"{address}/api/v1/carts/x", headers={"traceparent": "nonsense"})
    assert traced.headers["trace-id"] == TRACE
    assert len(made.headers["trace-id"]) == 32
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["trace_id"], line["route"], line["status"]) for line in requests] == [
        (TRACE, "/api/v1/products/{sku}", 200),
        (made.headers["trace-id"], "/api/v1/carts/{cart_id}", 404),
    ]


def test_answers_are_counted_by_route_and_status(shop: ViewShop, api: httpx.Client) -> None:
    shop.lists("MUG")

    def counted(route: str, status: int) -> float:
        wanted = f'daybook_query_requests_total{{route="{route}",status="{status}"}} '
        lines = api.get("/metrics").text.splitlines()
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    before = counted("/api/v1/products/{sku}", 200), counted("unmatched", 404)
    api.get("/api/v1/products/MUG")
    api.get("/nowhere")
    assert counted("/api/v1/products/{sku}", 200) == before[0] + 1
    assert counted("unmatched", 404) == before[1] + 1


def test_another_owners_routes_lie_beside_and_are_documented(
    shop: ViewShop, query_settings: QuerySettings
) -> None:
    router = APIRouter()

    @router.get("/api/v1/events")
    async def events(after: int = 0) -> Feed:
        return Feed(next=after)

    app = build_query_app(query_settings, ready_position=lambda: 0)
    app.include_router(router)
    with running(app) as address:
        assert httpx.get(f"{address}/api/v1/events?after=3").json() == {"next": 3}
        document = httpx.get(f"{address}/openapi.json").json()
    assert "Feed" in document["components"]["schemas"]
    assert "ProductDocument" in document["components"]["schemas"]


def test_every_problem_has_one_type_of_its_own() -> None:
    assert len({kind.slug for kind in PROBLEM_TYPES}) == len(PROBLEM_TYPES)


def test_openapi_names_every_header_and_problem_of_a_list(shop: ViewShop, api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    listing = document["paths"]["/api/v1/products"]["get"]
    headers = {"Daybook-Min-Position", "Prefer", "If-None-Match"}
    assert headers | {"sku", "fields", "category", "currency", "sort", "cursor", "limit"} == {
        parameter["name"].title() if parameter["in"] == "header" else parameter["name"]
        for parameter in listing["parameters"]
    }
    statuses = "200 304 400 403 410 412 421 422 429 500 503"
    assert set(listing["responses"]) == set(statuses.split())
    assert set(listing["responses"]["200"]["headers"]) == {"ETag", "Daybook-View-Position"}
    assert "HTTPValidationError" not in json.dumps(document)
