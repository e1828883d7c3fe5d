"""A query API over real stores, filled by the projections' own builds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.shop.views import ViewShop, all_views


@pytest.fixture
def shop(fresh_redis: str, tmp_path: Path) -> Iterator[ViewShop]:
    """Events go in, documents come out: nothing published yet."""
    shop = all_views(fresh_redis, tmp_path / "index")
    yield shop
    shop.close()


@pytest.fixture
def query_settings(fresh_redis: str, tmp_path: Path) -> QuerySettings:
    return QuerySettings(
        redis_url=fresh_redis, data_dir=tmp_path, min_position_wait_seconds=0.15, stale_seconds=0
    )


@pytest.fixture
def api(shop: ViewShop, query_settings: QuerySettings) -> Iterator[httpx.Client]:
    """The API as HTTP clients see it, on a real server."""
    app = build_query_app(query_settings, ready_position=lambda: shop.head_at_start)
    with running(app) as address, httpx.Client(base_url=address) as client:
        yield client


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Serves the application in a thread, on a free port."""
    config = uvicorn.Config(
        app, port=0, loop="uvloop", http="httptools", ws="none", log_config=None, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
