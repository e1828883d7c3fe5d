"""What every route takes: the freshness headers, pages, and no parameter that it does not know."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParameter
from pydantic import BeforeValidator, Field, WithJsonSchema

from deploy.edge.requests import parameters_once
from projections.documents.text import has_control_characters, normalized
from read_api.cursors import LENGTH_MAX
from read_api.freshness import POSITION_MAX, Freshness, freshness_of

TEXT = r"[^\x00-\x1f\x7f-\x9f]"
"""A character that may stand in a path or a query: both servers refuse the others."""

ANY_NAME = "*"
"""At the end of a parameter's name: any text stands for it."""

_MinPosition = Annotated[
    str | None,
    Header(
        alias="Daybook-Min-Position",
        description="A command's `Daybook-Position`: wait, up to a limit, until the view has seen it.",
    ),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": POSITION_MAX}),
]
_Prefer = Annotated[
    str | None,
    Header(
        description="`handling=strict`: rather 412 than an answer from before Daybook-Min-Position."
        " `wait=SECONDS`: wait no longer than that for it."
    ),
]
_IfNoneMatch = Annotated[
    str | None, Header(description="Entity tags the asker has: 304 where the answer is one of them.")
]


def freshness(
    request: Request,
    daybook_min_position: _MinPosition = None,
    prefer: _Prefer = None,
    if_none_match: _IfNoneMatch = None,
) -> Freshness | None:
    """The freshness that the headers request; declared here so that OpenAPI documents them."""
    return freshness_of(request.headers)


def refuse_unknown_parameters(request: Request) -> None:
    """A misspelt filter must not silently find everything. Raises unknown-parameter."""
    if not request.scope["query_string"]:
        return
    known = {
        parameter.alias
        for parameter in get_flat_params(request.scope["route"].dependant)
        if isinstance(parameter.field_info, QueryParameter)
    }
    begun = tuple(name.removesuffix(ANY_NAME) for name in known if name.endswith(ANY_NAME))
    if begun:
        known.update(name for name in request.query_params if name.startswith(begun) and name not in begun)
    parameters_once(request, known)


def typed(text: str) -> str:
    """A shopper's text, normalized as the views are. ValueError for a control character."""
    if has_control_characters(text):
        raise ValueError("has a control character")
    return normalized(text)


def _digits(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch("[0-9]+", value):
        raise ValueError("is no whole number in digits")
    return value


WRITTEN_IN_DIGITS = BeforeValidator(_digits)
"""Of a number: pydantic alone would take `1_0`, `+1` and `1.0` as well. It stands behind the number's bounds,
or the document would lack them."""

WantedFreshness = Annotated[Freshness | None, Depends(freshness)]
Limit = Annotated[int, Field(ge=1, le=1_000), WRITTEN_IN_DIGITS, Query(description="Items per page.")]
Cursor = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=LENGTH_MAX,
        json_schema_extra={"pattern": rf"^{TEXT}*$"},
        description="`next` of the page before, with the same parameters.",
    ),
]


def _in_path(description: str) -> Any:
    return Path(min_length=1, json_schema_extra={"pattern": rf"^{TEXT}+$"}, description=description)


Identifier = Annotated[str, _in_path("An identifier: opaque text.")]
Sku = Annotated[str, _in_path("A stock keeping unit; case matters.")]
