"""A request beside its body: its actor, its idempotency key, its trace."""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Request

from commands.http import order_secrets
from commands.http.problems import KEY_REQUIRED, KEY_UNFIT
from commands.loop.decision import ANONYMOUS, OPERATOR_ROLE, SHOPPER, Actor, Context
from deploy.edge.openapi import OPERATOR_TOKEN, ORDER_HOLDER
from deploy.edge.problems import ProblemError
from deploy.edge.requests import (
    ORDER_SECRET,
    is_operator,
    order_secret_required,
    preferred_wait,
    token_required,
)

KEY_LENGTH_MIN = 16
"""Anonymous keys share one actor: a short one would meet a stranger's."""
KEY_LENGTH_MAX = 255
WAIT_SECONDS_MAX = 30.0

OPERATOR = Actor("operator", "token", frozenset({OPERATOR_ROLE}))
ANYBODY = Actor(ANONYMOUS.kind, roles=OPERATOR.roles)
"""Every client where no token is set: it may do everything."""


def actor_of(request: Request) -> Actor:
    """Who asks. The one place where a request becomes an actor.

    With an operator token set, its bearer is the operator, and who sends the secret of the order that the
    path names is its shopper; without one, every client that reaches the loopback address may do
    everything, under no name.
    """
    token: str | None = request.app.state.settings.operator_token
    if not token:
        return ANYBODY
    if is_operator(request.headers, token):
        return OPERATOR
    order_id = request.path_params.get("order_id")
    secret = request.headers.get(ORDER_SECRET)
    if order_id and secret and order_secrets.is_secret_of(request.app.state.secret, order_id, secret):
        return Actor(SHOPPER, order_id)
    return ANONYMOUS


def operator_only(request: Request, _operator: Annotated[object, Depends(OPERATOR_TOKEN)] = None) -> None:
    """Lets in the operator alone where a token is set, everyone where none is."""
    if OPERATOR_ROLE not in actor_of(request).roles:
        raise token_required()


def operator_or_secret(
    request: Request,
    _operator: Annotated[object, Depends(OPERATOR_TOKEN)] = None,
    _holder: Annotated[object, Depends(ORDER_HOLDER)] = None,
) -> None:
    """Lets in the operator and who holds the order that the path names; everyone where no token is set."""
    if actor_of(request) == ANONYMOUS:
        raise order_secret_required()


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
    "name": ORDER_SECRET,
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
            raise ProblemError(KEY_REQUIRED)
        return Context(actor=actor, channel="api", correlation=correlation)
    shortest = KEY_LENGTH_MIN if actor.kind == ANONYMOUS.kind else 1
    if not (shortest <= len(key) <= KEY_LENGTH_MAX and key.isprintable()):
        raise ProblemError(KEY_UNFIT, f"A key has {shortest} to {KEY_LENGTH_MAX} characters, none unseen.")
    secret: bytes = request.app.state.secret
    signed = b"\0".join((request.method.encode(), request.url.path.encode(), await request.body()))
    return Context(
        actor=actor,
        channel="api",
        correlation=correlation,
        key=hashlib.sha256(f"{actor}\0{key}".encode()).digest(),
        request_hash=hmac.digest(secret, signed, "sha256"),
    )


def wait_seconds(prefer: str | None) -> float | None:
    """The seconds of a `Prefer: wait=SECONDS` (RFC 7240), at most 30; None where none are asked for."""
    seconds = preferred_wait(prefer or "")
    return None if seconds is None else min(float(seconds), WAIT_SECONDS_MAX)
