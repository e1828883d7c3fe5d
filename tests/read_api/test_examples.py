"""The document's examples: each is sent to a filled shop, and answered as it stands there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis

from read_api.settings import QuerySettings
from tests.read_api.examples import REQUESTS, asked, example_api, fill, url_of
from tests.shop.documents import examples_in, operations
from tests.shop.examples import Step, stable
from tests.shop.views import ViewShop
from tests.waiting import SECONDS_MAX

TOKEN = "t0ken-of-the-operator"


@pytest.fixture
def client(shop: ViewShop, query_settings: QuerySettings) -> Iterator[httpx.Client]:
    fill(shop)
    with (
        example_api(query_settings, shop) as address,
        httpx.Client(base_url=address, timeout=SECONDS_MAX) as client,
    ):
        yield client


def test_each_operations_example_is_answered_as_the_document_shows(client: httpx.Client) -> None:
    shown = examples_in(client.get("/openapi.json").json())
    assert shown.keys() == {one.route for one in REQUESTS}
    for example in shown.values():
        answered = asked(client, Step(example.route, example.parameters))
        assert stable(msgspec.to_builtins(answered)) == stable(msgspec.to_builtins(example)), example.route


def test_each_examples_response_fits_its_schema(client: httpx.Client) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    found = {one.ok().label: one.ok() for one in schema.get_all_operations()}
    for one in REQUESTS:
        if not one.route.endswith("/live"):  # Those are read message by message.
            found[one.route].validate_response(client.get(url_of(one)))


@pytest.mark.parametrize("guarded", [True, False])
def test_the_document_says_who_may_call(shop: ViewShop, query_settings: QuerySettings, guarded: bool) -> None:
    fill(shop)
    settings = query_settings.model_copy(update={"operator_token": TOKEN if guarded else None})
    with (
        example_api(settings, shop) as address,
        httpx.Client(base_url=address, timeout=SECONDS_MAX) as client,
    ):
        document = client.get("/openapi.json").json()
        assert document["components"]["securitySchemes"].keys() == {"operator", "order_secret"}
        by_route = {one.route: one for one in REQUESTS}
        for route, operation in operations(document):
            alternatives: list[dict[str, Any]] = operation.get("security", [{}])
            if route in by_route:
                with client.stream("GET", url_of(by_route[route])) as unknown:
                    assert (unknown.status_code == 401) == ({} not in alternatives), route
                with client.stream(
                    "GET", url_of(by_route[route]), headers={"Authorization": f"Bearer {TOKEN}"}
                ) as operator:
                    assert operator.status_code == 200, route
        ours = {route for route, operation in operations(document) if "security" in operation}
        assert "GET /api/v1/events" in ours
        assert (
            "order_secret" in str(document["paths"]["/api/v1/orders/{order_id}"]["get"]["security"])
        ) is True
