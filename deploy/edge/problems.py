"""What the edge refuses, before any route is asked: problem+json (RFC 9457) like everything else."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A stable problem type."""

    slug: str
    status: int
    title: str


MALFORMED_REQUEST = ProblemType("malformed-request", 400, "This is not an HTTP/1.1 request as it should be.")
HOST_UNFIT = ProblemType("host-unfit", 400, "A request names exactly one Host, in its form.")
BODY_MISSING = ProblemType("body-missing", 400, "A body was announced, and none came.")
FOREIGN_ORIGIN = ProblemType("foreign-origin", 403, "Pages of this origin may not call this server.")
REQUEST_TIMEOUT = ProblemType("request-timeout", 408, "The request did not come whole in time.")
BODY_TOO_LARGE = ProblemType("body-too-large", 413, "The body is larger than this API takes.")
CONTENT_ENCODED = ProblemType(
    "unsupported-content-encoding", 415, "A body is taken as it is, without a coding."
)
MISDIRECTED = ProblemType("misdirected-request", 421, "This server is not the one that the Host names.")
HEAD_TOO_LARGE = ProblemType("header-fields-too-large", 431, "Request line and headers are too large.")
UNFIT_ADDRESS = ProblemType("invalid-request", 422, "The request does not have the form it should have.")
CROWDED = ProblemType("too-many-connections", 503, "There are too many connections. Try again.")
STOPPING = ProblemType("server-stopping", 503, "The server is stopping. Try again.")

PROBLEM_TYPES: tuple[ProblemType, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, ProblemType)
)

RETRY_SOON = {"Retry-After": "1"}


def problem(kind: ProblemType, detail: str = "", **headers: str) -> Response:
    """The answer; header names with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind.status == 503:
        named |= RETRY_SOON
    return Response(_body(kind, detail), kind.status, named, MEDIA_TYPE)


def on_the_wire(kind: ProblemType) -> bytes:
    """The answer as bytes of HTTP/1.1, where there is no application to give it. It closes the connection."""
    answer = problem(kind, connection="close", date=formatdate(usegmt=True))
    lines = [b"HTTP/1.1 %d %s" % (kind.status, _REASONS[kind.status])]
    lines += [b"%s: %s" % header for header in answer.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])


_REASONS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def _body(kind: ProblemType, detail: str) -> bytes:
    members = {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status}
    return msgspec.json.encode({**members, "detail": detail or kind.title})
