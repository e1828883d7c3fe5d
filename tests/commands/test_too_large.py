"""What the log cannot take is refused by itself: by name where it is too large, and nobody else's matter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from commands.handlers.cart import AddItem, OpenCart
from commands.handlers.registry import HANDLERS
from commands.loop import handling as handling_module
from commands.loop.decision import ANONYMOUS, Answer, Context, Decision
from commands.loop.handling import Handling
from commands.loop.state_cache import StateCache
from event_store import limits as entries
from event_store.errors import DecodingFailed, InvalidEntry
from event_store.ids import new_id
from event_store.memory.log import MemoryLog
from event_store.records import EventLog
from tests.shop.facts import ADDING, CODEC
from tests.shop.http import key, open_shop

LIMIT = 20_000
LINES = 12
CROWD = 20


def test_an_order_past_the_event_limit_is_refused_by_name_and_hurts_no_other(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "EVENT_DATA_BYTES_MAX", LIMIT)

    async def scenario() -> None:
        async with open_shop(log, tmp_path) as shop:
            long = "🫖" * 200
            price = {"amount": 1299, "currency": "GBP"}
            for n in range(LINES):
                body = {"sku": f"P{n}", "title": long, "category": "Tea", "seller": long, "price": price}
                assert (await shop.post("/products", body)).status_code == 201
                received = await shop.post(f"/inventory/P{n}/receipts", {"quantity": 99}, **key())
                assert received.status_code == 201
            large = await shop.cart(**{f"P{n}": 1 for n in range(LINES)})
            carts = [await shop.cart(P0=1) for _ in range(CROWD)]
            cart_ids = [*carts[: CROWD // 2], large, *carts[CROWD // 2 :]]
            answers = await asyncio.gather(*(shop.checkout(cart_id, wait=False) for cart_id in cart_ids))
            refused = answers.pop(CROWD // 2)
            assert [answer.status_code for answer in answers] == [201] * CROWD
            problem = refused.json()
            assert (refused.status_code, problem["type"]) == (409, "/problems/order-too-large")
            assert problem["what"] == "bytes of orders.order_placed"
            assert problem["size"] > problem["limit"] == LIMIT
            assert len(shop.events("orders.order_placed")) == CROWD
            assert await shop.client.delete(f"/api/v1/carts/{large}/items/P0"), "the cart is open still"
            assert (await shop.checkout(large)).status_code == 409
            for n in range(1, 3):
                assert (await shop.client.delete(f"/api/v1/carts/{large}/items/P{n}")).status_code == 200
            assert (await shop.checkout(large)).status_code == 201

    asyncio.run(scenario())


@dataclass(frozen=True, slots=True)
class ReadMany:
    """Reads more streams than one command may."""

    name: ClassVar = "read_many"


def read_many(cache: StateCache, command: ReadMany) -> Decision:
    cache.states(f"cart-{n}" for n in range(entries.STREAMS_MAX + 1))
    return Decision(id="x", stream="cart-1")


def add(cart_id: str, sku: str = "MUG") -> AddItem:
    return AddItem(cart_id=cart_id, sku=sku, quantity=1, **ADDING)


UNFIT: dict[str, Any] = {
    "NUL in a stream's name": add("c\0"),
    "half a character in a stream's name": add("c\ud800"),
    "NUL in another stream's name": add("good", sku="M\0"),
    "a stream's name too long": add("c" * 300),
    "NUL in what is written": OpenCart(cart_id="c\0d", currency="GBP"),
    "half a character in what is written": OpenCart(cart_id="new", currency="\udc00"),
    "too many streams": ReadMany(),
}


def test_a_command_that_cannot_be_written_fails_alone(log: EventLog) -> None:
    async def scenario() -> None:
        async with Handling(log, CODEC, {**HANDLERS, ReadMany: read_many}) as handling:

            def handle(command: Any) -> asyncio.Task[Answer]:
                context = Context(actor=ANONYMOUS, channel="api")
                return asyncio.create_task(handling.handle(command, context))

            good = [handle(OpenCart(cart_id=new_id(), currency="GBP")) for _ in range(CROWD)]
            bad = {said: handle(command) for said, command in UNFIT.items()}
            good += [handle(OpenCart(cart_id=new_id(), currency="GBP")) for _ in range(CROWD)]
            answers = await asyncio.gather(*good)
            assert all(answer.created for answer in answers)
            for said, one in bad.items():
                with pytest.raises(Exception) as refused:
                    await one
                assert said
                assert isinstance(refused.value, (InvalidEntry, UnicodeError, handling_module.Rejected)), said
            assert log.head() == 2 * CROWD

    asyncio.run(scenario())


def test_a_state_that_cannot_be_read_is_the_matter_of_who_needs_it() -> None:
    class Damaged(MemoryLog):
        def read_streams(self, streams: Sequence[str], **after: Any) -> Any:
            if "cart-bad" in streams:
                raise DecodingFailed("cart-bad")
            return super().read_streams(streams, **after)

    async def scenario() -> None:
        async with Handling(Damaged(), CODEC, HANDLERS) as handling:

            def handle(cart_id: str) -> asyncio.Task[Answer]:
                context = Context(actor=ANONYMOUS, channel="api")
                return asyncio.create_task(
                    handling.handle(OpenCart(cart_id=cart_id, currency="GBP"), context)
                )

            first, bad, last = handle("first"), handle("bad"), handle("last")
            assert (await first).created
            assert (await last).created
            with pytest.raises(DecodingFailed):
                await bad

    asyncio.run(scenario())


def test_a_batch_is_no_larger_than_one_message_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handling_module, "BATCH_BYTES_MAX", 1_000)

    class Noting(MemoryLog):
        async def append_async(self, entries: Any, *, session: int | None = None) -> Any:
            batches.append([entry.size_bytes for entry in entries])
            return await super().append_async(entries, session=session)

    batches: list[list[int]] = []

    async def scenario() -> None:
        async with Handling(Noting(), CODEC, HANDLERS) as handling:
            context = [Context(actor=ANONYMOUS, channel="api") for _ in range(CROWD)]
            opened = (OpenCart(cart_id=new_id(), currency="GBP") for _ in range(CROWD))
            answers = await asyncio.gather(*map(handling.handle, opened, context))
            assert all(answer.created for answer in answers)

    asyncio.run(scenario())
    assert sum(map(len, batches)) == CROWD
    assert all(sum(batch[:-1]) <= 1_000 for batch in batches)
    assert len(batches) > 2


def test_what_the_command_took_is_of_the_seconds_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            left: list[float] = []
            handle = shop.handling.handle

            async def slow(command: Any, context: Context) -> Answer:
                answer = await handle(command, context)
                await asyncio.sleep(0.3)
                return answer

            async def step_ended(step: Any, *, timeout_seconds: float, **_: Any) -> None:
                left.append(timeout_seconds)

            await shop.product("MUG", units=5)
            cart_id = await shop.cart(MUG=1)
            shop.handling.handle = slow  # type: ignore[method-assign]
            shop.handling.step_ended = step_ended  # type: ignore[assignment, method-assign]
            assert (await shop.checkout(cart_id)).status_code == 201
            assert left[0] <= 9.7

    asyncio.run(scenario())
