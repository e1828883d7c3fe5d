"""One reader for all subscribers: each receives everything of its topics, in order and once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import httpx
import pytest

from deploy.edge.event_streams import EVENT_STREAM
from event_store.errors import StoreUnavailable
from event_store.memory.log import MemoryLog
from event_store.records import RecordedEvent
from event_store.selection import ALL
from replays.feed import broadcast as broadcasting
from replays.feed.broadcast import EVERYTHING, Broadcast, TooManySubscribers
from replays.feed.feed import read_page
from replays.feed.feed_request import FeedRequest
from replays.feed.server_sent_events import server_sent_events
from tests.replays.served import EVENTS, Served
from tests.shop.facts import CODEC
from tests.shop.story import Story

CROWD = 300
TIMEOUT = 20


class CountedLog(MemoryLog):
    """Counts what is asked of it, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.is_away = False
        self.refused = 0

    def head(self) -> int:
        self._refuse_if_away()
        return super().head()

    def _refuse_if_away(self) -> None:
        if self.is_away:
            self.refused += 1
            raise StoreUnavailable("away")

    def wait(self, *, after: int, timeout_seconds: float) -> int:
        self.calls["wait"] += 1
        self._refuse_if_away()
        return super().wait(after=after, timeout_seconds=timeout_seconds)

    def read_all(
        self, *, after: int, limit: int, types: Collection[str] = (), up_to: int | None = None
    ) -> list[RecordedEvent]:
        self.calls["read_all"] += 1
        return super().read_all(after=after, limit=limit, types=types, up_to=up_to)


async def receive(broadcast: Broadcast, topics: set[str], *, after: int, count: int) -> list[int]:
    """The positions of the next events of these topics."""
    received: list[int] = []
    with broadcast.admitted(), broadcast.subscribe(topics, after=after) as subscriber:
        async for events in subscriber:
            received += [one.event.position for one in events]
            if len(received) >= count:
                break
    return received


async def ids(messages: AsyncIterator[bytes], count: int) -> list[int]:
    """The positions that the next messages of an event stream bear."""
    found: list[int] = []
    async for piece in messages:
        for message in piece.split(b"\n\n"):
            if b"\ndata: " in message:
                found.append(int(message.removeprefix(b"id: ").partition(b"\n")[0]))
        if len(found) >= count:
            break
    return found


def test_however_many_subscribe_the_log_is_read_once() -> None:
    async def scenario() -> None:
        log = CountedLog()
        shop = Story(log)
        shop.receive()
        broadcast = Broadcast(log)
        crowd = [
            asyncio.create_task(receive(broadcast, {EVERYTHING}, after=1, count=40)) for _ in range(CROWD)
        ]
        for _ in range(40):
            await asyncio.to_thread(shop.receive)
        received = await asyncio.wait_for(asyncio.gather(*crowd), TIMEOUT)
        assert received == [list(range(2, 42))] * CROWD
        assert log.calls["read_all"] <= 41
        assert log.calls["wait"] <= 45

    asyncio.run(scenario())


def test_a_subscriber_receives_its_topics_alone() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        Story(log).whole_story()
        events = log.read_all(after=0, limit=1_000)
        stock = next(one.stream for one in events if one.type == "inventory.stock_received")
        broadcast = Broadcast(log)
        for topics in ({stock}, {"orders.order_placed"}, {stock, "inventory.stock_received"}):
            wanted = [one.position for one in events if topics & {one.stream, one.type}]
            receiving = receive(broadcast, topics, after=0, count=len(wanted))
            assert wanted
            assert await asyncio.wait_for(receiving, TIMEOUT) == wanted
            await asyncio.sleep(0)

    asyncio.run(scenario())


def test_a_stream_that_falls_behind_reads_for_itself_and_gives_everything_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcasting, "QUEUED_MAX", 3)
    monkeypatch.setattr(broadcasting, "PAGE", 2)

    async def scenario() -> None:
        log = MemoryLog()
        shop = Story(log)
        shop.receive()
        broadcast = Broadcast(log)
        threads = ThreadPoolExecutor(1)
        wanted = FeedRequest(form=EVENT_STREAM, after=0, selection=ALL, limit=10)

        def stream() -> AsyncIterator[bytes]:
            first = read_page(log, after=0, limit=wanted.page_limit)
            return server_sent_events(
                log, CODEC, broadcast, threads, first=first, wanted=wanted, heartbeat_seconds=15
            )

        with broadcast.admitted():
            slow, quick = stream(), stream()
            assert await ids(slow, 1) == [1]
            seen = asyncio.create_task(ids(quick, 61))
            slow_next = asyncio.create_task(ids(slow, 1))
            async with asyncio.timeout(TIMEOUT):
                while len(broadcast._subscribed_to(EVERYTHING)) < 2:
                    await asyncio.sleep(0.01)
            for _ in range(60):
                await asyncio.to_thread(shop.receive)
            assert await asyncio.wait_for(seen, TIMEOUT) == list(range(1, 62))
            received = await asyncio.wait_for(slow_next, TIMEOUT)
            while len(received) < 60:
                received += await asyncio.wait_for(ids(slow, 1), TIMEOUT)
            assert received == list(range(2, 62))

    asyncio.run(scenario())


