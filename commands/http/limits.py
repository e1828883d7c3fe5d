"""Limits that are settings: checked at the edge, answered as invalid requests."""

from __future__ import annotations

from typing import Never

from fastapi import Request
from fastapi.exceptions import RequestValidationError


def check_limit(request: Request, setting: str, value: int, field: str) -> None:
    """Refuses a value of the body over the limit that `setting` names."""
    limit: int = getattr(request.app.state.settings, setting)
    if value > limit:
        invalid(field, f"is over the limit of {limit}")


def invalid(field: str, message: str) -> Never:
    """Refuses a field of the body."""
    raise RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": message}])
