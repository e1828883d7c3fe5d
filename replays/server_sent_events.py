"""The log as an endless event stream (HTML standard, "Server-sent events"), each message one CloudEvent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from event_store.codec import Codec
from event_store.errors import AnotherHistory, StoreUnavailable
from event_store.records import EventReader, RecordedEvent
from replays.asked import Asked
from replays.cloud_events import cloud_event
from replays.feed import WAIT_SECONDS, BeyondHead, FeedPage, HeadWatch, read_page

RETRY_MILLISECONDS = 2_000
"""How long a browser waits before it takes a broken stream up again."""


async def server_sent_events(
    log: EventReader,
    codec: Codec,
    watch: HeadWatch,
    *,
    first: FeedPage,
    wanted: Asked,
    stopping: Callable[[], bool],
    heartbeat_seconds: float,
) -> AsyncIterator[bytes]:
    """Messages whose `id` is a position, from which Last-Event-ID takes the stream up again.

    While the store is away the stream stays open with heartbeats: a browser gives up for good on an error
    answer, but takes up a stream that ended. Ends when `stopping` says so, and with a message of the type
    `another-history` when the log no longer has what was told.
    """
    clock = asyncio.get_running_loop().time
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    page = first
    quiet_since = clock()
    told = wanted.after
    while not stopping():
        if page.events:
            yield b"".join(_message(codec, recorded) for recorded in page.events)
            quiet_since, told = clock(), page.events[-1].position
        elif clock() - quiet_since >= heartbeat_seconds:
            # The position goes with the heartbeat, so that a stream of rare types is not read anew.
            yield f"id: {page.next}\n\n".encode() if page.next > told else b": still here\n\n"
            quiet_since, told = clock(), page.next
        try:
            if page.next >= page.head:
                await watch.wait(after=page.next)
            page = await asyncio.to_thread(
                read_page, log, after=page.next, limit=wanted.limit, types=wanted.types, seen=page.seen
            )
        except (AnotherHistory, BeyondHead) as error:
            yield b"event: another-history\ndata: %b\n\n" % msgspec.json.encode({"detail": str(error)})
            return
        except StoreUnavailable:
            page = FeedPage(events=[], next=page.next, head=page.head, seen=page.seen)
            await asyncio.sleep(WAIT_SECONDS)


def _message(codec: Codec, recorded: RecordedEvent) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (recorded.position, msgspec.json.encode(cloud_event(codec, recorded)))
