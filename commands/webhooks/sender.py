"""The sender: one process of the system at a time sends all webhooks, a lane for each endpoint.

No ProcessKind: its work is not ended by events, which an event for each delivery would double, but by rows
(docs/decisions/0047).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import structlog

from aggregates.webhooks.events import DisabledCause
from commands.critical_tasks import Ended, end_this_process, error_of, has_failed
from commands.handlers.webhooks import DisableEndpoint
from commands.loop.decision import Actor, Context
from commands.processes.following import Handles
from commands.processes.manager import LEADING, RETRIES
from commands.webhooks.addresses import Reach, Resolve, resolve
from commands.webhooks.calls import Caller
from commands.webhooks.endpoints import EndpointBook, WebhookEndpoint
from commands.webhooks.lane import AT_ONCE_MAX, STOP_SECONDS_MAX, Lane, LaneParts, Superseded
from commands.webhooks.metrics import DISABLED
from commands.webhooks.retries import Retries
from event_store.codec import Codec
from event_store.deliveries import DeliveryLog
from event_store.errors import StoreUnavailable
from event_store.records import Exclusive

log_lines = structlog.get_logger("commands.webhooks")

NAME = "webhooks"
LOCK = f"process {NAME}"
WAIT_SECONDS_MAX = 1.0
"""Bounds how late a lost lock is noticed."""
ROUND_SECONDS = 0.05
"""A busy log wakes it no more often than this; while there is no lane, once in WAIT_SECONDS_MAX."""
PRUNE_SECONDS = 600.0
STORE_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How webhooks are sent. `keep_days`: how long deliveries that ended, and attempts, are kept."""

    reach: Reach
    call_seconds: float = 15.0
    keep_days: int = 30
    retries: Retries = field(default_factory=Retries)
    resolve: Resolve = resolve
    tls: ssl.SSLContext | None = None  # None: the certificates that the machine trusts

    def caller(self, url: str, tls: ssl.SSLContext) -> Caller:
        """Of one endpoint."""
        return Caller(
            url,
            self.reach,
            call_seconds=self.call_seconds,
            connections_max=AT_ONCE_MAX,
            tls=tls,
            resolve=self.resolve,
        )


