"""The log to its head, a CloudEvent a line (`application/x-ndjson`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor

import msgspec

from deploy.edge.event_streams import Unfinished
from event_store.cloud_events import cloud_event
from event_store.codec import Codec
from event_store.errors import AnotherHistory, LogGap, StoreUnavailable
from event_store.selection import SelectiveReader
from replays.feed.feed import WAIT_SECONDS, BeyondHead, FeedPage, read_page
from replays.feed.feed_request import FeedRequest

PIECE_BYTES = 64 * 1024
"""Sent at a time; the next piece waits until the client has taken some of those before."""


async def json_lines(
    log: SelectiveReader,
    codec: Codec,
    threads: Executor,
    *,
    first: FeedPage,
    wanted: FeedRequest,
    stopping: Callable[[], bool],
) -> AsyncGenerator[bytes, None]:
    """The first page, and those after it as the client takes them, up to where the first saw the end.

    So one page at a time is in memory, however slow the client is. While the store is away it waits. Raises
    Unfinished where the server stops, or the log no longer has what was sent: the client goes on after the
    position of the last line.
    """
    loop = asyncio.get_running_loop()

    def read_on(page: FeedPage) -> FeedPage:
        return read_page(
            log,
            after=page.next,
            limit=wanted.page_limit,
            selection=wanted.selection,
            up_to=first.end,
            seen=page.seen,
        )

    def rendered(page: FeedPage) -> bytes:
        return b"".join(msgspec.json.encode(cloud_event(codec, one)) + b"\n" for one in page.events)

    page = first
    while True:
        lines = await loop.run_in_executor(threads, rendered, page)
        for start in range(0, len(lines), PIECE_BYTES):
            yield lines[start : start + PIECE_BYTES]
        if page.next >= first.end or wanted.limit is not None:
            return
        while True:
            if stopping():
                raise Unfinished
            try:
                page = await loop.run_in_executor(threads, read_on, page)
                break
            except StoreUnavailable:
                await asyncio.sleep(WAIT_SECONDS)
            except (AnotherHistory, BeyondHead, LogGap) as error:
                raise Unfinished from error
