"""A shop served by a whole real system, and what is done to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psutil

from tests.faults.shoppers import Address, Client, Load
from tests.faults.stored_state import StoredState
from tests.shop.http import product_body
from tests.system.running import RunningSystem
from tests.waiting import wait_until

UNITS = 1_000_000


class Shop:
    """A `daybook up` with two command processes; a test that kills it whole starts the next on its data."""

    def __init__(self, data: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._data = data
        self._environment = environment
        self.system = self._start()

    def restart(self) -> None:
        """A new `up` on the same data."""
        self.system = self._start()

    def close(self) -> None:
        self.system.end()

    @property
    def commands(self) -> Address:
        return lambda: str(self.system.addresses["commands"])

    @property
    def read(self) -> Address:
        return lambda: str(self.system.addresses["read"])

    def products(self, count: int, *, units: int = UNITS) -> list[str]:
        """New SKUs that nobody else sells."""
        skus = [f"F{n}-{uuid4().hex[:8]}" for n in range(count)]

        async def stock() -> None:
            async with Client(self.commands) as client:
                for sku in skus:
                    await client.done("/products", product_body(sku))
                    if units:
                        receipt = {"quantity": units, "reason": "delivery"}
                        await client.done(f"/inventory/{sku}/receipts", receipt)

        asyncio.run(stock())
        return skus

    def cart(self, *skus: str) -> str:
        """A new cart with a unit of each."""

        async def fill() -> str:
            async with Client(self.commands) as client:
                return await client.cart(*skus)

        return asyncio.run(fill())

    def load(self) -> Load:
        """Shoppers for products of their own."""
        return Load(self.commands, self.products(3))

    def stored(self) -> closing[StoredState]:
        """What its stores hold now."""
        found = self.system.addresses
        return closing(StoredState(postgres_url=found["postgres"], redis_url=found["redis"], data=self._data))

    def processes(self, name: str) -> list[psutil.Process]:
        return self.system.children().get(name, [])

    def wait_replaced(self, name: str, gone: psutil.Process, *, of: int) -> None:
        """Until another runs in its place."""

        def replaced() -> bool:
            now = self.processes(name)
            return gone not in now and len(now) == of

        wait_until(replaced, why=lambda: f"{name} was not started again: {self.system.complained}")

    def _start(self) -> RunningSystem:
        system = RunningSystem(self._data, "--commands", "2", environment=self._environment)
        try:
            system.wait_ready()
        except BaseException:
            system.end()
            raise
        return system
