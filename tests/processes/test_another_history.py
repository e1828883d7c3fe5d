"""The log goes on otherwise than a process has read: nothing that is open there is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.restored import RestoredLog
from tests.shop.commands import Shop, eventually

BEFORE, AFTER = "1" * 32, "2" * 32


@pytest.fixture
def restored(shop: Shop) -> Iterator[Shop]:
    log = RestoredLog()
    yield Shop(log, shop.gateway)
    log.close()


@pytest.mark.parametrize("meanwhile", ["it follows", "nobody follows"])
@pytest.mark.parametrize("more", [False, True], ids=["as long", "longer"])
def test_what_another_history_began_is_done(restored: Shop, meanwhile: str, more: bool) -> None:
    """Taken back to before an order, the log has another one at its positions, whose payment is due."""

    async def all_is_read() -> None:
        await eventually(
            lambda: restored.checkpoints() == (restored.log.head(),) * 2,
            lambda: (restored.checkpoints(), restored.log.head()),
        )

    async def run() -> None:
        async with restored.open() as one:
            first = one.managers()
            async with first:
                await one.sell(BEFORE)
                await one.until("confirmed", "authorized", order_id=BEFORE)
                await all_is_read()
                if meanwhile == "it follows":
                    await goes_on(restored)
                    await one.until("confirmed", "authorized", order_id=AFTER)
                    await all_is_read()
            if meanwhile == "nobody follows":
                await goes_on(restored)
                async with restored.open() as other, other.managers():
                    await other.until("confirmed", "authorized", order_id=AFTER)
                    await all_is_read()

    async def goes_on(shop: Shop) -> None:
        shop.log.lose(shop.log.head())
        async with shop.open() as other:  # It has read nothing of before.
            await other.sell(AFTER)
            if more:
                for number in "345":
                    await other.sell(number * 32)

    asyncio.run(run())
    assert restored.open_work() == []
