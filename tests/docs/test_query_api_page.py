"""docs/query-api.md names the routes that there are, what they cost, and whose they are."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.local.query_process import build_query_process_app
from event_store.memory.log import MemoryLog
from read_api.costs import COSTS
from read_api.settings import QuerySettings
from tests.shop.documents import operations

PAGE = Path(__file__).parents[2] / "docs" / "query-api.md"
ROW = re.compile(r"^\| `(/[^`]+)` \| (?:\*([os])\*)?[^|]*\| (\d+) \|$", re.MULTILINE)


def test_the_table_of_routes_is_the_documents() -> None:
    settings = QuerySettings(redis_url="redis://localhost:1", operator_token="t0ken")
    document = build_query_process_app(settings, MemoryLog()).openapi()
    whose = {(): "", ("operator",): "o", ("operator", "order_secret"): "s"}
    wanted = {}
    for route, operation in operations(document):
        path = route.removeprefix("GET ")
        if path.startswith("/api/v1/"):
            schemes = tuple(sorted(name for one in operation.get("security", []) for name in one))
            wanted[path.removeprefix("/api/v1")] = (whose[schemes], COSTS.of(path))
    found = {path: (mark, int(cost)) for path, mark, cost in ROW.findall(PAGE.read_text())}
    assert found == wanted
