"""Who is slow costs the others nothing, and a whole answer is told from one that was cut."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from aggregates.inventory.events import StockReceived
from deploy.edge.event_streams import EVENT_STREAM
from event_store.errors import StoreUnavailable
from event_store.memory.log import MemoryLog
from event_store.records import RecordedEvent
from replays.feed.feed_request import LINES, LINES_AT_ONCE
from tests.replays.served import EVENTS, Served
from tests.shop.log import Shop
from tests.shop.story import Story
from tests.waiting import SECONDS_MAX

EVENTS_ALL = 6_000
EVENT_BYTES = 4_000


class WatchedLog(MemoryLog):
    """Counts the events that were read, and can be away or gone for another."""

    def __init__(self) -> None:
        super().__init__()
        self.read: Counter[str] = Counter()
        self.fails: Exception | None = None
        self.failed = threading.Event()

    def read_all(self, **page: Any) -> list[RecordedEvent]:  # type: ignore[override]
        if self.fails is not None:
            self.failed.set()
            raise self.fails
        events = super().read_all(**page)
        self.read["events"] += len(events)
        return events


@pytest.fixture
def log() -> WatchedLog:
    """24 MB, much more than sockets hold."""
    log = WatchedLog()
    shop = Shop(log)
    for number in range(EVENTS_ALL):
        delivery = StockReceived(
            sku=f"S-{number}", location="main", quantity=1, reason="x" * EVENT_BYTES, source=None
        )
        shop.record((delivery,))
    shop.flush()
    return log


@pytest.mark.parametrize("form", [LINES, EVENT_STREAM])
def test_a_client_that_reads_nothing_is_read_for_no_further(log: WatchedLog, form: str) -> None:
    with Served(log) as served, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", served.port))
        deaf.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nAccept: {form}\r\n\r\n".encode())
        assert deaf.recv(1)  # It is being answered.
        for _ in range(2):
            told = httpx.get(f"http://127.0.0.1:{served.port}{EVENTS}", headers={"Accept": LINES})
            assert len(told.text.splitlines()) == EVENTS_ALL
    # Half of them is 12 MB: what the sockets of one connection hold, and one page.
    assert log.read["events"] - 2 * EVENTS_ALL < EVENTS_ALL / 2


def positions_in(lines: Iterator[str]) -> Iterator[int]:
    return (json.loads(line)["position"] for line in lines)


def test_lines_wait_for_a_store_that_is_away(log: WatchedLog) -> None:
    with Served(log) as served, _lines(served) as answer:
        positions = positions_in(answer.iter_lines())
        log.fails = StoreUnavailable("away")
        received = [next(positions)]
        threading.Thread(target=_comes_back, args=(log,)).start()
        received += list(positions)
    assert received == list(range(1, EVENTS_ALL + 1))
    assert log.failed.is_set()


def _comes_back(log: WatchedLog) -> None:
    log.failed.wait(SECONDS_MAX)
    log.fails = None


def test_lines_that_cannot_go_on_are_cut_and_go_on_where_they_were(log: WatchedLog) -> None:
    with Served(log) as served:
        received: list[int] = []
        with _lines(served) as answer:
            positions = positions_in(answer.iter_lines())
            received.append(next(positions))
            log.fails = StoreUnavailable("away")
            threading.Thread(target=_stops, args=(log, served)).start()
            with pytest.raises(httpx.RemoteProtocolError):
                received.extend(positions)
    assert received == list(range(1, len(received) + 1))
    assert LINES_AT_ONCE <= len(received) < EVENTS_ALL
    log.fails = None
    with Served(log) as served, _lines(served, f"?after={received[-1]}") as answer:
        received += positions_in(answer.iter_lines())
    assert received == list(range(1, EVENTS_ALL + 1))


def _stops(log: WatchedLog, served: Served) -> None:
    log.failed.wait(SECONDS_MAX)
    served.server.should_exit = True


def _lines(served: Served, query: str = "") -> Any:
    return served.stream(query, Accept=LINES)


def test_lines_take_a_place_among_the_listeners() -> None:
    log = MemoryLog()
    Story(log).receive()
    with Served(log, listeners_max=1) as served, served.stream():
        answer = served.get(Accept=LINES)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/too-many-listeners")
