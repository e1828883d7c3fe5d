"""What is wrong with a request, field by field: so much of it as a reader has use for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from commands.http.problems import INVALID_REQUEST, cut, problem

FAULTS_MAX = 50
SPELT_OUT = 3
"""Faults that the problem's `detail` repeats."""


def invalid_request(found: Sequence[Mapping[str, Any]]) -> Response:
    """`errors`: the first faults, each with its field and a message; `more`: how many are not listed.

    `found` as pydantic tells them: `loc` and `msg`.
    """
    listed = [
        {"field": cut(".".join(map(str, one["loc"]))), "message": cut(one["msg"])}
        for one in found[:FAULTS_MAX]
    ]
    said = "; ".join(f"{fault['field']}: {fault['message']}" for fault in listed[:SPELT_OUT])
    if len(found) > SPELT_OUT:
        said += f"; and {len(found) - SPELT_OUT} more"
    return problem(INVALID_REQUEST, said, errors=listed, more=len(found) - len(listed))
