"""Searches with facets over HTTP, and writing the index, on both engines: `python -m tests.bench searching`.

10,000 products; four clients at once, from a process of their own, each waiting for its response before it
asks again. Queries are of all classes of `finding`, each as often as the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from itertools import islice
from typing import Any
from urllib.parse import quote

from event_store.memory.log import MemoryLog
from projections.builds import search_build
from projections.documents.search import VIEW as SEARCH
from projections.redis.build import RedisBuild
from projections.views.registry import VIEWS
from read_api.app import build_query_app
from read_api.settings import QuerySettings
from tests.bench.catalogues import workshop
from tests.bench.engines import ENGINES, Place, engine_place, own_redis
from tests.bench.finding import Classes, listing
from tests.bench.load import put_load
from tests.bench.sold import Sold
from tests.read_api.conftest import running
from tests.shop.facts import received
from tests.shop.views import ViewShop

PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "10000"))
CONNECTIONS = 4
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = 5.0
QUERIES = 20  # of each class


def main() -> None:
    """A block for each engine."""
    sold = workshop(PRODUCTS, seed=29)
    for engine in ENGINES:
        with engine_place(engine) as place, own_redis() as redis_url:
            print(engine)
            _measure(sold, place, redis_url)


def _measure(sold: list[Sold], place: Place, redis_url: str) -> None:
    numbers = MemoryLog()
    build = search_build(place.folder, numbers, elasticsearch_url=place.elasticsearch_url)
    shop = ViewShop(*(RedisBuild(view, redis_url, numbers) for view in VIEWS), build)
    print(f"  texts new: {_written(shop, map(listing, sold)):,.0f} documents/s")
    print(f"  texts known: {_written(shop, (received(one.sku, 5) for one in sold)):,.0f} documents/s")
    settings = QuerySettings(
        redis_url=redis_url, data_dir=place.folder, elasticsearch_url=place.elasticsearch_url
    )
    urls = [
        f"/api/v1/search?limit=20&q={quote(asked.words)}"
        for _, _, _, queries in Classes(sold).all()
        for asked in islice(queries, QUERIES)
    ]
    with running(build_query_app(settings, ready_position=lambda: None)) as address:
        for _ in range(ROUNDS):
            found = put_load([f"{address}{url}" for url in urls], connections=CONNECTIONS, seconds=SECONDS)
            print(
                f"  {len(urls)} queries, {CONNECTIONS} clients: {found.rate:,.0f}/s  p50 {found.p50:.1f} ms"
                f"  p95 {found.p95:.1f} ms  p99 {found.p99:.1f} ms  {found.statuses}"
            )
    shop.close()


def _written(shop: ViewShop, events: Iterable[Any]) -> float:
    """Documents a second until they are found, once every other view has them."""
    before = shop.position
    shop.happens(*events, but_not_in=(SEARCH,))
    started = time.perf_counter()
    shop.happens()
    return (shop.position - before) / (time.perf_counter() - started)
