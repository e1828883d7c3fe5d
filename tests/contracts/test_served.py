"""Who runs Daybook gets the contracts from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest

from deploy.edge.middleware import behind_the_edge
from deploy.edge.settings import EdgeSettings
from deploy.local.query_process import build_query_process_app
from event_store.memory.log import MemoryLog
from read_api.settings import QuerySettings
from replays.contracts.files import ASYNCAPI, schema_file
from tests.contracts.test_asyncapi import references
from tests.read_api.conftest import running
from tests.shop.story import Story
from tests.waiting import SECONDS_MAX


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """Of a query process whose history is the operator's alone."""
    log = MemoryLog()
    Story(log).receive()
    token = "t0ken-of-the-operator"
    app = build_query_process_app(QuerySettings(redis_url="redis://localhost:1", operator_token=token), log)
    with (
        running(behind_the_edge(app, EdgeSettings(operator_token=token), methods=["GET", "HEAD"])) as address,
        httpx.Client(base_url=address, timeout=SECONDS_MAX) as asking,
    ):
        yield asking


def test_every_reference_of_the_served_document_is_served(client: httpx.Client) -> None:
    answer = client.get("/asyncapi.json")
    assert answer.headers["content-type"] == "application/vnd.aai.asyncapi+json"
    assert answer.content == ASYNCAPI.read_bytes()
    schemas = sorted({one for one in references(answer.json()) if not one.startswith("#")})
    for reference in schemas[:5]:
        schema = client.get(urljoin(str(answer.url), reference))
        assert schema.headers["content-type"] == "application/schema+json"
        assert schema.json()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_an_older_numbers_schema_is_served_too(client: httpx.Client) -> None:
    answer = client.get("/schemas/cart.item_added/1.json")
    assert answer.json() == json.loads(schema_file("cart.item_added", 1).read_text(encoding="utf-8"))
    again = client.get("/schemas/cart.item_added/1.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("/schemas/cart.item_added/99.json", 404, "not-found"),
        ("/schemas/cart.eaten/1.json", 404, "not-found"),
        ("/schemas/..%2f..%2ffeed/examples.json", 404, "not-found"),
        ("/schemas/cart.item_added/1.json?form=short", 400, "unknown-parameter"),
        ("/asyncapi.json?version=2", 400, "unknown-parameter"),
    ],
)
def test_what_is_no_contract_is_a_problem(client: httpx.Client, path: str, status: int, problem: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")
