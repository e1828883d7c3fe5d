"""How the sandbox's news reach a webhook: over a real socket, signed, and again until they are taken."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from commands.gateways.gateway import GatewayUnavailable, News
from commands.gateways.sandbox import VISA
from commands.gateways.sandbox.books import Books
from commands.gateways.sandbox.delivery import Deliverer, doubled_and_shuffled
from commands.gateways.sandbox.gateway import SandboxGateway
from commands.gateways.sandbox.worker import Worker
from commands.gateways.stripe_events import WEBHOOK_PATH
from tests.gateways.sandbox import TEN, Sandbox, run
from tests.waiting import SECONDS_MAX


class Webhook(ThreadingHTTPServer):
    """Takes what the gateway reads as news; `statuses` are its next answers, 200 after them."""

    def __init__(self, gateway: SandboxGateway) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gateway = gateway
        self.news: list[News] = []
        self.statuses: list[int] = []
        self.taken = threading.Semaphore(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{WEBHOOK_PATH}"

    def kinds(self) -> list[str]:
        return [news.kind for news in self.news]


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        gateway = self.server.gateway
        news = gateway.news(body, self.headers["Stripe-Signature"], gateway.books.clock())
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            assert self.path == WEBHOOK_PATH
            self.server.news.append(news)
        self.send_response(status)
        self.end_headers()
        self.server.taken.release()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def webhook(sandbox: Sandbox) -> Iterator[Webhook]:
    with Webhook(sandbox.gateway) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def deliver(sandbox: Sandbox, url: str, *, echoes: bool = False, **how: Any) -> int:
    """Posts once what is due."""
    gateway = SandboxGateway(sandbox.books, echoes=echoes)

    async def once() -> int:
        async with httpx.AsyncClient() as client:
            return await Deliverer(gateway, url, client, **how).deliver_due()

    return run(once())


def test_what_happens_by_itself_is_delivered_once_and_echoes_of_calls_are_not(sandbox, webhook):
    reference = sandbox.captured()
    assert deliver(sandbox, webhook.url) == 0
    sandbox.books.dispute(reference, 100)
    assert deliver(sandbox, webhook.url, at_once=1) == 2
    assert webhook.kinds() == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert {news.reference for news in webhook.news} == {reference}
    assert deliver(sandbox, webhook.url) == 0


def test_with_echoes_everything_is_delivered(sandbox, webhook):
    sandbox.captured()
    assert deliver(sandbox, webhook.url, echoes=True, at_once=1) == len(sandbox.news())
    assert webhook.kinds() == sandbox.news()


def test_news_that_are_not_taken_come_again_after_growing_pauses(sandbox, webhook):
    sandbox.books.refund_in_dashboard(sandbox.captured(), 100)
    webhook.statuses = [503, 500] * 4
    attempts = []
    for second in range(20):
        before = len(webhook.statuses)
        deliver(sandbox, webhook.url, at_once=1)
        if len(webhook.statuses) < before or webhook.news:
            attempts.append(second)
        if webhook.news:
            break
        sandbox.clock.forward(seconds=1)
    assert attempts == [0, 1, 3, 7, 15]
    assert webhook.kinds() == ["refund.created", "charge.refunded"]


def test_news_wait_for_a_webhook_that_is_away_and_are_given_up_after_three_days(sandbox, webhook):
    sandbox.books.refund_in_dashboard(sandbox.captured(), 100)
    with Webhook(sandbox.gateway) as closed:
        away = closed.url
    assert deliver(sandbox, away) == 0
    sandbox.clock.forward(days=2)
    assert deliver(sandbox, away) == 0
    sandbox.clock.forward(days=1)
    assert deliver(sandbox, away) == 0
    sandbox.clock.forward(days=1)
    assert deliver(sandbox, webhook.url) == 0
    assert "refund.created" in sandbox.news()


def test_news_come_late_doubled_and_shuffled_on_demand(sandbox, webhook):
    sandbox.captured()
    how = {"echoes": True, "late_seconds": 60, "arrange": doubled_and_shuffled(seed=7), "at_once": 1}
    assert deliver(sandbox, webhook.url, **how) == 0
    sandbox.clock.forward(minutes=1)
    assert deliver(sandbox, webhook.url, **how) == len(sandbox.news())
    assert Counter(webhook.kinds()) == Counter(sandbox.news() * 2)
    assert webhook.kinds() != sandbox.news() * 2
    assert len({news.event_id for news in webhook.news}) == len(sandbox.news())


def test_a_running_deliverer_delivers_what_another_process_makes_happen(ledger):
    """By the real clock: the deliverer polls, and lets holds lapse."""
    gateway = SandboxGateway(ledger)

    async def story() -> None:
        held = await gateway.authorize(key="checkout-a/1", method=VISA, amount=TEN, order_id="a")
        async with httpx.AsyncClient() as client:
            running = asyncio.create_task(Deliverer(gateway, webhook.url, client).run(poll_seconds=0.01))
            other = Books(ledger)
            await asyncio.to_thread(other.hold_lapses, held.standing.reference)
            other.close()
            for _ in range(2):
                assert await asyncio.to_thread(webhook.taken.acquire, timeout=SECONDS_MAX)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    with Webhook(gateway) as webhook:
        thread = threading.Thread(target=webhook.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        run(story())
        webhook.shutdown()
        thread.join()
    assert set(webhook.kinds()) == {"charge.expired", "payment_intent.canceled"}
    gateway.close()


def test_a_running_deliverer_outlives_a_ledger_that_is_locked_for_a_while(ledger):
    books = Books(ledger, busy_seconds=0.01)
    gateway = SandboxGateway(books)
    other = sqlite3.connect(ledger, isolation_level=None)
    refused = asyncio.Event()

    class Watched(Worker):
        async def run(self, call):
            try:
                return await super().run(call)
            except GatewayUnavailable:
                refused.set()
                raise

    async def story() -> None:
        gateway.worker = Watched(books)
        other.execute("BEGIN IMMEDIATE")
        async with httpx.AsyncClient() as client:
            running = asyncio.create_task(Deliverer(gateway, webhook.url, client).run(poll_seconds=0.01))
            await asyncio.wait_for(refused.wait(), SECONDS_MAX)
            other.execute("ROLLBACK")
            held = await gateway.authorize(key="checkout-a/1", method=VISA, amount=TEN, order_id="a")
            await asyncio.to_thread(books.hold_lapses, held.standing.reference)
            assert await asyncio.to_thread(webhook.taken.acquire, timeout=SECONDS_MAX)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    with Webhook(gateway) as webhook:
        thread = threading.Thread(target=webhook.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        run(story())
        webhook.shutdown()
        thread.join()
    other.close()
    gateway.close()
