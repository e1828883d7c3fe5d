"""The contracts over HTTP: documents about the API, open to everybody as its OpenAPI document is.

They tell what events look like, not which there are.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from deploy.edge.problems import NOT_FOUND, ProblemError
from deploy.edge.requests import entity_tag, is_known, parameters_once
from replays.contracts.files import ASYNCAPI, FOLDER

JSON_SCHEMA = "application/schema+json"
ASYNCAPI_JSON = "application/vnd.aai.asyncapi+json"


def contracts_router() -> APIRouter:
    """`/asyncapi.json` and `/schemas/<type>/<number>.json`, to be included in the query API's application.

    They lie to each other as their files do, so that the references in the one find the others.
    """
    router = APIRouter(include_in_schema=False)
    schemas = {(file.parent.name, file.stem): file for file in FOLDER.glob("*/*.json")}

    @router.get("/asyncapi.json")
    def asyncapi(request: Request) -> Response:
        return _answer(request, ASYNCAPI, ASYNCAPI_JSON)

    @router.get("/schemas/{event_type}/{number}.json")
    def schema(request: Request, event_type: str, number: str) -> Response:
        file = schemas.get((event_type, number))
        return _answer(request, file, JSON_SCHEMA, f"There is no schema {number!r} of {event_type!r}.")

    return router


def _answer(request: Request, file: Path | None, media_type: str, missing: str = "") -> Response:
    parameters_once(request, ())
    if file is None:
        raise ProblemError(NOT_FOUND, missing)
    body = file.read_bytes()
    headers = {"ETag": entity_tag(body), "Cache-Control": "public, max-age=0"}
    if is_known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)
