"""Answers from stored bytes: tag, 304, compression, and where the view stood. Nothing is re-encoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from starlette.responses import Response

from deploy.edge.content_coding import WORTH_BYTES, CompressedBodies, coding_for
from deploy.edge.requests import entity_tag, is_known
from read_api.freshness import VIEW_POSITION

Cache = Literal["shared", "client", "holder"]
"""Who may keep an answer: `shared` caches too, and may show it stale while they ask anew; the `client` alone,
who asks anew each time; the same for what is shown to the `holder` of a token or a secret."""

_JSON = (b"content-type", b"application/json")
_CACHED: dict[Cache, tuple[tuple[bytes, bytes], ...]] = {
    # A client that waits for what it wrote must not be shown what a cache had before.
    "shared": (
        (b"cache-control", b"public, max-age=0, stale-while-revalidate=10, stale-if-error=300"),
        (b"vary", b"Accept-Encoding, Daybook-Min-Position"),
    ),
    "client": (
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"Accept-Encoding"),
    ),
    "holder": (
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"Accept-Encoding, Authorization, Daybook-Order-Secret"),
    ),
}
_VIEW_POSITION = VIEW_POSITION.lower().encode()
_bodies = CompressedBodies()


def answer(
    body: bytes,
    position: int | None,
    request_headers: Mapping[str, str],
    *,
    cache: Cache = "shared",
    changed_at: str | None = None,
) -> Response:
    """The body with its tag, or 304 where the asker has it already.

    `position` None: it is in no view. `changed_at`: when it last changed (RFC 3339). `If-Modified-Since` is
    not evaluated: two changes may have the same second.
    """
    tag, status, coding = entity_tag(body), 200, None
    if len(body) >= WORTH_BYTES and (coding := coding_for(request_headers.get("accept-encoding"))):
        compressed = _bodies.compressed(body, tag, coding)
        body, tag = compressed, f'{tag[:-1]}-{coding}"'
    if is_known(request_headers.get("if-none-match"), tag):
        body, status, coding = b"", 304, None
    headers = [(b"etag", tag.encode()), *_CACHED[cache]]
    if position is not None:
        headers.append((_VIEW_POSITION, b"%d" % position))
    if changed_at is not None:
        headers.append((b"last-modified", _http_date(changed_at)))
    if status == 200:
        headers.append((b"content-length", b"%d" % len(body)))
        headers.append(_JSON)
        if coding is not None:
            headers.append((b"content-encoding", coding.encode()))
    return _Answer(body, status, headers)


def listing(items: Iterable[bytes], following: str | None, **more: Any) -> bytes:
    """`{"items": […], …, "next": cursor or null}` around documents as they are stored."""
    parts = [b'{"items":[', b",".join(items), b"]"]
    for name, value in (*more.items(), ("next", following)):
        parts += (b",", msgspec.json.encode(name), b":", msgspec.json.encode(value))
    return b"".join((*parts, b"}"))


def with_field(document: bytes, name: str, value: Any) -> bytes:
    """The stored object with one more field at its end."""
    return b"".join((document[:-1], b",", msgspec.json.encode(name), b":", msgspec.json.encode(value), b"}"))


class _Answer(Response):
    """A response whose few headers are written down directly: the product page is asked for often."""

    def __init__(self, body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = headers


@lru_cache(maxsize=4_096)
def _http_date(moment: str) -> bytes:
    return format_datetime(datetime.fromisoformat(moment).astimezone(UTC), usegmt=True).encode()
