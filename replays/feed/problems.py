"""The problems that the event feed answers with, as application/problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response

from aggregates.kernel import PROBLEM_MEMBERS

ECHO_MAX = 200
"""Characters: an answer repeats no more of what a caller said."""

DETAIL_MAX = 1_000


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A stable problem type."""

    slug: str
    status: int
    title: str


UNKNOWN_PARAMETER = ProblemType("unknown-parameter", 400, "This route has no such parameter.")
INVALID_PARAMETER = ProblemType("invalid-parameter", 400, "A parameter does not have its form.")
UNKNOWN_EVENT_TYPE = ProblemType("unknown-event-type", 400, "The log has no events of this type.")
TOKEN_REQUIRED = ProblemType("operator-token-required", 401, "This route is for operators.")
BEYOND_HEAD = ProblemType("position-beyond-head", 409, "The log does not reach so far: read another one?")
ANOTHER_LOG = ProblemType("another-log", 409, "This is not the log that was read.")
ANOTHER_HISTORY = ProblemType("another-history", 409, "The log has another event there now: read it anew.")
LOG_DAMAGED = ProblemType("log-damaged", 500, "A position is missing from the log.")
STORE_UNAVAILABLE = ProblemType("store-unavailable", 503, "The event store is away. Try again.")
TOO_MANY_LISTENERS = ProblemType(
    "too-many-listeners", 503, "As many listen to the event stream as may. Try again later."
)

PROBLEM_TYPES: tuple[ProblemType, ...] = (
    UNKNOWN_PARAMETER,
    INVALID_PARAMETER,
    UNKNOWN_EVENT_TYPE,
    TOKEN_REQUIRED,
    BEYOND_HEAD,
    ANOTHER_LOG,
    ANOTHER_HISTORY,
    LOG_DAMAGED,
    STORE_UNAVAILABLE,
    TOO_MANY_LISTENERS,
)


class ProblemError(Exception):
    """A request that gets a problem for an answer. ValueError for a fact that bears a member's name."""

    def __init__(self, kind: ProblemType, detail: str, **facts: Any) -> None:
        if taken := PROBLEM_MEMBERS & facts.keys():
            raise ValueError(f"{', '.join(sorted(taken))} would hide a member of the problem")
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.facts = facts

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The answer, its facts as fields."""
        body = {
            "type": f"/problems/{self.kind.slug}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": cut(self.detail, DETAIL_MAX),
            **{name: cut(fact) for name, fact in self.facts.items()},
        }
        return Response(
            msgspec.json.encode(body), self.kind.status, dict(headers or {}), "application/problem+json"
        )


def cut(said: Any, length_max: int = ECHO_MAX) -> Any:
    """A text no longer than that; anything else as it is."""
    if isinstance(said, str) and len(said) > length_max:
        return f"{said[: length_max - 1]}…"
    return said