class WebhookSender:
    """Runs as long as the context is entered, and sends while it holds the lock.

    Where it ends by our mistake, calls `failed`, and raises when the context is left.
    """

    def __init__(
        self,
        log: DeliveryLog,
        codec: Codec,
        handling: Handles,
        sending: Sending,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        failed: Ended = end_this_process,
    ) -> None:
        self._log = log
        self._handling = handling
        self._sending = sending
        self._tls = sending.tls or httpx.create_ssl_context()
        self._clock = clock
        self._failed = failed
        self._threads = ThreadPoolExecutor(STORE_THREADS, "webhooks")
        self._waiting = ThreadPoolExecutor(1, "webhooks head")
        self._parts = LaneParts(
            log=log,
            codec=codec,
            clock=clock,
            retries=sending.retries,
            in_thread=self._in_thread,
            disable=self._disable,
        )
        self._lanes: dict[str, tuple[WebhookEndpoint, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._running: dict[str, Lane] = {}
        self._head = 0
        self._codec = codec
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def __aenter__(self) -> WebhookSender:
        self._task = asyncio.create_task(self._run(), name=NAME)
        self._task.add_done_callback(self._ended)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._stopping = True
        self._task.cancel()
        await asyncio.wait((self._task,), timeout=2 * STOP_SECONDS_MAX)
        for threads in (self._threads, self._waiting):
            threads.shutdown(wait=False, cancel_futures=True)
        if self._task.done() and (error := error_of(self._task)) is not None:
            raise error

    def _ended(self, task: asyncio.Task[None]) -> None:
        if has_failed(task, stopping=self._stopping):
            self._failed(NAME, error_of(task))
            log_lines.critical("webhooks_failed", exc_info=error_of(task))

    async def _run(self) -> None:
        pauses = RETRIES.pauses()
        while True:
            try:
                lock = await self._take_lock()
                if lock is not None:
                    pauses = RETRIES.pauses()
                    await self._lead(lock)
                await asyncio.sleep(WAIT_SECONDS_MAX)
            except StoreUnavailable as error:
                log_lines.warning("log_away", process=NAME, error=str(error))
                await asyncio.sleep(next(pauses))

    async def _take_lock(self) -> Exclusive | None:
        """Who is canceled meanwhile does not keep it."""
        taking = self._waiting.submit(self._log.try_exclusive, LOCK)
        try:
            return await asyncio.wrap_future(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(
                lambda done: None if done.cancelled() or done.exception() else _give_back(done.result())
            )
            raise

    async def _lead(self, lock: Exclusive) -> None:
        """Keeps a lane for each endpoint that is enabled, until the lock is lost. Raises StoreUnavailable."""
        book = EndpointBook(self._log, self._codec)
        LEADING.labels(NAME).set(1)
        log_lines.info("process_leading", process=NAME)
        is_new, held_at, pruned_at = True, time.monotonic(), 0.0
        try:
            while True:
                # The endpoints first: no event is sent by settings from before it.
                known = set(book.by_id)
                if await self._in_thread(book.read_on) or is_new:
                    self._adjust(book)
                    if is_new or known - book.by_id.keys():
                        await self._in_thread(self._log.forget_endpoints, list(book.by_id))
                    _tell_disabled(book)
                    is_new = False
                for lane in self._running.values():
                    lane.head_moved(self._head)
                if time.monotonic() - held_at >= WAIT_SECONDS_MAX:
                    if not await self._in_thread(lock.still_held):
                        return
                    held_at = time.monotonic()
                if time.monotonic() - pruned_at >= PRUNE_SECONDS and not await self._prune():
                    pruned_at = time.monotonic()
                await self._await_head()
        finally:
            try:
                await self._end()
            finally:
                lock.release()
                LEADING.labels(NAME).set(0)

    def _adjust(self, book: EndpointBook) -> None:
        """Ends lanes of endpoints that are no longer so, and begins those that are missing; one that begins
        waits for the one before it, and nobody else does."""
        wanted = {one.id: one for one in book.by_id.values() if one.disabled is None}
        for name in [name for name, (as_of, _) in self._lanes.items() if wanted.get(name) != as_of]:
            _, task = self._lanes.pop(name)
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        for name, endpoint in wanted.items():
            if name not in self._lanes:
                lane = self._keep_lane(endpoint, [task for task in self._ending if task.get_name() == name])
                self._lanes[name] = endpoint, asyncio.create_task(lane, name=name)

    async def _end(self) -> None:
        """Of all lanes; not for long."""
        for _, task in self._lanes.values():
            task.cancel()
            self._ending.add(task)
        self._lanes.clear()
        if self._ending:
            await asyncio.wait(self._ending, timeout=2 * STOP_SECONDS_MAX)
        self._ending.clear()

    async def _keep_lane(self, endpoint: WebhookEndpoint, before: list[asyncio.Task[None]]) -> None:
        """Begins the lane again and again, each time from what is in the store; after those before it."""
        if before:
            await asyncio.wait(before)
        pauses = RETRIES.pauses()
        caller = self._sending.caller(endpoint.url, self._tls)
        try:
            while True:
                lane = self._running[endpoint.id] = Lane(endpoint, caller, self._parts, head=self._head)
                begun = time.monotonic()
                try:
                    await lane.run()
                except (StoreUnavailable, Superseded) as error:
                    log_lines.warning("webhook_lane_begins_anew", endpoint=endpoint.id, reason=repr(error))
                except Exception:
                    log_lines.exception("webhook_lane_failed", endpoint=endpoint.id)
                else:
                    return
                if time.monotonic() - begun > RETRIES.pause_max:
                    pauses = RETRIES.pauses()
                await asyncio.sleep(next(pauses))
        finally:
            self._running.pop(endpoint.id, None)
            await caller.aclose()

    async def _disable(self, endpoint_id: str, cause: DisabledCause, detail: str) -> None:
        """Says so in the log. Raises StoreUnavailable and BusyError."""
        log_lines.warning("webhook_endpoint_disabled", endpoint=endpoint_id, cause=cause, detail=detail)
        command = DisableEndpoint(endpoint_id=endpoint_id, cause=cause, detail=detail)
        await self._handling.handle(command, Context(actor=Actor("process", NAME), channel="process"))

    async def _prune(self) -> bool:
        """Whether there may be more to drop."""
        before = self._clock() - timedelta(days=self._sending.keep_days)
        return bool(await self._in_thread(self._log.prune_deliveries, before))

    async def _await_head(self) -> None:
        """Until there is more in the log, for a second at most."""
        began = time.monotonic()
        wait = partial(self._log.wait, after=self._head, timeout_seconds=WAIT_SECONDS_MAX)
        self._head = await asyncio.get_running_loop().run_in_executor(self._waiting, wait)
        seconds = ROUND_SECONDS if self._lanes else WAIT_SECONDS_MAX
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(call, *arguments, **named)
        )


def _tell_disabled(book: EndpointBook) -> None:
    DISABLED.clear()
    for endpoint in book.by_id.values():
        DISABLED.labels(endpoint.id).set(0 if endpoint.disabled is None else 1)


def _give_back(lock: Exclusive | None) -> None:
    if lock is not None:
        lock.release()
