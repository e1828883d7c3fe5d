"""Readers that poll pages all the time, and fail where one goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests.faults.background import Background
from tests.faults.http_client import Answer, Connections
from tests.faults.shoppers import Address, Load
from tests.shop.system import Shop

PAUSE_SECONDS = 0.02
NOT_READY = "/problems/view-not-ready"


@dataclass
class Watched:
    """A page, and a number on it that only ever grows, as its view's position does."""

    path: str
    measure: Callable[[Any], int]
    position: int = 0
    measured: int | None = None
    answers: int = 0
    refusals: int = 0

    def see(self, answer: Answer) -> str | None:
        """What is wrong with the answer."""
        if answer.status == 503 and answer.json()["type"] == NOT_READY:
            self.refusals += 1
            return None
        if answer.status != 200:
            return f"{self.path}: {answer}"
        position, measured = int(answer.headers["daybook-view-position"]), self.measure(answer.json())
        before = f"{self.measured} at position {self.position}"
        if self.measured is not None and (position < self.position or measured < self.measured):
            return f"{self.path}: {measured} at position {position} after {before}"
        self.position, self.measured = position, measured
        self.answers += 1
        return None


@dataclass
class Watch(Background):
    """One reader per page; what was seen wrong is raised when the context is left."""

    address: Address
    pages: Sequence[Watched]
    wrong: list[str] = field(default_factory=list)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        assert self.wrong == []

    def wait_answers(self, *, from_position: int = 0) -> None:
        """Until every page was answered once more, from this position or a later one."""
        before = [page.answers for page in self.pages]
        self.wait_until(
            lambda: all(
                page.answers > then and page.position >= from_position
                for page, then in zip(self.pages, before, strict=True)
            ),
            lambda: f"not all at {from_position}: {self.pages}",
        )

    async def work(self) -> None:
        connections = Connections()
        async with asyncio.TaskGroup() as group:
            for page in self.pages:
                group.create_task(self._watch(connections, page))
        await connections.close()

    async def _watch(self, connections: Connections, page: Watched) -> None:
        while not self._ending.is_set():
            answer = await connections.send("GET", self.address(), f"/api/v1{page.path}")
            if wrong := page.see(answer):
                self.wrong.append(wrong)
            await asyncio.sleep(PAUSE_SECONDS)


@contextmanager
def watched(shop: Shop, load: Load, cart_id: str) -> Iterator[Watch]:
    """Every kind of page, on documents that were begun early and are changed all the time."""
    order_id = load.bought[0].order_id
    sku = load.skus[0]
    pages = [
        Watched("/products?category=Faults&limit=1", lambda body: body["total"]),
        Watched(f"/products/{sku}", lambda body: -body["available"]),
        Watched(f"/inventory/{sku}", lambda body: body["reserved"]),
        Watched(f"/carts/{cart_id}", lambda body: sum(line["quantity"] for line in body["lines"])),
        Watched(f"/orders/{order_id}", lambda body: len(body["timeline"])),
        Watched(f"/customers/{load.customer_id}/orders?limit=1000", lambda body: len(body["items"])),
        Watched("/bestsellers?limit=1000", lambda body: sum(one["units"] for one in body["items"])),
        Watched("/dashboards/sales", lambda body: sum(day["orders"] for day in body["days"])),
    ]
    with Watch(shop.read, pages) as watch:
        watch.wait_answers()
        yield watch
