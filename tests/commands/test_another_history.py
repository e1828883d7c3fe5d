"""What was read before the log was lost decides nothing once it goes on otherwise."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from aggregates.inventory.stock import NotEnoughStock
from aggregates.kernel import Rejected
from commands.handlers.inventory import AdjustStock
from commands.handlers.registry import HANDLERS
from commands.loop.handling import Handling
from event_store.errors import AnotherLog, StoreUnavailable
from event_store.postgres.log import PostgresLog
from tests.shop.commands import Shop

FIRST, BEFORE, AFTER = ("1" * 32, "2" * 32, "3" * 32)


def taken_back(url: str, to: int) -> None:
    """As a backup brings the log back: what came after is not there, and every connection is lost."""
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute("DELETE FROM daybook.commands WHERE last_position > %s", [to])
        sql.execute("DELETE FROM daybook.events WHERE position > %s", [to])
        sql.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )


def test_units_sold_in_another_history_are_not_sold_again(fresh_postgres: str) -> None:
    """Both histories' last events leave the stock at one version; only one of them leaves units."""

    async def run() -> None:
        log = PostgresLog.open(fresh_postgres)
        shop = Shop(log, None)
        async with shop.open() as mine:
            await mine.sell(FIRST, units=6)  # Two of them.
            kept = log.head()
            await mine.sell(BEFORE)
            taken_back(fresh_postgres, kept)
            other_log = PostgresLog.open(fresh_postgres)
            async with Shop(other_log, None).open() as other:
                await other.do(AdjustStock(sku="MUG", delta=-4, reason="broken"))
            other_log.close()
            with pytest.raises(Rejected) as refused:
                for _ in range(100):
                    try:
                        await mine.sell(AFTER, units=6)
                    except StoreUnavailable:
                        await asyncio.sleep(0.05)  # The loop hears of its lost connection.
            assert isinstance(refused.value.reason, NotEnoughStock)
            assert mine.stock("MUG") == (2, 2)
        log.close()

    asyncio.run(run())


def test_a_process_ends_rather_than_append_to_another_log_than_it_began_with(fresh_postgres: str) -> None:
    ended: list[BaseException | None] = []

    async def run() -> None:
        log = PostgresLog.open(fresh_postgres)
        shop = Shop(log, None)
        shop.handling = Handling(log, shop.codec, HANDLERS, failed=lambda _, error: ended.append(error))
        async with shop.handling:
            await shop.sell(BEFORE)
            taken_back(fresh_postgres, 0)
            with psycopg.connect(fresh_postgres, autocommit=True) as sql:
                sql.execute("UPDATE daybook.log SET id = gen_random_uuid()")
            while not ended:
                with pytest.raises(StoreUnavailable):
                    await shop.sell(AFTER)
                await asyncio.sleep(0.01)
            assert log.head() == 0
        log.close()

    asyncio.run(run())
    assert [type(error) for error in ended] == [AnotherLog]
