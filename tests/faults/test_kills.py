"""kill -9 of each process while orders are placed: nothing lost, nothing twice, views equal to a rebuild."""

from __future__ import annotations

import psutil
import psycopg
import pytest

from tests.shop.system import Shop
from tests.system.running import daybook
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ORDERS_BEFORE, ORDERS_AFTER = 8, 12


@pytest.mark.parametrize("name", ["commands", "projector", "query", "redis", "postgres"])
def test_orders_survive_the_kill_of_a_process(shop: Shop, name: str) -> None:
    with shop.load() as load:
        for victim in shop.processes(name):
            others = len(shop.processes(name))
            load.wait_for_orders(ORDERS_BEFORE)
            victim.kill()
            load.wait_for_orders(ORDERS_AFTER)
            shop.wait_replaced(name, victim, of=others)
    load.retry()
    with shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        stored.verifies()
        stored.views_equal_a_rebuild()


def test_orders_survive_the_kill_of_the_server_process_that_writes_them(shop: Shop) -> None:
    """PostgreSQL then ends all of its processes and recovers by itself."""
    with shop.load() as load:
        load.wait_for_orders(ORDERS_BEFORE)
        _writer(shop).kill()
        load.wait_for_orders(ORDERS_AFTER)
    load.retry()
    with shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        stored.verifies()
        stored.views_equal_a_rebuild()


def _writer(shop: Shop) -> psutil.Process:
    """PostgreSQL's process that appended last; a connection shows its last statement alone, so it is looked
    for until one shows an append."""
    found: list[psutil.Process] = []
    with psycopg.connect(shop.system.addresses["postgres"], autocommit=True) as connection:

        def seen() -> bool:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE query ~ 'append(_each)?[(]' AND pid <> pg_backend_pid()"
                " ORDER BY state_change DESC LIMIT 1"
            ).fetchone()
            found.extend([psutil.Process(row[0])] if row is not None else [])
            return bool(found)

        wait_until(seen, why=lambda: "no process of PostgreSQL appends")
    return found[0]


def test_orders_survive_the_kill_of_the_supervisor(shop: Shop) -> None:
    with shop.load() as load:
        load.wait_for_orders(ORDERS_BEFORE)
        shop.system.process.kill()
        shop.system.process.wait()
        shop.restart()
        load.wait_for_orders(ORDERS_AFTER)
    load.retry()
    with shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        stored.views_equal_a_rebuild()
    verified = daybook("replays", "verify", "--data", str(shop.system.data))
    assert verified.returncode == 0, verified.stdout + verified.stderr
