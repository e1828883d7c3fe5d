"""Every problem the query API can answer with: its type, its status, its title (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

PROBLEM_MEMBERS = frozenset({"type", "title", "status", "detail", "instance"})
"""What the standard says of every problem; no fact bears such a name."""

ECHO_MAX = 200
"""Characters: an answer repeats no more of what a caller said."""

DETAIL_MAX = 1_000


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A stable problem type."""

    slug: str
    status: int
    title: str


INVALID_REQUEST = ProblemType("invalid-request", 422, "The request does not have the form it should have.")
UNKNOWN_PARAMETER = ProblemType("unknown-parameter", 400, "This route does not know this parameter.")
INVALID_MIN_POSITION = ProblemType("invalid-min-position", 400, "Daybook-Min-Position is not a position.")
INVALID_CURSOR = ProblemType("invalid-cursor", 400, "The cursor is not one of this query's.")
CURSOR_EXPIRED = ProblemType("cursor-expired", 410, "The pages after this cursor are gone. Start again.")
TOKEN_REQUIRED = ProblemType("operator-token-required", 401, "This route is for operators.")
ORDER_SECRET_REQUIRED = ProblemType("order-secret-required", 401, "This is for whoever placed the order.")
UNKNOWN_PRODUCT = ProblemType("unknown-product", 404, "There is no such product.")
UNKNOWN_SKU = ProblemType("unknown-sku", 404, "There is no stock under this SKU.")
UNKNOWN_CART = ProblemType("unknown-cart", 404, "There is no such cart.")
UNKNOWN_ORDER = ProblemType("unknown-order", 404, "There is no such order.")
NOT_FOUND = ProblemType("not-found", 404, "There is no such route.")
METHOD_NOT_ALLOWED = ProblemType("method-not-allowed", 405, "This route does not take this method.")
VIEW_BEHIND = ProblemType("view-behind", 412, "The view has not reached the position asked for.")
VIEW_NOT_READY = ProblemType("view-not-ready", 503, "The view is being built. Try again.")
STORE_UNAVAILABLE = ProblemType("store-unavailable", 503, "The read models are away. Try again.")
NOT_READY = ProblemType("not-ready", 503, "The server is not ready yet.")
INTERNAL_ERROR = ProblemType("internal-error", 500, "Something went wrong on our side.")

PROBLEM_TYPES: tuple[ProblemType, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, ProblemType)
)

RETRY_SOON = {"Retry-After": "1"}


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
        super().__init__(kind.slug)
        self.kind = kind
        self.detail = detail
        self.headers = headers
        self.facts = facts

    def response(self) -> Response:
        """As an answer."""
        return problem(self.kind, self.detail, headers=self.headers, **self.facts)


def problem(
    kind: ProblemType, detail: str = "", *, headers: Mapping[str, str] | None = None, **facts: Any
) -> Response:
    """A problem+json answer with its facts as fields; ValueError where one bears a member's name."""
    if taken := PROBLEM_MEMBERS & facts.keys():
        raise ValueError(f"{', '.join(sorted(taken))} would hide a member of the problem")
    body = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": cut(detail or kind.title, DETAIL_MAX),
        **{name: cut(fact) for name, fact in facts.items()},
    }
    return Response(msgspec.json.encode(body), kind.status, dict(headers or {}), MEDIA_TYPE)


def unknown(kind: ProblemType, position: int, **facts: Any) -> ProblemError:
    """There is no such thing, as far as the view has come."""
    return ProblemError(kind, headers={"Daybook-View-Position": str(position)}, **facts)


def cut(said: Any, length_max: int = ECHO_MAX) -> Any:
    """A text no longer than that; anything else as it is."""
    if isinstance(said, str) and len(said) > length_max:
        return f"{said[: length_max - 1]}…"
    return said
