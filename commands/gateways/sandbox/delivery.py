"""The sandbox's own news, posted to our webhook as Stripe does: signed, and again until they are taken."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import httpx
import structlog

from commands.gateways.gateway import GatewayUnavailable
from commands.gateways.sandbox.books import Outgoing
from commands.gateways.sandbox.gateway import SandboxGateway
from commands.gateways.sandbox.ledger import LEDGER_BUSY
from commands.gateways.stripe_signature import sign

log_lines = structlog.get_logger("commands.gateways")

PAUSE_SECONDS_MAX = 3600.0
GIVE_UP_SECONDS = 3 * 24 * 3600
SWEEP_SECONDS = 60.0

Arrange = Callable[[list[Outgoing]], list[Outgoing]]
"""The order of a batch; it may double some, never drop one."""


class Deliverer:
    """Posts events to the webhook at `url`.

    `late_seconds` is how old an event must be, `at_once` how many are on their way together.
    """

    def __init__(
        self,
        gateway: SandboxGateway,
        url: str,
        client: httpx.AsyncClient,
        *,
        late_seconds: float = 0,
        at_once: int = 8,
        arrange: Arrange = list,
    ) -> None:
        self._gateway = gateway
        self._url = url
        self._client = client
        self._late_seconds = late_seconds
        self._at_once = at_once
        self._arrange = arrange

    async def run(self, *, poll_seconds: float = 0.25) -> None:
        """Delivers until it is cancelled; a ledger that cannot be used is tried again."""
        swept = float("-inf")
        while True:
            pause = poll_seconds
            try:
                if time.monotonic() - swept > SWEEP_SECONDS:
                    await self._gateway.worker.run(self._gateway.books.sweep)
                    swept = time.monotonic()
                if await self.deliver_due():
                    pause = 0
            except GatewayUnavailable as error:
                if error.code != LEDGER_BUSY:
                    log_lines.warning("sandbox_news_undelivered", error=str(error))
                    pause = SWEEP_SECONDS
            await asyncio.sleep(pause)

    async def deliver_due(self) -> int:
        """Posts once what is due; returns how many events were taken."""
        books, worker, echoes = self._gateway.books, self._gateway.worker, self._gateway.echoes
        batch = self._arrange(
            await worker.run(lambda: books.due(echoes=echoes, late_seconds=self._late_seconds))
        )
        taken: set[int] = set()
        for first in range(0, len(batch), self._at_once):
            sent = batch[first : first + self._at_once]
            for event, is_taken in zip(sent, await asyncio.gather(*map(self._post, sent)), strict=True):
                if is_taken:
                    taken.add(event.number)
        await worker.run(lambda: self._note(batch, taken))
        return len(taken)

    async def _post(self, event: Outgoing) -> bool:
        books = self._gateway.books
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(event.body, books.webhook_secret, books.clock()),
        }
        try:
            response = await self._client.post(self._url, content=event.body, headers=headers)
        except httpx.HTTPError:
            return False
        return response.is_success

    def _note(self, batch: list[Outgoing], taken: set[int]) -> None:
        books = self._gateway.books
        now = books.clock().timestamp()
        for event in {event.number: event for event in batch}.values():
            pause = min(2.0**event.attempts, PAUSE_SECONDS_MAX)
            if event.number in taken:
                books.delivered(event.number)
            else:
                over = now + pause - event.created > GIVE_UP_SECONDS
                books.not_delivered(event.number, again_seconds=None if over else pause)


def doubled_and_shuffled(seed: int) -> Arrange:
    """Each event twice, in an order of chance."""
    chance = random.Random(seed)

    def arrange(batch: list[Outgoing]) -> list[Outgoing]:
        twice = batch * 2
        chance.shuffle(twice)
        return twice

    return arrange
