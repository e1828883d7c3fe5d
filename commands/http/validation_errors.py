"""What is wrong with a request, field by field; and the limits that are settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Never

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from deploy.edge.problems import INVALID_REQUEST, cut, message_of, problem, sentence

FAULTS_MAX = 50
SPELT_OUT = 3
"""Faults that the problem's `detail` repeats."""


def invalid_request(found: Sequence[Mapping[str, Any]]) -> Response:
    """`errors`: the first faults, each with its field and a message; `more`: how many are not listed.

    `found` as pydantic reports them: `loc` and `msg`.
    """
    listed = [
        {"field": cut(_path(one["loc"])), "message": cut(message_of(one))} for one in found[:FAULTS_MAX]
    ]
    detail = sentence(listed[:SPELT_OUT])
    if len(found) > SPELT_OUT:
        detail += f"; and {len(found) - SPELT_OUT} more"
    return problem(INVALID_REQUEST, detail, errors=listed, more=len(found) - len(listed))


def _path(parts: Sequence[str | int]) -> str:
    """`body.amount.GBP`; pydantic marks what is wrong with a key itself by one more part."""
    return ".".join(str(part) for part in parts if part != "[key]")


def check_limit(request: Request, setting: str, value: int, field: str) -> None:
    """Refuses a value of the body over the limit that `setting` names."""
    limit: int = getattr(request.app.state.settings, setting)
    if value > limit:
        invalid(field, f"is over the limit of {limit}")


def invalid(field: str, message: str) -> Never:
    """Refuses a field of the body."""
    raise RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": message}])
