"""Problems: every error of both APIs is application/problem+json (RFC 9457).

Here are the problem types that both servers answer with, and how any is answered; what one API alone says
stands in its own `problems.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

MEMBERS = frozenset({"type", "title", "status", "detail", "instance"})
"""The members that the standard gives every problem; no fact bears such a name."""

ECHO_MAX = 200
"""Characters of a caller's own text that a response repeats."""

DETAIL_MAX = 1_000


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A stable problem type."""

    slug: str
    status: int
    title: str


INVALID_REQUEST = ProblemType("invalid-request", 422, "The request does not have the form it should have.")
UNKNOWN_PARAMETER = ProblemType("unknown-parameter", 400, "This route does not know this parameter.")
MALFORMED_REQUEST = ProblemType("malformed-request", 400, "This is not an HTTP/1.1 request as it should be.")
HOST_UNFIT = ProblemType("host-unfit", 400, "A request names exactly one Host, in its form.")
BODY_MISSING = ProblemType("body-missing", 400, "A body was announced, and none came.")
TOKEN_REQUIRED = ProblemType("operator-token-required", 401, "This route is for operators.")
ORDER_SECRET_REQUIRED = ProblemType("order-secret-required", 401, "This is for whoever placed the order.")
FOREIGN_ORIGIN = ProblemType("foreign-origin", 403, "Pages of this origin may not call this server.")
NOT_FOUND = ProblemType("not-found", 404, "There is no such route.")
METHOD_NOT_ALLOWED = ProblemType("method-not-allowed", 405, "This route does not take this method.")
REQUEST_TIMEOUT = ProblemType("request-timeout", 408, "The request did not come whole in time.")
BODY_TOO_LARGE = ProblemType("body-too-large", 413, "The body is larger than this API takes.")
CONTENT_ENCODED = ProblemType(
    "unsupported-content-encoding", 415, "A body is taken as it is, without a coding."
)
MISDIRECTED = ProblemType("misdirected-request", 421, "This server is not the one that the Host names.")
HEAD_TOO_LARGE = ProblemType("header-fields-too-large", 431, "Request line and headers are too large.")
RATE_LIMITED = ProblemType("rate-limited", 429, "This client has asked for too much. Ask again later.")
INTERNAL_ERROR = ProblemType("internal-error", 500, "Something went wrong on our side.")
CROWDED = ProblemType("too-many-connections", 503, "There are too many connections. Try again.")
TOO_MANY_LISTENERS = ProblemType(
    "too-many-listeners", 503, "As many listen to event streams as may. Try again later."
)
NOT_READY = ProblemType("not-ready", 503, "The server is not ready yet.")
STOPPING = ProblemType("server-stopping", 503, "The server is stopping. Try again.")

PROBLEM_TYPES: tuple[ProblemType, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, ProblemType)
)

TRACE_ID = "trace-id"
"""The header that names a request's trace in its response."""

RETRY_SOON = {"Retry-After": "1"}
"""The Retry-After of every 503 that gives no other."""

CHALLENGE = {"WWW-Authenticate": "Bearer"}
"""Of every 401."""

_NOT_STORED = {"Cache-Control": "no-store"}
"""Of every problem: caches may keep a 404, a 405 or a 410 that says nothing of it, and show it for minutes
after the product is there."""

SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457; a type's facts are further fields.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Stable: programs may rely on it."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


class ProblemError(Exception):
    """The request is answered with this problem."""

    def __init__(
        self,
        kind: ProblemType,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind, self.detail, self.headers, self.facts = kind, detail, headers, facts

    def response(self) -> Response:
        """As a response."""
        return problem(self.kind, self.detail, headers=self.headers, **self.facts)


def problem(
    kind: ProblemType, detail: str = "", *, headers: Mapping[str, str] | None = None, **facts: Any
) -> Response:
    """A response with the facts as fields; ValueError where one bears a member's name."""
    if taken := MEMBERS & facts.keys():
        raise ValueError(f"{', '.join(sorted(taken))} would hide a member of the problem")
    body = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": cut(detail or kind.title, DETAIL_MAX),
        **{name: cut(fact) for name, fact in facts.items()},
    }
    defaults = _NOT_STORED | (RETRY_SOON if kind.status == 503 else {})
    return Response(msgspec.json.encode(body), kind.status, {**defaults, **(headers or {})}, MEDIA_TYPE)


def message_of(fault: Mapping[str, Any]) -> str:
    """What is wrong, as pydantic reports it; a validator of ours in its own words alone."""
    message: str = fault["msg"]
    return message.removeprefix("Value error, ")


def sentence(errors: Iterable[Mapping[str, str]]) -> str:
    """`field: message; field: message`."""
    return "; ".join(f"{error['field']}: {error['message']}" for error in errors)


def on_the_wire(kind: ProblemType, trace_id: str) -> bytes:
    """The response as bytes of HTTP/1.1, where no application gives it. It closes the connection."""
    headers = {"connection": "close", "date": formatdate(usegmt=True), TRACE_ID: trace_id}
    response = problem(kind, headers=headers)
    lines = [f"HTTP/1.1 {kind.status} {HTTPStatus(kind.status).phrase}".encode()]
    lines += [b"%s: %s" % header for header in response.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


def cut(value: Any, length_max: int = ECHO_MAX) -> Any:
    """A text no longer than that; anything else as it is."""
    if isinstance(value, str) and len(value) > length_max:
        return f"{value[: length_max - 1]}…"
    return value
