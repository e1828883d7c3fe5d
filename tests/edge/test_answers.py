"""What every answer of both servers has: heads like bodies, problems for slashes, traces for failures."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog.testing
from fastapi import FastAPI

from aggregates.event_types import EVENT_TYPES
from commands.handlers.registry import HANDLERS
from commands.http.app import build_command_app
from commands.loop.handling import Handling
from commands.settings import Settings
from deploy.edge.middleware import behind_the_edge
from deploy.edge.settings import EdgeSettings
from event_store.codec import Codec
from event_store.memory.log import MemoryLog
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.edge.wire import HOST, Answer, get, port_of, wire
from tests.system.running import RunningSystem, call
from tests.waiting import wait_until

ON_BOTH = ["/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json", "/nowhere"]
ON_QUERIES = [
    "/api/v1/products/HEAD-1",
    "/api/v1/products/NONE",
    "/api/v1/products",
    "/api/v1/search?q=head",
    "/api/v1/inventory/HEAD-1",
    "/api/v1/bestsellers",
    "/api/v1/products/MUG/also-bought",
    "/api/v1/visits/v/recent",
    "/api/v1/dashboards/sales",
    "/api/v1/carts/none",
    "/api/v1/events",
    "/api/v1/events?limit=0",
]
OWN = {"date", "trace-id"}  # each answer's own


@pytest.fixture
def listed(system: RunningSystem) -> None:
    product = {
        "sku": "HEAD-1",
        "title": "Head",
        "category": "Heads",
        "price": {"amount": 1, "currency": "GBP"},
    }
    call(f"{system.addresses['commands']}/api/v1/products", product)
    wait_until(lambda: call(f"{system.addresses['read']}/api/v1/search?q=head")[1].get("total") == 1)


def heads_of(port: int, path: str, *headers: bytes) -> tuple[Answer, Answer]:
    return get(port, path, *headers), get(port, path, *headers, method="HEAD")


@pytest.mark.usefixtures("listed")
def test_head_is_answered_wherever_get_is(system: RunningSystem) -> None:
    pages = [(side, path) for side in ("commands", "read") for path in ON_BOTH]
    pages += [("read", path) for path in ON_QUERIES]
    for side, path in pages:
        full, head = heads_of(port_of(system.addresses[side]), path)
        assert (head.status, head.body) == (full.status, b""), path
        assert head.headers.keys() == full.headers.keys(), path
        same = set(full.headers) - OWN - ({"content-length"} if path == "/metrics" else set())
        assert {name: head.headers[name] for name in same} == {name: full.headers[name] for name in same}
        assert "content-length" in head.headers, path


@pytest.mark.usefixtures("listed")
def test_a_head_may_be_unchanged_too(system: RunningSystem) -> None:
    port = port_of(system.addresses["read"])
    for path in ("/api/v1/products/HEAD-1", "/api/v1/products", "/api/v1/events"):
        tag = get(port, path).headers["etag"].encode()
        full, head = heads_of(port, path, b"If-None-Match: %s\r\n" % tag)
        assert (full.status, head.status, head.body) == (304, 304, b""), path
        assert head.headers["etag"] == full.headers["etag"] == tag.decode()


def test_the_head_of_an_endless_answer_ends(system: RunningSystem) -> None:
    with wire(port_of(system.addresses["read"])) as line:
        for _ in range(2):
            line.send(b"HEAD /api/v1/events HTTP/1.1\r\n", HOST, b"Accept: text/event-stream\r\n\r\n")
            answer = line.answer("HEAD")
            assert (answer.status, answer.headers["content-type"]) == (
                200,
                "text/event-stream; charset=utf-8",
            )


def test_a_head_of_what_has_no_get_names_the_methods(system: RunningSystem) -> None:
    commands, read = (port_of(system.addresses[side]) for side in ("commands", "read"))
    assert get(commands, "/api/v1/carts", method="HEAD").status == 405
    assert get(commands, "/health/live", method="POST").headers["allow"] == "GET, HEAD"
    assert get(read, "/api/v1/products", method="POST").headers["allow"] == "GET, HEAD"


def test_every_page_says_which_methods_it_takes(port: int) -> None:
    for path in ("/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css", "/metrics"):
        answer = get(port, path, method="POST")
        assert (answer.problem, answer.headers["allow"]) == ((405, "method-not-allowed"), "GET, HEAD"), path


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_slash_at_the_end_is_another_path_and_there_is_none(port: int, method: str) -> None:
    for path in (
        "/health/live/",
        "/metrics/",
        "/docs/",
        "/api/v1/carts/",
        "/api/v1/products/MUG/",
        "/api/v1/events/",
    ):
        answer = get(port, path, method=method)
        assert answer.status == 404, path
        assert "location" not in answer.headers
        if method != "HEAD":
            assert answer.problem == (404, "not-found")


def test_every_answer_has_a_date_and_no_servers_name(port: int) -> None:
    for path in ("/health/live", "/nowhere", "/" + "a" * 70_000):
        headers = get(port, path).headers
        assert "date" in headers
        assert "server" not in headers


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NOT_CALLED: Any = None


def commands_that_fail(folder: Path) -> FastAPI:
    log = MemoryLog()
    handling = Handling(log, Codec(EVENT_TYPES), HANDLERS, deadline_seconds=1)
    app = build_command_app(
        Settings(postgres_url="postgresql:///none", data_dir=folder), handling, log, NOT_CALLED
    )
    app.state.handling = None
    return app


def queries_that_fail(folder: Path) -> FastAPI:
    settings = QuerySettings(redis_url="redis://localhost:1", data_dir=folder)
    app = build_query_app(settings, ready_position=lambda: 0)
    app.state.stores = None
    return app


@pytest.mark.parametrize(
    ("build", "method", "path", "body"),
    [
        (commands_that_fail, "POST", "/api/v1/carts", {"currency": "GBP"}),
        (commands_that_fail, "POST", f"/api/v1/carts/{'1' * 32}/items", {"sku": "MUG"}),
        (queries_that_fail, "GET", "/api/v1/products/MUG", None),
        (queries_that_fail, "GET", "/api/v1/bestsellers", None),
    ],
)
def test_a_failure_of_ours_bears_its_trace_and_may_be_read_by_the_shops_page(
    tmp_path: Path, build: Any, method: str, path: str, body: Any
) -> None:
    app = behind_the_edge(build(tmp_path), EdgeSettings(), methods=("GET",))
    headers = {"Origin": "http://localhost:3000", "Traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client:
            return await client.request(method, path, json=body, headers=headers)

    with structlog.testing.capture_logs() as lines:
        answer = asyncio.run(ask())
    assert [line["trace_id"] for line in lines if line["event"] == "request_failed"] == [TRACE]
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert re.fullmatch(TRACE, answer.headers["trace-id"])
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "Trace-Id" in answer.headers["access-control-expose-headers"]