def test_a_subscriber_that_fell_behind_says_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasting, "QUEUED_MAX", 3)

    async def scenario() -> None:
        log = MemoryLog()
        shop = Story(log)
        broadcast = Broadcast(log)
        with broadcast.admitted(), broadcast.subscribe({EVERYTHING}, after=0) as subscriber:
            receiving = aiter(subscriber)
            await asyncio.to_thread(shop.receive)
            (first,) = await anext(receiving)
            for _ in range(10):
                await asyncio.to_thread(shop.receive)
            async with asyncio.timeout(TIMEOUT):
                while broadcast.position < 11:
                    await asyncio.sleep(0.01)
            with pytest.raises(StopAsyncIteration):
                await anext(receiving)
            assert (first.event.position, subscriber.position) == (1, 1)
            assert not broadcast.can_subscribe(after=subscriber.position)
            with pytest.raises(ValueError, match="already at 11"), broadcast.subscribe({EVERYTHING}, after=1):
                pass

    asyncio.run(scenario())


def test_a_subscriber_ahead_of_the_reader_receives_nothing_twice() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        shop = Story(log)
        broadcast = Broadcast(log)
        for _ in range(5):
            shop.receive()
        behind = asyncio.create_task(receive(broadcast, {EVERYTHING}, after=0, count=6))
        ahead = asyncio.create_task(receive(broadcast, {EVERYTHING}, after=5, count=1))
        await asyncio.sleep(0)
        await asyncio.to_thread(shop.receive)
        assert await asyncio.wait_for(behind, TIMEOUT) == [1, 2, 3, 4, 5, 6]
        assert await asyncio.wait_for(ahead, TIMEOUT) == [6]

    asyncio.run(scenario())


def test_nothing_is_lost_while_the_store_is_away() -> None:
    async def scenario() -> None:
        log = CountedLog()
        shop = Story(log)
        broadcast = Broadcast(log)
        receiving = asyncio.create_task(receive(broadcast, {EVERYTHING}, after=0, count=2))
        await asyncio.sleep(0)
        await asyncio.to_thread(shop.receive)
        log.is_away = True
        async with asyncio.timeout(TIMEOUT):
            while not log.refused:
                await asyncio.sleep(0.01)
        assert not receiving.done()
        log.is_away = False
        await asyncio.to_thread(shop.receive)
        assert await asyncio.wait_for(receiving, TIMEOUT) == [1, 2]

    asyncio.run(scenario())


def test_the_log_is_read_while_there_are_subscribers_and_no_longer() -> None:
    async def scenario() -> None:
        log = CountedLog()
        shop = Story(log)
        broadcast = Broadcast(log)
        for position in (1, 2):
            receiving = asyncio.create_task(receive(broadcast, {EVERYTHING}, after=position - 1, count=1))
            await asyncio.sleep(0)
            await asyncio.to_thread(shop.receive)
            assert await asyncio.wait_for(receiving, TIMEOUT) == [position]
            async with asyncio.timeout(TIMEOUT):
                while not broadcast.can_subscribe(after=0):  # until nobody reads
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_there_is_a_limit_on_subscribers() -> None:
    async def scenario() -> None:
        broadcast = Broadcast(MemoryLog(), listeners_max=2)
        with broadcast.admitted():
            with broadcast.admitted(), pytest.raises(TooManySubscribers), broadcast.admitted():
                pass
            with broadcast.admitted():
                pass

    asyncio.run(scenario())


def test_a_stream_beyond_the_limit_is_asked_to_come_again() -> None:
    log = MemoryLog()
    Story(log).receive()

    async def scenario(address: str) -> None:
        listening = {"Accept": "text/event-stream"}
        async with httpx.AsyncClient(timeout=TIMEOUT) as client, AsyncExitStack() as open_streams:
            for _ in range(3):
                answer = await open_streams.enter_async_context(
                    client.stream("GET", address, headers=listening)
                )
                assert answer.status_code == 200
            refused = await client.get(address, headers=listening)
            assert refused.status_code == 503
            assert refused.json()["type"] == "/problems/too-many-listeners"
            assert int(refused.headers["Retry-After"]) > 0
            assert (await client.get(address)).status_code == 200, "pages are no subscribers"
            await open_streams.aclose()
            while True:  # A place is free once the server has seen that its subscriber is gone.
                async with client.stream("GET", address, headers=listening) as answer:
                    if answer.status_code == 200:
                        return

    with Served(log, listeners_max=3) as served:
        asyncio.run(scenario(f"http://127.0.0.1:{served.port}{EVENTS}"))


def test_hundreds_of_streams_receive_everything_once() -> None:
    log = CountedLog()
    shop = Story(log)
    for _ in range(5):
        shop.receive()

    async def one(client: httpx.AsyncClient, address: str, after: int) -> list[int]:
        url = f"{address}?after={after}"
        async with client.stream("GET", url, headers={"Accept": "text/event-stream"}) as answer:
            return await ids(answer.aiter_bytes(), 25 - after)

    async def scenario(address: str) -> list[list[int]]:
        limits = httpx.Limits(max_connections=CROWD)
        async with httpx.AsyncClient(timeout=TIMEOUT, limits=limits) as client:
            crowd = [asyncio.create_task(one(client, address, after=at % 5)) for at in range(CROWD)]
            for _ in range(20):
                await asyncio.to_thread(shop.receive)
                await asyncio.sleep(0.02)  # A pace: some streams join in the midst of it.
            return await asyncio.gather(*crowd)

    with Served(log) as served:
        received = asyncio.run(scenario(f"http://127.0.0.1:{served.port}{EVENTS}"))
    assert received == [list(range(at % 5 + 1, 26)) for at in range(CROWD)]
    assert log.calls["read_all"] < 3 * CROWD
