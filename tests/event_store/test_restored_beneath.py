"""A backup is brought back beneath a shop at work, which goes on in that history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from commands.gateways.sandbox import SandboxGateway
from event_store.errors import StoreUnavailable
from event_store.postgres.log import PostgresLog
from projections.tantivy.build import TantivyBuild
from replays.verification.findings import Finding
from replays.verification.verify import verify
from tests.event_store.backups import Archived, wait_promoted
from tests.projections.running import views_equal_a_rebuild, views_reach
from tests.projections.test_processes import Paths, index_reaches, projector
from tests.restored import RestoredLog
from tests.servers import kill
from tests.shop.commands import Shop, eventually
from tests.shop.facts import CODEC
from tests.shop.log import decoded

pytestmark = pytest.mark.slow

KEPT, LOST, INSTEAD, MORE = ("1" * 32, "2" * 32, "3" * 32, "4" * 32)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[SandboxGateway]:
    gateway = SandboxGateway(tmp_path / "sandbox.sqlite")
    yield gateway
    gateway.close()


async def sells(shop: Shop, order_id: str) -> None:
    """However long the log is away."""
    while True:
        try:
            await shop.sell(order_id, units=50)
            break
        except StoreUnavailable:
            await asyncio.sleep(0.1)
    await shop.until("confirmed", "authorized", order_id=order_id)


async def all_is_seen(shop: Shop, paths: Paths) -> None:
    head = shop.log.head()
    await eventually(lambda: shop.checkpoints() == (head, head), shop.checkpoints)
    await asyncio.to_thread(views_reach, paths.redis_url, head)
    await asyncio.to_thread(index_reaches, paths, head)


def test_a_shop_at_work_goes_on_in_the_history_that_was_brought_back(
    archived: Archived, gateway: SandboxGateway, redis_url: str, tmp_path: Path
) -> None:
    url = archived.server.url()
    paths = Paths(url, redis_url, tmp_path)
    log = PostgresLog.open(url)
    anew = TantivyBuild(tmp_path / "anew", RestoredLog())

    async def run() -> None:
        async with Shop(log, gateway).open() as shop, shop.managers():
            await sells(shop, KEPT)
            backup = await asyncio.to_thread(archived.back_up, "monday")
            with psycopg.connect(url, autocommit=True) as sql:
                (moment,) = sql.execute("SELECT clock_timestamp()").fetchone() or ()
            kept = log.head()
            await sells(shop, LOST)
            await all_is_seen(shop, paths)
            lost = log.head()
            await asyncio.to_thread(archived.finish)

            kill(archived.server)
            restored = archived.restored(backup, to=moment)
            await asyncio.to_thread(restored.start)
            try:
                await asyncio.to_thread(wait_promoted, restored, 20)
                assert log.head() == kept
                await sells(shop, INSTEAD)
                assert log.head() == lost, "as long as the history that is gone"
                await sells(shop, MORE)
                await all_is_seen(shop, paths)
                is_as_the_log_says(log, paths, anew)
            finally:
                await asyncio.to_thread(restored.stop)

    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        with projector(paths):
            asyncio.run(run())
        assert redis.get(f"{{order.v2.0}}:{INSTEAD}") is not None
        assert redis.keys(f"*:{LOST}") == []
    live = TantivyBuild(tmp_path / "index", RestoredLog())
    live.open()
    assert (live.checkpoint, live.compare(anew).differing_keys) == (anew.checkpoint, [])
    live.close()
    anew.close()
    log.close()


def is_as_the_log_says(log: PostgresLog, paths: Paths, anew: TantivyBuild) -> None:
    views_equal_a_rebuild(log, paths.redis_url)
    anew.open()
    anew.apply(decoded(log), up_to=log.head(), tailing=True)
    anew.settle(may_hold_back=False)
    findings: list[Finding] = []
    verify(log, CODEC, report=findings.append)
    assert findings == []
