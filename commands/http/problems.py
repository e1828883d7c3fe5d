"""Every problem the command API can answer with: its type, its status, its title.

A refusal's type follows from its reason's name (NotEnoughStock → /problems/not-enough-stock), its title is
the first line of the reason's docstring, and its facts are the reason's fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from inspect import getdoc
from typing import Any

import msgspec
from starlette.responses import Response

from aggregates.kernel import PROBLEM_MEMBERS, Reason

MEDIA_TYPE = "application/problem+json"

ECHO_MAX = 200
"""Characters: an answer repeats no more of what a caller said."""

DETAIL_MAX = 1_000


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A stable problem type that no reason stands for: what went wrong around a decision."""

    slug: str
    status: int
    title: str


INVALID_REQUEST = ProblemType("invalid-request", 422, "The request does not have the form it should have.")
MALFORMED_JSON = ProblemType("malformed-json", 400, "The body is not JSON.")
KEY_REQUIRED = ProblemType("idempotency-key-required", 400, "This route needs an Idempotency-Key.")
KEY_UNFIT = ProblemType("idempotency-key-unfit", 400, "The Idempotency-Key is too short or too long.")
KEY_REUSED = ProblemType(
    "idempotency-key-reused", 422, "The Idempotency-Key was used for another request in the last 24 hours."
)
KEY_BUSY = ProblemType("idempotency-key-busy", 409, "The first request with this key is still under way.")
TOKEN_REQUIRED = ProblemType("operator-token-required", 401, "This route is for operators.")
ORDER_SECRET_REQUIRED = ProblemType("order-secret-required", 401, "This is for whoever placed the order.")
NOT_FOUND = ProblemType("not-found", 404, "There is no such route.")
METHOD_NOT_ALLOWED = ProblemType("method-not-allowed", 405, "This route does not take this method.")
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type", 415, "The body is to be JSON, and its Content-Type application/json."
)
PRICE_MISMATCH = ProblemType("price-mismatch", 409, "The exact price does not round to the amount.")
SKU_MISMATCH = ProblemType("sku-mismatch", 409, "The body names another SKU than the path.")
BUSY = ProblemType("busy", 503, "Others kept changing what this command is about. Try again.")
STORE_UNAVAILABLE = ProblemType("store-unavailable", 503, "The event store is away. Try again.")
NOT_READY = ProblemType("not-ready", 503, "The server is not ready yet.")
INTERNAL_ERROR = ProblemType("internal-error", 500, "Something went wrong on our side.")

PROBLEM_TYPES: tuple[ProblemType, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, ProblemType)
)


def type_of_reason(reason: type[Reason]) -> ProblemType:
    """The problem type a reason is answered with."""
    slug = re.sub(r"(?<!^)(?=[A-Z])", "-", reason.__name__).lower()
    if slug == ORDER_SECRET_REQUIRED.slug:
        return ORDER_SECRET_REQUIRED
    status = 422 if reason.about else 404 if slug.startswith("unknown-") else 409
    title = (getdoc(reason) or reason.__name__).partition("\n")[0]
    return ProblemType(slug, status, title)


def reason_response(reason: Reason) -> Response:
    """The answer to a refused command."""
    facts = {field.name: getattr(reason, field.name) for field in fields(reason)}
    kind = type_of_reason(type(reason))
    if not reason.about:
        return problem(kind, **facts)
    fault = {"field": f"body.{reason.about}", "message": kind.title}
    return problem(kind, f"{fault['field']}: {kind.title}", errors=[fault], **facts)


def problem(
    kind: ProblemType, detail: str = "", headers: Mapping[str, str] | None = None, **facts: Any
) -> Response:
    """A problem+json answer with its facts as fields; ValueError where one bears a member's name."""
    if taken := PROBLEM_MEMBERS & facts.keys():
        raise ValueError(f"{', '.join(sorted(taken))} would hide a member of the problem")
    body = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": cut(detail or _said(kind, facts), DETAIL_MAX),
        **{name: cut(fact) for name, fact in facts.items()},
    }
    return Response(msgspec.json.encode(body), kind.status, dict(headers or {}), MEDIA_TYPE)


def _said(kind: ProblemType, facts: Mapping[str, Any]) -> str:
    if not facts:
        return kind.title
    return f"{kind.title.rstrip('.')}: {_words(facts)}."


def _words(fact: Any) -> str:
    """`sku MUG, asked 2; sku TEA, asked 1` of whatever the fact is made of."""
    if is_dataclass(fact):
        fact = {field.name: getattr(fact, field.name) for field in fields(fact)}
    if isinstance(fact, Mapping):
        said = {name.replace("_", " "): _words(part) for name, part in fact.items() if part is not None}
        return ", ".join(f"{name} {part}" for name, part in said.items())
    if isinstance(fact, list | tuple):
        return "; ".join(map(_words, fact))
    return str(fact)


def cut(said: Any, length_max: int = ECHO_MAX) -> Any:
    """A text no longer than that; anything else as it is."""
    if isinstance(said, str) and len(said) > length_max:
        return f"{said[: length_max - 1]}…"
    return said
