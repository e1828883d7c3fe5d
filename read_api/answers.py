"""Answers from stored bytes: the entity tag, the 304, and where the view stood. Nothing is re-encoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from starlette.responses import Response

from read_api.freshness import VIEW_POSITION

_JSON = b"application/json"
_PUBLIC = ((b"cache-control", b"no-cache"),)
_PRIVATE = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Authorization, Daybook-Order-Secret"),
)


def answer(
    body: bytes, position: int, request_headers: Mapping[str, str], *, private: bool = False
) -> Response:
    """The body with its tag, or 304 where the asker has it already; `private`: for nobody else."""
    tag = '"' + blake2b(body, digest_size=9).hexdigest() + '"'
    known = request_headers.get("if-none-match")
    if known is not None and _names(known, tag):
        return _Answer(b"", 304, tag, position, private=private)
    return _Answer(body, 200, tag, position, private=private)


def listing(items: Iterable[bytes], following: str | None, **more: Any) -> bytes:
    """`{"items": […], …, "next": cursor or null}` around documents as they are stored."""
    parts = [b'{"items":[', b",".join(items), b"]"]
    for name, value in (*more.items(), ("next", following)):
        parts += (b",", msgspec.json.encode(name), b":", msgspec.json.encode(value))
    return b"".join((*parts, b"}"))


def with_field(document: bytes, name: str, value: Any) -> bytes:
    """The stored object with one more field at its end."""
    return b"".join((document[:-1], b",", msgspec.json.encode(name), b":", msgspec.json.encode(value), b"}"))


def _names(if_none_match: str, tag: str) -> bool:
    if if_none_match.strip() == "*":
        return True
    return any(one.strip().removeprefix("W/") == tag for one in if_none_match.split(","))


class _Answer(Response):
    """A response whose few headers are written down directly: the product page is asked for often."""

    def __init__(self, body: bytes, status: int, tag: str, position: int, *, private: bool) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"etag", tag.encode()),
            (VIEW_POSITION.lower().encode(), str(position).encode()),
            *(_PRIVATE if private else _PUBLIC),
        ]
        if status != 304:
            self.raw_headers.append((b"content-length", str(len(body)).encode()))
            self.raw_headers.append((b"content-type", _JSON))
