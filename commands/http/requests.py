"""What a request says beside its body: who asks, under which key, in which trace."""

from __future__ import annotations

import hashlib
import hmac
import re

from fastapi import Request
from starlette.responses import Response

from commands.http import order_secrets
from commands.http.problems import (
    KEY_REQUIRED,
    KEY_UNFIT,
    ORDER_SECRET_REQUIRED,
    TOKEN_REQUIRED,
    ProblemType,
    problem,
)
from commands.loop.decision import ANONYMOUS, OPERATOR_ROLE, SHOPPER, Actor, Context, new_trace_id

KEY_LENGTH_MIN = 16
"""Anonymous keys share one actor: a short one would meet a stranger's."""
KEY_LENGTH_MAX = 255
WAIT_SECONDS_MAX = 30.0

OPERATOR = Actor("operator", "token", frozenset({OPERATOR_ROLE}))
ANYBODY = Actor(ANONYMOUS.kind, roles=OPERATOR.roles)
"""Whoever asks where no token is set: they may do everything."""

_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*("?)([0-9]{1,6})\1\s*(?:$|[,;])', re.IGNORECASE)
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

    With an operator token set, its bearer is the operator, and who sends the secret of the order that the
    path names is its shopper; without one, whoever reaches the loopback address may do everything, under
    no name.
    """
    token: str | None = request.app.state.settings.operator_token
    if not token:
        return ANYBODY
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode()):
        return OPERATOR
    order_id = request.path_params.get("order_id")
    secret = request.headers.get(order_secrets.HEADER)
    if order_id and secret and order_secrets.is_secret_of(request.app.state.secret, order_id, secret):
        return Actor(SHOPPER, order_id)
    return ANONYMOUS


def operator_only(request: Request) -> None:
    """Lets in the operator alone where a token is set, everyone where none is."""
    if OPERATOR_ROLE not in actor_of(request).roles:
        raise RefusedRequest(
            TOKEN_REQUIRED, "Send Authorization: Bearer <operator token>.", **{"WWW-Authenticate": "Bearer"}
        )


def operator_or_secret(request: Request) -> None:
    """Lets in the operator and who holds the order that the path names; everyone where no token is set."""
    if actor_of(request) == ANONYMOUS:
        raise order_secret_required()


def order_secret_required() -> RefusedRequest:
    """The one answer to a missing secret, a wrong one, and one for an order that is not there."""
    return RefusedRequest(
        ORDER_SECRET_REQUIRED,
        f"Send {order_secrets.HEADER}: <the order_secret of its checkout>, or the operator's bearer token.",
        **{"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"},
    )


def trace_of(request: Request) -> str:
    """The trace id of the request's `traceparent` (W3C Trace Context), or a new one."""
    match = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return match[1] if match and match[1] != "0" * 32 else new_trace_id()


KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The caller's name for this request: a retry is answered, not done again.",
    "schema": {
        "type": "string",
        "minLength": KEY_LENGTH_MIN,
        "maxLength": KEY_LENGTH_MAX,
        "pattern": r"^[!-~\u00a1-\u00ac\u00ae-\u00ff]([ -~\u00a1-\u00ac\u00ae-\u00ff]*"
        r"[!-~\u00a1-\u00ac\u00ae-\u00ff])?$",
    },
}


ORDER_SECRET_PARAMETER = {
    "name": order_secrets.HEADER,
    "in": "header",
    "description": "What checkout answered as `order_secret`. Where an operator token is set, everybody but"
    " the operator needs it.",
    "schema": {"type": "string"},
}


async def context_of(request: Request, *, keyed: bool = False) -> Context:
    """The context of the command that this request asks for; `keyed`: never without a key."""
    actor = actor_of(request)
    correlation: str = request.state.trace_id
    key = request.headers.get("idempotency-key")
    if key is None:
        if keyed:
            raise RefusedRequest(KEY_REQUIRED)
        return Context(actor=actor, channel="api", correlation=correlation)
    shortest = KEY_LENGTH_MIN if actor.kind == ANONYMOUS.kind else 1
    if not (shortest <= len(key) <= KEY_LENGTH_MAX and key.isprintable()):
        raise RefusedRequest(KEY_UNFIT, f"A key has {shortest} to {KEY_LENGTH_MAX} characters, none unseen.")
    secret: bytes = request.app.state.secret
    said = b"\0".join((request.method.encode(), request.url.path.encode(), await request.body()))
    return Context(
        actor=actor,
        channel="api",
        correlation=correlation,
        key=hashlib.sha256(f"{actor}\0{key}".encode()).digest(),
        request_hash=hmac.digest(secret, said, "sha256"),
    )


def wait_asked(prefer: str | None) -> float | None:
    """The seconds of a `Prefer: wait=SECONDS` (RFC 7240), at most 30; None where none are asked for."""
    match = _WAIT.search(prefer or "")
    return min(float(match[2]), WAIT_SECONDS_MAX) if match else None
