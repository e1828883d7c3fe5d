"""The embedded index has one writer: the engine's own lock sees to that."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from event_store.postgres.log import PostgresLog
from projections.engine.follower import TargetUnavailable
from tests.projections.running import eventually, new_runner, running
from tests.shop.log import Shop
from tests.stores.stopping import stopped_at, wake
from tests.stores.store import StoreShop
from tests.stores.tantivy_store import TantivyStore
from tests.stores.test_faults import differing
from tests.stores.test_kills import catches_up, requested


@pytest.fixture
def index(tmp_path: Path) -> TantivyStore:
    return TantivyStore(tmp_path / "index")


@pytest.fixture
def busy(fresh_postgres: str) -> Iterator[Shop]:
    log = PostgresLog.open(fresh_postgres)
    shop = Shop(log)
    shop.bustle(orders=3, products=4)
    yield shop
    log.close()


def test_two_writers_cannot_have_one_index(index: TantivyStore) -> None:
    shop = StoreShop(index)
    shop.lists("kettle")
    with pytest.raises(TargetUnavailable):
        index.build().open()
    shop.close()


@pytest.mark.slow
@pytest.mark.parametrize("step", ["publish", "deleting"])
def test_a_twin_that_stalled_with_the_index_changes_nothing(
    index: TantivyStore, busy: Shop, fresh_postgres: str, step: str
) -> None:
    """It keeps the lock on what it has open; who took over waits for that, and is not overtaken."""
    catches_up(index, busy)
    requested(index, busy, "rebuild")
    live = index.live
    with stopped_at(step, signal.SIGSTOP, postgres_url=fresh_postgres, new_build=index.build) as twin:
        busy.lists("LATER")
        head = busy.flush()
        taken = index.stored().record
        build = index.build(busy.log)
        with running(new_runner(busy.log, [build])):
            eventually(lambda: index.stored().record != taken, "taken over")
            before = index.stored().pointer
            wake(twin)
            assert index.stored().pointer == before
            eventually(lambda: index.read().position == head, "caught up")
            eventually(lambda: index.versions() == [live], "nothing is left")
    assert differing(index, busy) == []
