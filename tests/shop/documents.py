"""What holds of the examples in either API's OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.edge.openapi import Example

UNTOLD = {"GET /metrics"}
"""Its text is made by a library, and another at each moment."""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation by its route."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def examples_in(document: dict[str, Any]) -> dict[str, Example]:
    """The example of each operation, read from the document; AssertionError for one that has none."""
    found = {}
    for route, operation in operations(document):
        if route in UNTOLD:
            continue
        shown = [
            (int(status), media_type, content["example"])
            for status, response in operation["responses"].items()
            for media_type, content in response.get("content", {}).items()
            if "example" in content
        ]
        assert len(shown) == 1, f"{route} has {len(shown)} examples"
        ((status, media_type, response),) = shown
        parameters = {
            one["name"]: one["example"] for one in operation.get("parameters", []) if "example" in one
        }
        required = {one["name"] for one in operation.get("parameters", []) if one.get("required")}
        assert required <= parameters.keys(), f"{route} shows no {required - parameters.keys()}"
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        assert body is not None or not operation.get("requestBody", {}).get("required"), route
        found[route] = Example(route, status, response, parameters, body, media_type)
    return found
