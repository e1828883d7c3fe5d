"""Handing a command to the loop and answering what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec
from fastapi import Request
from starlette.responses import Response

from commands.http.requests import KEY_PARAMETER, context_of
from commands.loop.decision import Answer
from commands.loop.handling import Handling
from deploy.edge.openapi import FOR_SOME
from deploy.edge.problems import MEDIA_TYPE, SCHEMA

PROBLEM = {"description": "A problem", "content": {MEDIA_TYPE: {"schema": SCHEMA}}}

HEADERS = {
    "Daybook-Position": {
        "description": "The position the command wrote; a query may wait for it.",
        "schema": {"type": "integer"},
    },
    "Idempotency-Replayed": {
        "description": "`true` where the first answer to this key is repeated.",
        "schema": {"type": "string"},
    },
}


def documented(
    model: type,
    *,
    created: bool = True,
    key: Literal["taken", "required", "none"],
    parameters: Sequence[dict[str, Any]] = (),
    statuses: Sequence[int] = (),
    for_some: bool = False,
) -> dict[str, Any]:
    """A route's OpenAPI documentation: its key, answers, headers and problems, also those of `statuses`;
    `for_some`: something in its body is the operator's alone."""
    answers: dict[int | str, Any] = {
        200: {"model": model, "description": "Done, or nothing to do", "headers": HEADERS},
    }
    if created:
        answers[201] = {"model": model, "description": "Made", "headers": HEADERS}
    for status in sorted((400, 401, 404, 405, 409, 413, 415, 422, 429, 503, *statuses)):
        answers[status] = PROBLEM
    keyed = [] if key == "none" else [KEY_PARAMETER | {"required": key == "required"}]
    return {
        "responses": answers,
        "response_model": None,
        "status_code": 201 if created else 200,
        "openapi_extra": {
            "parameters": [*keyed, *parameters],
            **({"security": FOR_SOME} if for_some else {}),
        },
    }


async def answered(request: Request, command: Any, *, keyed: bool = False) -> Response:
    """The command's outcome as an HTTP answer; `keyed`: taken with an idempotency key only."""
    return response_of(await outcome(request, command, keyed=keyed))


async def answered_after_step(
    request: Request, command: Any, *, seconds: float, keyed: bool = False
) -> Response:
    """As `answered`, but once the gateway has answered the step that the command began."""
    return response_of(await outcome(request, command, keyed=keyed, step_seconds=seconds))


async def outcome(
    request: Request, command: Any, *, keyed: bool = False, step_seconds: float | None = None
) -> Answer:
    """What the loop answers. With `step_seconds`, once the gateway has answered the step that was begun.

    The position is then that of the step's end, on a repeat as on the first answer; where the gateway
    takes longer it is the command's own. What the command took is of those seconds.
    """
    handling: Handling = request.app.state.handling
    begun = time.monotonic()
    answer = await handling.handle(command, await context_of(request, keyed=keyed))
    if step_seconds is not None and answer.awaited is not None:
        left = max(0.0, step_seconds - (time.monotonic() - begun))
        position = await handling.step_ended(answer.awaited, timeout_seconds=left, look_first=answer.replayed)
        answer = replace(answer, position=max(position or 0, answer.position))
    return answer


def response_of(answer: Answer, **secrets: Any) -> Response:
    """201 where something was made, 200 else; the body with `id`, `version`, `position`, and `secrets`, which
    are stored nowhere."""
    answered = {"id": answer.id, "version": answer.version, "position": answer.position}
    body = {**answered, **answer.facts, **secrets}
    headers = {"Daybook-Position": str(answer.position)}
    if secrets:
        headers["Cache-Control"] = "no-store"
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(msgspec.json.encode(body), 201 if answer.created else 200, headers, "application/json")
