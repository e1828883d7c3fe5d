"""With an operator token set: whose orders, figures and history are, and that nobody else learns a thing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from commands.importing.views import ViewsUnreachable, wait_for_views
from deploy.edge.middleware import behind_the_edge
from deploy.edge.settings import EdgeSettings
from deploy.local.query_process import build_query_process_app
from event_store.memory.log import MemoryLog
from read_api.settings import QuerySettings
from tests.read_api.conftest import running
from tests.read_api.test_coupons import batch_of
from tests.shop.facts import placed
from tests.shop.views import ViewShop

TOKEN = "sesame-sesame"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
SECRET, OTHER = "ab" * 32, "cd" * 32
MINE, OLD, NONE = ("/api/v1/orders/mine", "/api/v1/orders/old", "/api/v1/orders/none")
EXPLAINED = f"{MINE}/explanation"

OPERATORS = (
    "/api/v1/customers/anna/orders",
    "/api/v1/customers/nobody/orders?limit=x",
    "/api/v1/customers/anna/value",
    "/api/v1/customers/nobody/value",
    "/api/v1/inventory",
    "/api/v1/inventory?low=true&below=x",
    "/api/v1/coupons/X-1",
    "/api/v1/coupons/X-2",
    "/api/v1/coupon-batches/b",
    "/api/v1/coupon-batches/c",
    "/api/v1/coupon-batches/b.csv",
    "/api/v1/coupon-batches/c.csv",
    "/api/v1/dashboards/sales",
    "/api/v1/dashboards/sales?from=yesterday",
    "/api/v1/dashboards/conversion",
    "/api/v1/dashboards/conversion?from=yesterday",
    "/api/v1/dashboards/hours",
    "/api/v1/dashboards/hours?to=yesterday",
    "/api/v1/events",
    "/api/v1/events?types=none.such",
)


def showing(secret: str) -> dict[str, str]:
    return {"Daybook-Order-Secret": secret}


@contextmanager
def served(shop: ViewShop, settings: QuerySettings, token: str | None) -> Iterator[httpx.Client]:
    """The whole query port over a shop with three orders, one from before there were secrets."""
    shop.lists("MUG")
    mine = hashlib.sha256(SECRET.encode()).hexdigest()
    shop.happens(
        placed("mine", "MUG", customer_id="anna", secret_hash=mine),
        placed("other", "MUG", secret_hash=hashlib.sha256(OTHER.encode()).hexdigest()),
        placed("old", "MUG", customer_id="anna"),
        *batch_of("X-1"),
    )
    with_token = settings.model_copy(update={"operator_token": token})
    app = behind_the_edge(
        build_query_process_app(with_token, MemoryLog()), EdgeSettings(), methods=("GET", "HEAD")
    )
    with running(app) as address, httpx.Client(base_url=address) as client:
        yield client


@pytest.fixture
def guarded(shop: ViewShop, query_settings: QuerySettings) -> Iterator[httpx.Client]:
    with served(shop, query_settings, TOKEN) as client:
        yield client


@pytest.fixture
def open_to_all(shop: ViewShop, query_settings: QuerySettings) -> Iterator[httpx.Client]:
    with served(shop, query_settings, None) as client:
        yield client


def essence(answer: httpx.Response) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    """All that an answer says, but for its trace and its time."""
    kept = {name: value for name, value in answer.headers.items() if name not in ("trace-id", "date")}
    return answer.status_code, answer.content, tuple(sorted(kept.items()))


def test_what_names_other_peoples_orders_is_the_operators(guarded: httpx.Client) -> None:
    wrong = ({}, {"Authorization": "Bearer no"}, {"Authorization": f"Basic {TOKEN}"}, showing(SECRET))
    for path in OPERATORS:
        for headers in wrong:
            for more in (
                {},
                {"If-None-Match": "*"},
                {"Daybook-Min-Position": "9"},
                {"Accept": "text/event-stream"},
            ):
                answer = guarded.get(path, headers={**headers, **more})
                assert answer.status_code == 401, path
                assert answer.json()["type"] == "/problems/operator-token-required"
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.headers["cache-control"] == "no-store"
                assert "daybook-view-position" not in answer.headers
    for path in OPERATORS[::2]:
        answer = guarded.get(path, headers=OPERATOR)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "Authorization" in answer.headers["vary"]


def test_an_order_is_shown_to_the_operator_and_to_who_holds_its_secret(guarded: httpx.Client) -> None:
    for headers in (OPERATOR, showing(SECRET), {**OPERATOR, **showing(OTHER)}):
        answer = guarded.get(MINE, headers=headers)
        assert (answer.status_code, answer.json()["id"]) == (200, "mine")
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["vary"].startswith("Accept-Encoding, Authorization, Daybook-Order-Secret")
        again = guarded.get(MINE, headers={**headers, "If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.headers["vary"]) == (304, answer.headers["vary"])
        shown = guarded.get(EXPLAINED, headers=headers)
        assert (shown.status_code, shown.json()["id"]) == (200, "mine")
        assert shown.headers["cache-control"] == "private, no-cache"
    late = {"Daybook-Min-Position": "99", "Prefer": "handling=strict"}
    assert guarded.get(MINE, headers={**showing(SECRET), **late}).status_code == 412
    assert guarded.get(OLD, headers=OPERATOR).status_code == 200
    assert guarded.get(NONE, headers=OPERATOR).json()["type"] == "/problems/unknown-order"


def test_nobody_else_learns_whether_there_is_such_an_order(guarded: httpx.Client) -> None:
    conditions = (
        {},
        {"If-None-Match": "*"},
        {"Daybook-Min-Position": "3"},
        {"Daybook-Min-Position": "99"},
        {"Daybook-Min-Position": "99", "Prefer": "handling=strict"},
    )
    strangers = ({}, showing(""), showing("mine"), showing(OTHER), showing("0" * 64), showing(SECRET.upper()))
    answers = {
        (path, *headers.items(), *more.items()): essence(guarded.get(path, headers={**headers, **more}))
        for path in (MINE, EXPLAINED, OLD, f"{OLD}/explanation", NONE, f"{NONE}/explanation")
        for headers in strangers
        for more in conditions
    }
    head = guarded.head(MINE, headers=showing(OTHER))
    assert (head.status_code, head.content) == (401, b"")
    assert guarded.head(MINE, headers=showing(SECRET)).status_code == 200
    # Not even a secret that some other order has tells an old order from none.
    for path in (OLD, NONE):
        answers[path, SECRET] = essence(guarded.get(path, headers=showing(SECRET)))
    assert len(set(answers.values())) == 1, answers
    status, body, headers = next(iter(answers.values()))
    assert status == 401
    assert b'"/problems/order-secret-required"' in body
    assert {("www-authenticate", "Bearer"), ("cache-control", "no-store")} <= set(headers)


def test_an_import_sees_the_views_catch_up_where_it_is_told_the_token(
    guarded: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.delenv("DAYBOOK_OPERATOR_TOKEN", raising=False)
    with pytest.raises(ViewsUnreachable):
        wait_for_views(str(guarded.base_url), position=5, moved=seen.append)
    monkeypatch.setenv("DAYBOOK_OPERATOR_TOKEN", TOKEN)
    wait_for_views(str(guarded.base_url), position=5, moved=seen.append)
    assert seen == [9]


def test_without_a_token_all_is_open(open_to_all: httpx.Client) -> None:
    for path in (*OPERATORS[::2], MINE, EXPLAINED, OLD):
        assert open_to_all.get(path).status_code == 200, path
    assert open_to_all.get(MINE, headers=showing("wrong")).status_code == 200
    assert open_to_all.get(NONE, headers=showing("wrong")).status_code == 404


def test_the_openapi_document_tells_of_the_secret_and_of_who_is_turned_away(
    open_to_all: httpx.Client,
) -> None:
    paths = open_to_all.get("/openapi.json").json()["paths"]
    for path in ("/api/v1/orders/{order_id}", "/api/v1/orders/{order_id}/explanation"):
        order = paths[path]["get"]
        assert "daybook-order-secret" in {one["name"].lower() for one in order["parameters"]}
        assert "order-secret-required" in order["responses"]["401"]["description"]
    for path in ("/api/v1/customers/{customer_id}/orders", "/api/v1/dashboards/sales", "/api/v1/events"):
        assert "401" in paths[path]["get"]["responses"], path
