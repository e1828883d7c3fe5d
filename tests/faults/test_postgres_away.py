"""PostgreSQL away: commands are refused at once, readers go on, and all is back without a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psutil
import pytest

from tests.edge.wire import HOST, port_of, wire
from tests.faults.conftest import DEADLINE_SECONDS, Behind
from tests.faults.shoppers import Client, Load
from tests.shop.http import CHECKOUT
from tests.shop.system import Shop
from tests.suspended import suspended
from tests.system.running import call
from tests.waiting import SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

REFUSED_SECONDS_MAX = 20.0 + DEADLINE_SECONDS
"""To learn that the store is away; its own deadline is the most that a command waits for a silent one."""

COMMANDS_AT_ONCE = 20


@contextmanager
def gone(behind: Behind) -> Iterator[None]:
    behind.server.process.kill()
    behind.server.process.wait()
    yield
    behind.server.start()


@contextmanager
def frozen(behind: Behind) -> Iterator[None]:
    with suspended(behind.server.process.pid):
        yield


@pytest.mark.parametrize("away", [gone, frozen])
def test_commands_are_refused_and_readers_go_on(
    behind: Behind, away: Callable[[Behind], AbstractContextManager[None]]
) -> None:
    shop = behind.shop
    with shop.load() as load:
        load.wait_for_orders(8)
    with shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        stored.wait_views(stored.log.head())
    processes = own_processes(shop)

    with away(behind):
        asyncio.run(refused(shop, load))
        status, problem = call(f"{shop.commands()}/health/ready")
        assert (status, problem["type"]) == (503, "/problems/not-ready")
        assert call(f"{shop.commands()}/health/live")[0] == 200
        served(shop, load)

    wait_until(lambda: call(f"{shop.commands()}/health/ready")[0] == 200)
    with shop.load() as later:
        later.wait_for_orders(8)
    assert own_processes(shop) == processes
    with shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        stored.holds(later.bought, skus=later.skus)
        stored.verifies()
        stored.views_equal_a_rebuild()


def test_it_goes_away_while_orders_are_placed(behind: Behind) -> None:
    processes = own_processes(behind.shop)
    with behind.shop.load() as load:
        for away in (gone, frozen):
            load.wait_for_orders(8)
            with away(behind):
                time.sleep(1)  # long enough to find connections dead and calls unanswered
        load.wait_for_orders(8)
    assert own_processes(behind.shop) == processes
    load.retry()
    with behind.shop.stored() as stored:
        stored.holds(load.bought, skus=load.skus)
        stored.verifies()
        stored.views_equal_a_rebuild()


@pytest.mark.parametrize("away", [gone, frozen])
def test_both_servers_stop_in_time_while_it_is_away(
    behind: Behind, away: Callable[[Behind], AbstractContextManager[None]]
) -> None:
    """Neither what waits for it nor whoever listens to the log's events holds them up."""
    shop = behind.shop
    commands, read = (port_of(shop.system.addresses[side]) for side in ("commands", "read"))
    with wire(read) as listener, wire(commands) as buyer:
        listener.send(b"GET /api/v1/events HTTP/1.1\r\nAccept: text/event-stream\r\n", HOST, b"\r\n")
        assert listener.socket.recv(15) == b"HTTP/1.1 200 OK"
        with away(behind):
            body = b'{"currency":"GBP"}'
            received = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            buyer.send(b"POST /api/v1/carts HTTP/1.1\r\n", HOST, received, body)
            servers = [*shop.processes("commands"), *shop.processes("query")]
            for server in servers:
                server.terminate()
            assert buyer.answer("POST").status == 503
            assert psutil.wait_procs(servers, timeout=SECONDS_MAX)[1] == []
            listener.rest()
    wait_until(lambda: all(call(f"{one()}/health/ready")[0] == 200 for one in (shop.commands, shop.read)))


async def refused(shop: Shop, load: Load) -> None:
    """Every kind of command, many at once, on what is in memory and on what is not."""
    one = load.bought[0]
    async with Client(shop.commands) as client:

        async def ask(number: int) -> None:
            path, body = [
                ("/carts", {"currency": "GBP"}),
                (f"/carts/{one.cart_id}/items", {"sku": load.skus[0], "quantity": 1}),
                (f"/carts/{number:032x}/checkout", CHECKOUT),
                (f"/inventory/{load.skus[1]}/receipts", {"quantity": 1, "reason": "delivery"}),
            ][number % 4]
            began = time.monotonic()
            answer = await client.once(path, body)
            took = time.monotonic() - began
            assert (answer.status, answer.json()["type"]) == (503, "/problems/store-unavailable")
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) >= 1
            assert took < REFUSED_SECONDS_MAX, path

        for _ in range(2):
            await asyncio.gather(*(ask(number) for number in range(COMMANDS_AT_ONCE)))


def served(shop: Shop, load: Load) -> None:
    """Readers get what the views had."""
    one = load.bought[0]
    pages = [
        f"/products/{load.skus[0]}",
        "/products?category=Faults",
        f"/inventory/{load.skus[0]}",
        f"/carts/{one.cart_id}",
        f"/orders/{one.order_id}",
        f"/customers/{load.customer_id}/orders",
        "/bestsellers",
        "/dashboards/sales",
    ]
    for page in pages:
        status, received = call(f"{shop.read()}/api/v1{page}")
        assert status == 200, (page, received)
    status, received = call(f"{shop.read()}/api/v1/carts/{one.cart_id}")
    assert {line["sku"]: line["quantity"] for line in received["lines"]} == one.units


def own_processes(shop: Shop) -> set[psutil.Process]:
    return {process for some in shop.system.children().values() for process in some}
