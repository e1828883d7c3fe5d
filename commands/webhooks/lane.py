"""The lane of one endpoint: finds its events in the log, and attempts their deliveries.

Each endpoint has a lane, with attempts and connections of its own: one that is slow holds up no other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from aggregates.webhooks.events import DisabledCause
from commands.webhooks import message, signature
from commands.webhooks.backlog import Backlog
from commands.webhooks.calls import Caller, Response
from commands.webhooks.endpoints import WebhookEndpoint
from commands.webhooks.metrics import ATTEMPTS, LAG, PENDING
from commands.webhooks.retries import Retries
from event_store.codec import Codec
from event_store.deliveries import Attempt, Delivery, DeliveryLog, DeliveryState
from event_store.errors import AnotherHistory, DecodingFailed, UnknownEvent
from event_store.history import checkpoint_at, read_on, read_types_on
from event_store.records import START, Checkpoint, RecordedEvent

log_lines = structlog.get_logger("commands.webhooks")

AT_ONCE_MAX = 4
"""Attempts at one endpoint that are under way at a time."""
BACKLOG_MAX = 10_000
"""While so many deliveries are pending the log is not looked at further."""
PAGE = 500
LOOKED_AT_MAX = 50_000
"""Positions that one reading passes over, looking for an endpoint's events."""
STRUGGLING_FROM = 5
"""Deliveries that failed since one succeeded: from then on attempts are made one by one, further and further
apart."""
CURSOR_SECONDS = 5.0
"""How often a cursor is saved that has passed no event of its endpoint."""
WAIT_SECONDS_MAX = 1.0
STOP_SECONDS_MAX = 2.0
"""How long a stop waits for attempts that are under way. One that is cut off is made again, with its id."""


class Superseded(Exception):  # noqa: N818 - the lane begins anew
    """The endpoint's rows are not as this lane left them."""


