"""What a request says beside its body: who asks, under which key, in which trace."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import WithJsonSchema
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from commands.decision import Actor, Context
from commands.http.problems import KEY_UNFIT, TOKEN_REQUIRED, ProblemType, problem

KEY_LENGTH_MIN = 16
"""Anonymous keys share one actor: a short one would meet a stranger's."""
KEY_LENGTH_MAX = 255
WAIT_SECONDS_MAX = 30.0

OPERATOR = Actor("operator", "token", frozenset({"operator"}))
ANONYMOUS = Actor("anonymous")

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class RefusedRequest(Exception):  # noqa: N818
    """A request that no command is made of; it carries its answer."""

    def __init__(self, kind: ProblemType, detail: str = "", **headers: str) -> None:
        super().__init__(detail or kind.title)
        self.kind, self.detail, self.headers = kind, detail, headers

    def response(self) -> Response:
        """The answer as problem+json."""
        return problem(self.kind, self.detail, self.headers)


def actor_of(request: Request) -> Actor:
    """Who asks. The one place where a request becomes an actor.

    With an operator token set, its bearer is the operator; without one, whoever reaches the loopback
    address may do everything, under no name.
    """
    token: str | None = request.app.state.settings.operator_token
    if token:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode()):
            return OPERATOR
    return ANONYMOUS


def operator_only(request: Request) -> None:
    """Lets in the operator alone where a token is set, everyone where none is."""
    if request.app.state.settings.operator_token and actor_of(request) is not OPERATOR:
        raise RefusedRequest(
            TOKEN_REQUIRED, "Send Authorization: Bearer <operator token>.", **{"WWW-Authenticate": "Bearer"}
        )


def trace_of(request: Request) -> str:
    """The trace id of the request's `traceparent` (W3C Trace Context), or a new one."""
    match = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return match[1] if match and match[1] != "0" * 32 else secrets.token_hex(16)


KeyText = Annotated[
    str, WithJsonSchema({"type": "string", "minLength": KEY_LENGTH_MIN, "maxLength": KEY_LENGTH_MAX})
]
_key = Header(description="The caller's name for this request: a retry is answered, not done again.")


async def context_of(
    request: Request, idempotency_key: Annotated[KeyText | SkipJsonSchema[None], _key] = None
) -> Context:
    """The context of the command that this request asks for."""
    actor = actor_of(request)
    correlation: str = request.state.trace_id
    if idempotency_key is None:
        return Context(actor=actor, channel="api", correlation=correlation)
    shortest = KEY_LENGTH_MIN if actor is ANONYMOUS else 1
    if not shortest <= len(idempotency_key) <= KEY_LENGTH_MAX:
        raise RefusedRequest(KEY_UNFIT, f"A key has {shortest} to {KEY_LENGTH_MAX} characters.")
    secret: bytes = request.app.state.secret
    body = await request.body()
    said = b"\0".join((request.method.encode(), request.url.path.encode(), body))
    return Context(
        actor=actor,
        channel="api",
        correlation=correlation,
        key=hashlib.sha256(f"{actor}\0{idempotency_key}".encode()).digest(),
        request_hash=hmac.digest(secret, said, "sha256"),
    )


async def keyed_context_of(request: Request, idempotency_key: Annotated[KeyText, _key]) -> Context:
    """The context of a command that is never taken without an idempotency key."""
    return await context_of(request, idempotency_key)


def wait_asked(prefer: str | None) -> float | None:
    """The seconds of a `Prefer: wait=SECONDS` (RFC 7240), at most 30; None where none are asked for."""
    match = re.search(r"(?:^|[,;\s])wait=(\d{1,6})\b", prefer or "")
    return min(float(match[1]), WAIT_SECONDS_MAX) if match else None


RequestContext = Annotated[Context, Depends(context_of)]
KeyedContext = Annotated[Context, Depends(keyed_context_of)]
