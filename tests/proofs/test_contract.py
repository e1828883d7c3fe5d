"""Both APIs do what their OpenAPI documents say, whatever is sent: many requests of each route, new ones each
time."""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis

from read_api.settings import QuerySettings
from tests.commands.test_contract import CASES, check_operation, serving
from tests.read_api.test_openapi import check_operations, document_of
from tests.shop.views import all_views

REQUESTS = 300


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_queries(fresh_redis: str, tmp_path: Path, mode: schemathesis.GenerationMode) -> None:
    shop = all_views(fresh_redis, tmp_path / "index")
    settings = QuerySettings(redis_url=fresh_redis, data_dir=tmp_path, stale_seconds=0)
    with document_of(shop, settings) as document:
        assert check_operations(document, mode, max_examples=REQUESTS)
    shop.close()


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_commands(tmp_path: Path, mode: schemathesis.GenerationMode) -> None:
    with serving(tmp_path) as address:
        for operation, of_mode in CASES:
            if of_mode is mode:
                check_operation(operation, mode, address, max_examples=REQUESTS)
