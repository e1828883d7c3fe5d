"""How the gateway's news come in beside its webhook, and what is done about a payout that they tell of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import httpx

from commands.gateways.gateway import Gateway
from commands.gateways.sandbox import SandboxGateway
from commands.gateways.sandbox.delivery import Deliverer
from commands.gateways.stripe_events import WEBHOOK_PATH
from commands.handlers.payments import RecordNewsFetched
from commands.loop.decision import BusyError
from commands.loop.handling import Handling
from commands.processes.gateway_news import NewsFetching, context_of
from commands.processes.kind import ProcessKind
from commands.processes.manager import utc_now
from commands.processes.reconciliation import ReconcileAfterPayout
from commands.settings import Settings
from event_store.errors import StoreUnavailable
from event_store.records import EventLog


class NewsSource:
    """Of one gateway; `kinds` are the kinds of process that it needs."""

    def __init__(self, gateway: Gateway, handling: Handling, settings: Settings, log: EventLog) -> None:
        self._gateway = gateway
        self._handling = handling
        self._settings = settings
        every = timedelta(seconds=settings.gateway_news_seconds)
        fetching = NewsFetching(gateway, self._submit, clock=utc_now, every=every)
        reconciling = ReconcileAfterPayout(gateway, log, self._submit)
        self._is_sandbox = isinstance(gateway, SandboxGateway)
        self.kinds: tuple[ProcessKind, ...] = (reconciling,) if self._is_sandbox else (fetching, reconciling)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """As long as the context is entered."""
        task = asyncio.create_task(
            self._deliver() if self._is_sandbox else self._begin(), name="gateway news"
        )
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))

    async def _deliver(self) -> None:
        """The sandbox's own, over the route that Stripe's come by."""
        assert isinstance(self._gateway, SandboxGateway)
        host = "127.0.0.1" if self._settings.host in ("0.0.0.0", "::") else self._settings.host
        url = f"http://{f'[{host}]' if ':' in host else host}:{self._settings.commands_port}{WEBHOOK_PATH}"
        async with httpx.AsyncClient(trust_env=False) as client:
            await Deliverer(self._gateway, url, client).run()

    async def _begin(self) -> None:
        """The first fetching, which opens the next; on a log that has one nothing is done."""
        command = RecordNewsFetched(gateway=self._gateway.name, up_to=utc_now(), first=True)
        while True:
            with suppress(StoreUnavailable, BusyError):
                await self._submit(command)
                return
            await asyncio.sleep(1)

    async def _submit(self, command: Any) -> Any:
        return await self._handling.handle(command, context_of(self._gateway))
