"""What both OpenAPI documents have beside what the framework derives: who may call, and examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.security import APIKeyHeader, HTTPBearer

from deploy.edge.problems import FOREIGN_ORIGIN, MEDIA_TYPE, MISDIRECTED, SCHEMA
from deploy.edge.requests import ORDER_SECRET

Document = dict[str, Any]

OPERATOR_TOKEN = HTTPBearer(
    scheme_name="operator",
    description="The operator's token. Where the server has none set, every route is open.",
    auto_error=False,
)
"""As a dependency it documents a route that is the operator's; who is let in, the route says itself."""

ORDER_HOLDER = APIKeyHeader(
    name=ORDER_SECRET,
    scheme_name="order_secret",
    description="What checkout answered as `order_secret`: opens this one order.",
    auto_error=False,
)
"""The same, of a route that is open to clients that hold an order's secret."""

FOR_SOME = [{}, {OPERATOR_TOKEN.scheme_name: list[str]()}]
"""The security of a route that is open, but for what only the operator may ask of it."""


class Example(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A request that succeeds, and its response, as the document shows them.

    `route`: "POST /api/v1/carts". `parameters`: those of path, query and headers by name. `body`: of the
    request; None: it has none. `response`: JSON, or text where `media_type` is another.
    """

    route: str
    status: int
    response: Any
    parameters: dict[str, Any] = {}
    body: Any = None
    media_type: str = "application/json"


def read_examples(file: Path) -> list[Example]:
    """The examples in a file of JSON."""
    return msgspec.json.decode(file.read_bytes(), type=list[Example])


def install_openapi(app: FastAPI, finish: Callable[[Document], None]) -> None:
    """Has the application's document, once the framework has made it, finished by `finish`. What the edge
    refuses before any route is in every operation."""
    make = app.openapi

    def openapi() -> Document:
        is_made = app.openapi_schema is not None
        document = make()
        if not is_made:
            finish(document)
            _add_refusals(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def open_to_everybody(document: Document) -> None:
    """Where the server has no token set, whoever shows nothing is let in, too."""
    for path in document["paths"].values():
        for operation in path.values():
            alternatives = operation.get("security", [])
            if {} not in alternatives and any(OPERATOR_TOKEN.scheme_name in one for one in alternatives):
                operation["security"] = [{}, *alternatives]


def add_examples(document: Document, examples: list[Example]) -> None:
    """Puts each example into its operation: parameters, body and response. KeyError where there is no such
    operation, or it has not this response."""
    for example in examples:
        method, _, path = example.route.partition(" ")
        operation = document["paths"][path][method.lower()]
        # Anew, each of these: operations may share one object.
        operation["parameters"] = [
            {**one, "example": example.parameters[one["name"]]} if one["name"] in example.parameters else one
            for one in operation.get("parameters", [])
        ]
        if not operation["parameters"]:
            del operation["parameters"]
        if example.body is not None:
            _show(operation["requestBody"]["content"], "application/json", example.body)
        responses = operation["responses"]
        status = str(example.status)
        content = dict(responses[status]["content"])
        responses[status] = {**responses[status], "content": content}
        _show(content, example.media_type, example.response)


def _add_refusals(document: Document) -> None:
    shared = document.setdefault("components", {}).setdefault("responses", {})
    for kind in (FOREIGN_ORIGIN, MISDIRECTED):
        description = f"`/problems/{kind.slug}`: {kind.title}"
        shared[kind.slug] = {"description": description, "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
        for path in document["paths"].values():
            for operation in path.values():
                answer = {"$ref": f"#/components/responses/{kind.slug}"}
                operation["responses"].setdefault(str(kind.status), answer)


def _show(content: dict[str, Any], media_type: str, value: Any) -> None:
    content[media_type] = {**content[media_type], "example": value}
