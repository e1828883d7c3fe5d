"""What no client in good faith sends: every route answers it, soon, and says what is wrong as a problem."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from read_api.settings import QuerySettings
from tests.read_api.examples import REQUESTS, example_api, fill, url_of
from tests.shop.documents import operations
from tests.shop.views import ViewShop
from tests.waiting import SECONDS_MAX

CPU_SECONDS_MAX = 0.1
"""Of client and server together: what a busy machine lets others do meanwhile does not count."""
TRIES = 10
"""The first of them may be what loads a module; the one that took least counts."""

LONG = "x" * 10_000
TEXTS = [
    LONG,
    "",
    "a\0b",
    "%",
    "../../etc/passwd",
    "-1",
    "1e9",
    "9" * 400,
    "NaN",
    "true",
    "null",
    "[]",
    '{"a":1}',
    "' OR 1=1 --",
    "MUG-BLUE}:*",
    "{product.v1.0}:checkpoint",
    "*",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH SPACE}",
    "\N{FAMILY}" * 1_000,
    "a" + "\N{COMBINING ACUTE ACCENT}" * 3_000,
    "\ud7ff\uffff",
    "(a+)+$" * 50,
    ",".join(["MUG-BLUE"] * 500),
]
CURSORS = [
    base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    for text in (
        "",
        "[]",
        "[0]",
        "[1,-1]",
        '[0,1e400,""]',
        "[" * 300,
        '["\\ud800",0,0]',
        "null",
        "[0,0,0,0,0,0]",
    )
]
HEADERS: dict[str, list[str]] = {
    "Range": ["bytes=0-0", "bytes=5-2,9-", "items=1-2", LONG],
    "Accept-Encoding": [
        "",
        "*;q=0",
        "br;q=-1",
        "gzip;q=abc, ;;=,",
        "zstd;q=1e9",
        "br," * 3_000,
        "identity;q=0",
    ],
    "Prefer": ["wait=99999999999999", "handling=strict;;", 'wait="', "wait=-1, handling=lenient", LONG],
    "If-None-Match": ["*", '"', 'W/"', "," * 9_000, '"' + LONG + '"', "\xe9"],
    "If-Modified-Since": ["yesterday", "Thu, 01 Jan 1970 00:00:00 GMT"],
    "Last-Event-ID": ["-1", "NaN", "1" * 5_000, "\xe9"],
    "Daybook-Min-Position": ["-1", "1e3", "\xb2", "9" * 30, "", LONG],
    "Daybook-Order-Secret": ["\xe9" * 64, LONG],
    "Authorization": ["Bearer", "Bearer \xe9", "Basic " + LONG],
    "Accept": ["text/html;q=0", LONG, "text/event-stream"],
    "Traceparent": ["00-" + "0" * 32 + "-1-00", LONG],
    "Cookie": [LONG],
}
ANSWERED = {200, 304}


@pytest.fixture
def api(shop: ViewShop, query_settings: QuerySettings) -> Iterator[httpx.Client]:
    fill(shop)
    quick = query_settings.model_copy(update={"min_position_wait_seconds": 0.0})
    with example_api(quick, shop) as address, httpx.Client(base_url=address, timeout=SECONDS_MAX) as client:
        yield client


def check(api: httpx.Client, url: str | httpx.URL, **headers: str) -> None:
    """The request is answered, or refused with a problem, soon. Of a stream the head is looked at."""
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    said = (str(url)[:300], {name: value[:80] for name, value in headers.items()})
    least = 1e9
    for _ in range(TRIES):
        begun = time.process_time()
        with api.stream("GET", url, headers=encoded) as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer.read()
        least = min(least, time.process_time() - begun)
        if least < CPU_SECONDS_MAX:
            break
    assert least < CPU_SECONDS_MAX, said
    if answer.status_code not in ANSWERED:
        assert 400 <= answer.status_code < 500, (said, answer.text)
        assert answer.headers["content-type"] == "application/problem+json", said
        assert answer.json()["status"] == answer.status_code, said
        assert len(answer.content) < 5_000, said  # a detail has up to 1,000 characters


@pytest.fixture
def routes(api: httpx.Client) -> dict[str, dict[str, Any]]:
    """Every operation of the document, by its route."""
    return dict(operations(api.get("/openapi.json").json()))


def test_any_text_may_stand_in_any_path(api: httpx.Client) -> None:
    for one in REQUESTS:
        for name in one.parameters:
            if f"{{{name}}}" not in one.route:
                continue
            for text in TEXTS:
                named = one.parameters | {name: quote(text, safe="", errors="surrogatepass")}
                path = one.route.removeprefix("GET ")
                for each, value in named.items():
                    path = path.replace(f"{{{each}}}", value)
                check(api, path)
            for raw in ("%ff", "%c0%80", "%ed%a0%80", "%00", "%2e%2e%2f", "%25%32%35", "a%0d%0aSet-Cookie:b"):
                check(api, one.route.removeprefix("GET ").replace(f"{{{name}}}", raw))


def test_any_text_may_stand_in_any_parameter(api: httpx.Client, routes: dict[str, dict[str, Any]]) -> None:
    for one in REQUESTS:
        known = [each["name"] for each in routes[one.route].get("parameters", []) if each["in"] == "query"]
        base = str(url_of(one)).partition("?")[0]
        for name in known:
            for text in [*TEXTS, *(CURSORS if name == "cursor" else [])]:
                check(api, f"{base}?{name}={quote(text, safe='', errors='surrogatepass')}")
            check(api, f"{base}?{name}=%ff")
            check(api, f"{base}?{name}=1&{name}=2")
            check(api, f"{base}?{name}[]=1&{name}.x=2")
        check(api, f"{base}?{'&' * 5_000}")
        check(api, f"{base}?{'a=1&' * 2_000}")


def test_any_text_may_stand_in_any_header(api: httpx.Client) -> None:
    for one in REQUESTS:
        for header, values in HEADERS.items():
            for value in values:
                check(api, url_of(one), **{header: value})