class _Over(Exception):  # noqa: N818
    """The endpoint was disabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneParts:
    """What all lanes share."""

    log: DeliveryLog
    codec: Codec
    clock: Callable[[], datetime]
    retries: Retries
    in_thread: Callable[..., Awaitable[Any]]
    """Runs a blocking call of the log."""
    disable: Callable[[str, DisabledCause, str], Awaitable[None]]


class Lane:
    """Works until `run` is canceled, or the endpoint disabled."""

    def __init__(self, endpoint: WebhookEndpoint, caller: Caller, parts: LaneParts, *, head: int) -> None:
        self._endpoint = endpoint
        self._caller = caller
        self._parts = parts
        self._head = head
        self._backlog = Backlog(endpoint.ordering)
        self._place = self._saved = START  # how far the log is looked at, and what the cursor says of it
        self._saved_at = time.monotonic()
        self._failing_since: datetime | None = None
        self._failed: set[int] = set()  # positions that failed since an attempt succeeded
        self._failures = 0  # while it struggles
        self._rests_until: datetime | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def head_moved(self, head: int) -> None:
        """There may be more to send."""
        self._head = head
        self._woken.set()

    async def run(self) -> None:
        """Returns once the endpoint is disabled. Raises StoreUnavailable and Superseded: then another lane
        begins from what is in the store."""
        try:
            await self._begin()
            while True:
                self._look_at_ended()
                await self._look_further()
                self._start_due()
                self._tell()
                await self._wait()
        except _Over:
            return
        finally:
            await self._stop()

    async def _begin(self) -> None:
        """Takes in what an operator asked for since, and what is pending."""
        parts, endpoint = self._parts, self._endpoint
        cursor = await parts.in_thread(parts.log.delivery_cursor, endpoint.id)
        seen = 0 if cursor is None else cursor.version
        if seen < endpoint.turn:
            at = endpoint.registered if cursor is None else None
            if begins := [position for version, position in endpoint.replays if version > seen]:
                at = await parts.in_thread(checkpoint_at, parts.log, min(begins) - 1)
            await parts.in_thread(
                parts.log.begin_deliveries, endpoint.id, version=endpoint.turn, at=at, now=parts.clock()
            )
            cursor = await parts.in_thread(parts.log.delivery_cursor, endpoint.id)
        self._place = self._saved = cursor.checkpoint
        self._failing_since = cursor.failing_since
        for delivery in await parts.in_thread(parts.log.pending_deliveries, endpoint.id):
            self._backlog.add(delivery)

    async def _look_further(self) -> None:
        """Notes the endpoint's next events as pending."""
        if not self._has_more:
            return
        parts, endpoint = self._parts, self._endpoint
        try:
            found, place = await parts.in_thread(self._read)
        except AnotherHistory as error:
            await parts.disable(endpoint.id, "another_history", str(error))
            raise _Over from error
        is_late = time.monotonic() - self._saved_at > CURSOR_SECONDS
        if found or (is_late and place != self._saved):
            now = parts.clock()
            places = {"after": self._saved, "to": place, "version": endpoint.turn}
            if not await parts.in_thread(
                parts.log.queue_deliveries, endpoint.id, events=found, now=now, **places
            ):
                raise Superseded
            self._saved, self._saved_at = place, time.monotonic()
            for event in found:
                self._backlog.add(_delivery(endpoint.id, event, now))
        self._place = place

    @property
    def _has_more(self) -> bool:
        return self._head > self._place.position and len(self._backlog) < BACKLOG_MAX

    def _read(self) -> tuple[list[RecordedEvent], Checkpoint]:
        """The endpoint's events of the next page, and how far that goes."""
        log, events, place = self._parts.log, self._endpoint.events, self._place
        names = message.exact_names(events)
        if names is not None:
            up_to = min(self._head, place.position + LOOKED_AT_MAX)
            return read_types_on(log, place, types=names, limit=PAGE, up_to=up_to)
        page = read_on(log, place, limit=PAGE)
        found = [event for event in page if message.matches(events, event.type)]
        return found, page[-1].checkpoint if page else place

    def _start_due(self) -> None:
        now = self._parts.clock()
        struggles = len(self._failed) >= STRUGGLING_FROM
        if struggles and self._rests_until is not None and now < self._rests_until:
            return
        while len(self._under_way) < (1 if struggles else AT_ONCE_MAX):
            delivery = self._backlog.take(now)
            if delivery is None:
                return
            task = asyncio.create_task(self._attempt(delivery))
            task.add_done_callback(lambda _: self._woken.set())
            self._under_way.add(task)

    def _look_at_ended(self) -> None:
        """Raises what an attempt has raised."""
        for task in [task for task in self._under_way if task.done()]:
            self._under_way.discard(task)
            task.result()

    async def _attempt(self, delivery: Delivery) -> None:
        """One attempt, from the event to what is noted of it."""
        parts = self._parts
        at, begun = parts.clock(), time.monotonic()
        response = await self._call(delivery, at)
        took = int((time.monotonic() - begun) * 1000)
        ATTEMPTS.labels(self._endpoint.id, response.outcome).inc()
        attempt = Attempt(delivery.position, at, took, response.outcome, response.status, response.detail)
        state, due_at, disabled = self._consequence(delivery, response)
        if not await parts.in_thread(parts.log.note_attempt, delivery, attempt, state=state, due_at=due_at):
            raise Superseded
        if disabled is not None:
            await parts.disable(self._endpoint.id, *disabled)
            raise _Over
        if state == "pending":
            attempts = delivery.attempts + 1
            self._backlog.put_back(msgspec.structs.replace(delivery, attempts=attempts, due_at=due_at))
        else:
            self._backlog.end(delivery)

    async def _call(self, delivery: Delivery, at: datetime) -> Response:
        parts = self._parts
        found = await parts.in_thread(parts.log.read_positions, [delivery.position])
        if not found or found[0].identity != delivery.event:
            return Response("another_history", None, f"position {delivery.position} has another event now")
        try:
            body = message.body_of(parts.codec, found[0])
        except (UnknownEvent, DecodingFailed) as error:
            log_lines.warning("webhook_event_unreadable", position=delivery.position, reason=str(error))
            return Response("unreadable", None, "the event cannot be read here")
        secrets = self._endpoint.secrets(at)
        headers = signature.headers_of(message.message_id(found[0]), body, secrets, at)
        return await self._caller.post({**message.HEADERS, **headers}, body)

    def _consequence(
        self, delivery: Delivery, response: Response
    ) -> tuple[DeliveryState, datetime, tuple[DisabledCause, str] | None]:
        """What the delivery is after an attempt, when it is due again, and why its endpoint is disabled."""
        now, retries = self._parts.clock(), self._parts.retries
        if response.outcome == "delivered":
            self._failed.clear()
            self._failures, self._failing_since, self._rests_until = 0, None, None
            return "delivered", now, None
        self._failed.add(delivery.position)
        self._failing_since = self._failing_since or now
        if len(self._failed) >= STRUGGLING_FROM:
            self._failures += 1
            self._rests_until = now + retries.struggling_pause(self._failures)
        attempts = delivery.attempts + 1
        disabled = self._disables(delivery, response, now)
        if disabled is None and attempts >= retries.attempts_max:
            return "failed", now, None
        return "pending", now + retries.pause(attempts), disabled

    def _disables(
        self, delivery: Delivery, response: Response, now: datetime
    ) -> tuple[DisabledCause, str] | None:
        """Why a failed attempt is the endpoint's last; None where it is not."""
        retries, position, attempts = self._parts.retries, delivery.position, delivery.attempts + 1
        seen = response.outcome if response.status is None else f"status {response.status}"
        if response.outcome == "gone":
            return "gone", f"position {position}: {seen}"
        if response.outcome == "another_history":
            return "another_history", response.detail
        assert self._failing_since is not None
        if now - self._failing_since >= retries.failing_max:
            return "failing", f"nothing was taken for {_words(retries.failing_max)}: {seen}"
        if attempts >= retries.attempts_max and self._endpoint.ordering == "stream":
            return "failing", f"position {position}: {attempts} attempts, {seen}"
        return None

    def _tell(self) -> None:
        first = self._backlog.first_position()
        done = self._place.position if first is None else first - 1
        PENDING.labels(self._endpoint.id).set(len(self._backlog))
        LAG.labels(self._endpoint.id).set(max(0, self._head - done))

    async def _wait(self) -> None:
        """Until there may be something to do."""
        seconds = 0.0 if self._has_more else WAIT_SECONDS_MAX
        struggles = len(self._failed) >= STRUGGLING_FROM
        due = self._backlog.next_due()
        if due is not None and len(self._under_way) < (1 if struggles else AT_ONCE_MAX):
            if struggles and self._rests_until is not None:
                due = max(due, self._rests_until)
            seconds = min(seconds, max(0.0, (due - self._parts.clock()).total_seconds()))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    async def _stop(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=STOP_SECONDS_MAX)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for gauge in (PENDING, LAG):
            with suppress(KeyError):
                gauge.remove(self._endpoint.id)


def _delivery(endpoint_id: str, event: RecordedEvent, now: datetime) -> Delivery:
    return Delivery(
        endpoint=endpoint_id,
        position=event.position,
        stream=event.stream,
        type=event.type,
        event=event.identity,
        state="pending",
        attempts=0,
        due_at=now,
    )


def _words(span: timedelta) -> str:
    return f"{span.days} days" if span.days else f"{span.total_seconds():g} s"
