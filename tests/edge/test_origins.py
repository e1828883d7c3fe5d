"""Which names and which pages are served: without a token this machine's own, with one those that are set."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from deploy.edge.middleware import behind_the_edge
from deploy.edge.origins import EXPOSED
from deploy.edge.settings import EdgeSettings
from tests.edge.wire import get, port_of
from tests.system.running import RunningSystem

PATHS = ("/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json", "/nowhere")
ON_QUERIES = ("/api/v1/events", "/api/v1/products/MUG", "/api/v1/search?q=mug")
LOCAL = ("localhost", "LOCALHOST:8000", "shop.localhost:1", "127.0.0.1", "127.9.8.7:9", "[::1]", "[::1]:8001")
ASKED = {"Daybook-Min-Position", "Daybook-Order-Secret"}  # headers of requests
ROOT = Path(__file__).parents[2]
FOREIGN = (
    "example.com",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "0.0.0.0",
    "10.0.0.1",
    "[::2]",
    "notlocalhost",
)


def host(name: str) -> bytes:
    return f"Host: {name}\r\n".encode()


def origin(name: str) -> bytes:
    return f"Origin: {name}\r\n".encode()


def test_only_local_names_are_served(port: int) -> None:
    for name in LOCAL:
        assert get(port, "/health/live", host=host(name)).status == 200, name
    for name in FOREIGN:
        assert get(port, "/health/live", host=host(name)).problem == (421, "misdirected-request"), name


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_a_foreign_page_gets_nothing_from_any_route(system: RunningSystem, method: str) -> None:
    pages = [(side, path) for side in ("commands", "read") for path in PATHS]
    pages += [("read", path) for path in ON_QUERIES] + [("commands", "/api/v1/carts")]
    for side, path in pages:
        port = port_of(system.addresses[side])
        for accept in (b"", b"Accept: text/event-stream\r\n"):
            answer = get(port, path, origin("https://example.com"), accept, method=method)
            assert answer.status == 403, (side, path)
            assert "access-control-allow-origin" not in answer.headers
            assert get(port, path, accept, method=method, host=host("example.com")).status == 421, (
                side,
                path,
            )


def test_a_foreign_page_changes_nothing(system: RunningSystem) -> None:
    commands = port_of(system.addresses["commands"])
    before = get(commands, "/health/ready").json["position"]
    for name in ("https://example.com", "null", "http://localhost.example.com", "file://"):
        simple = b'Content-Type: text/plain\r\nContent-Length: 18\r\n\r\n{"currency":"GBP"}'
        answer = get(commands, "/api/v1/carts", origin(name), simple, method="POST")
        assert answer.problem == (403, "foreign-origin"), name
    assert get(commands, "/health/ready").json["position"] == before


def test_a_local_page_reads_every_header_that_is_ours(port: int) -> None:
    for name in (
        "http://localhost:3000",
        "https://shop.localhost",
        "http://127.0.0.1:5173",
        "http://[::1]:80",
    ):
        answer = get(port, "/nowhere", origin(name))
        assert answer.headers["access-control-allow-origin"] == name
        exposed = {header.strip() for header in answer.headers["access-control-expose-headers"].split(",")}
        assert exposed >= {
            "Daybook-Position",
            "Daybook-View-Position",
            "Idempotency-Replayed",
            "ETag",
            "Trace-Id",
        }


def test_every_header_that_bears_our_name_may_be_read_by_pages() -> None:
    sources = [
        file.read_text()
        for package in ("commands", "read_api", "replays")
        for file in (ROOT / package).rglob("*.py")
    ]
    named = {name for source in sources for name in re.findall(r'"(Daybook-[A-Za-z-]+)"', source)}
    assert named >= {"Daybook-Position"}
    assert named - ASKED <= set(EXPOSED)


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(Request(scope, receive).url.hostname or "")(scope, receive, send)


def respond(method: str = "GET", *, settings: dict[str, Any], **headers: str) -> httpx.Response:
    """What an application behind the edge answers, with these settings."""
    app = behind_the_edge(answers, EdgeSettings(**settings), methods=("GET", "PUT"))
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.request(method, "/", headers=named)

    return asyncio.run(ask())


SHOP = "https://shop.example"


def test_origins_that_are_set_are_added_to_the_local_ones() -> None:
    settings = {"cors_origins": f"{SHOP}/, https://other.example"}
    for name in (SHOP, "https://other.example", "http://localhost:3000"):
        answer = respond(settings=settings, host="localhost", origin=name)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, name)
        assert "Origin" in answer.headers["vary"]
    assert respond(settings=settings, host="localhost", origin="https://example.com").status_code == 403
    assert respond(settings=settings, host="shop.example", origin=SHOP).status_code == 421


def test_every_origin_may_be_set() -> None:
    answer = respond(settings={"cors_origins": "*"}, host="localhost", origin=SHOP)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_with_a_token_every_name_is_served_and_every_page() -> None:
    answer = respond(settings={"operator_token": "secret"}, host="shop.example:80", origin=SHOP)
    assert (answer.status_code, answer.text) == (200, "shop.example")
    assert answer.headers["access-control-allow-origin"] == "*"


def test_with_a_token_the_origins_that_are_set_are_the_ones() -> None:
    settings = {"operator_token": "secret", "cors_origins": SHOP}
    assert respond(settings=settings, origin=SHOP).headers["access-control-allow-origin"] == SHOP
    foreign = respond(settings=settings, origin="https://example.com")
    assert "access-control-allow-origin" not in foreign.headers


def test_an_empty_token_is_none() -> None:
    assert respond(settings={"operator_token": ""}, host="shop.example").status_code == 421


def test_a_page_may_ask_first() -> None:
    preflight = {"origin": "http://localhost:1", "host": "localhost"}
    allowed = respond(
        "OPTIONS",
        settings={},
        **preflight,
        access_control_request_method="PUT",
        access_control_request_headers="idempotency-key, content-type",
    )
    assert allowed.status_code == 200
    assert "PUT" in allowed.headers["access-control-allow-methods"]
    assert allowed.headers["access-control-allow-headers"] == "idempotency-key, content-type"
    refused = respond("OPTIONS", settings={}, **preflight, access_control_request_method="PATCH")
    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/foreign-origin"
