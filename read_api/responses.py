"""Answers from stored bytes: the entity tag, the 304, and where the view stood. Nothing is re-encoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from deploy.edge.requests import entity_tag, is_known
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
    tag = entity_tag(body)
    if is_known(request_headers.get("if-none-match"), tag):
        return _Answer(b"", 304, tag, position, private=private)
    return _Answer(body, 200, tag, position, private=private)


def constant(body: bytes, request_headers: Mapping[str, str]) -> Response:
    """As `answer`, of what is in no view and so has no position."""
    tag = entity_tag(body)
    if is_known(request_headers.get("if-none-match"), tag):
        return _Answer(b"", 304, tag, None, private=False)
    return _Answer(body, 200, tag, None, private=False)


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

    def __init__(self, body: bytes, status: int, tag: str, position: int | None, *, private: bool) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"etag", tag.encode()),
            *(_PRIVATE if private else _PUBLIC),
        ]
        if position is not None:
            self.raw_headers.append((VIEW_POSITION.lower().encode(), str(position).encode()))
        if status != 304:
            self.raw_headers.append((b"content-length", str(len(body)).encode()))
            self.raw_headers.append((b"content-type", _JSON))
