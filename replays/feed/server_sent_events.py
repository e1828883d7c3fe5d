"""The log as an endless event stream (HTML standard, "Server-sent events"), each message one CloudEvent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import Executor

import msgspec

from deploy.edge.event_streams import HEARTBEAT, RETRY, message
from event_store.cloud_events import cloud_event
from event_store.codec import Codec
from event_store.errors import AnotherHistory, LogGap, StoreUnavailable
from event_store.records import Checkpoint, RecordedEvent
from event_store.selection import Selection, SelectiveReader
from replays.feed.broadcast import EVERYTHING, Broadcast
from replays.feed.feed import WAIT_SECONDS, BeyondHead, FeedPage, read_page
from replays.feed.feed_request import FeedRequest

MESSAGES_AT_ONCE = 100
"""In one piece of an answer, which may wait in memory for a slow connection."""


async def server_sent_events(
    log: SelectiveReader,
    codec: Codec,
    broadcast: Broadcast,
    threads: Executor,
    *,
    first: FeedPage,
    wanted: FeedRequest,
    heartbeat_seconds: float,
) -> AsyncGenerator[bytes, None]:
    """Messages whose `id` is a position, from which Last-Event-ID takes the stream up again.

    Reads for itself, in `threads`, up to where the broadcast is; then subscribes; then, where it fell behind,
    reads again. While the store is away the stream stays open with heartbeats: a browser gives up for good on
    an error answer, but takes up a stream that ended. Ends when the broadcast does for good, and
    with a message of the type `another-history` when the log no longer has what was sent.
    """
    loop = asyncio.get_running_loop()

    def rendered(recorded: RecordedEvent) -> bytes:
        return message(recorded.position, msgspec.json.encode(cloud_event(codec, recorded)))

    def read_on(after: int, seen: Checkpoint | None) -> tuple[FeedPage, list[bytes]]:
        page = read_page(log, after=after, limit=wanted.page_limit, selection=wanted.selection, seen=seen)
        return page, [rendered(recorded) for recorded in page.events]

    def heartbeat(position: int) -> bytes:
        # The position goes with the heartbeat, so that a stream of rare types is not read anew.
        return f"id: {position}\n\n".encode() if position > sent else HEARTBEAT

    yield RETRY
    page, messages = first, [rendered(recorded) for recorded in first.events]
    sent, quiet_since = wanted.after, loop.time()
    while not broadcast.stopping():
        if messages:
            for piece in _pieces(messages):
                yield piece
            sent, quiet_since = page.events[-1].position, loop.time()
        elif loop.time() - quiet_since >= heartbeat_seconds:
            yield heartbeat(page.next)
            sent, quiet_since = page.next, loop.time()
        position, seen = page.next, page.seen
        if position >= page.head and broadcast.can_subscribe(after=position):
            with broadcast.subscribe(
                _topics(wanted.selection), after=position, seen=seen, quiet_seconds=heartbeat_seconds
            ) as subscriber:
                async for events in subscriber:
                    selected = [one for one in events if wanted.selection.matches(one.event)]
                    if events and not selected and loop.time() - quiet_since < heartbeat_seconds:
                        continue
                    told = [one.rendered(rendered) for one in selected]
                    for piece in _pieces(told or [heartbeat(subscriber.position)]):
                        yield piece
                        await asyncio.sleep(0)  # Sending may never wait, and others want their turn.
                    sent, quiet_since = subscriber.position, loop.time()
                position, seen = subscriber.position, subscriber.seen
            quiet_since = loop.time()
        try:
            page, messages = await loop.run_in_executor(threads, read_on, position, seen)
        except (AnotherHistory, BeyondHead) as error:
            yield b"event: another-history\ndata: %b\n\n" % msgspec.json.encode({"detail": str(error)})
            return
        except LogGap:
            return  # The next request gets the error.
        except StoreUnavailable:
            page, messages = FeedPage([], position, page.head, page.end, seen), []
            await asyncio.sleep(WAIT_SECONDS)


def _topics(selection: Selection) -> frozenset[str]:
    """Under which the broadcast has all that is selected, and perhaps more."""
    if selection.streams is not None:
        return selection.streams
    return selection.types or frozenset({EVERYTHING})


def _pieces(messages: Iterable[bytes]) -> Iterable[bytes]:
    together: list[bytes] = []
    for one in messages:
        together.append(one)
        if len(together) == MESSAGES_AT_ONCE:
            yield b"".join(together)
            together.clear()
    if together:
        yield b"".join(together)
