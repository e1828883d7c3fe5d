"""The query API's application: routes, problems, health and metrics over two read-only stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import msgspec
import structlog
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.redis_reader import RedisReader
from projections.documents.tantivy_reader import TantivyReader
from read_api import bestsellers, cart, catalog, dashboards, health, inventory, orders
from read_api.documenting import install_openapi
from read_api.health import ReadyPosition
from read_api.observing import TRACE_ID, ObservingMiddleware
from read_api.problems import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    RETRY_SOON,
    STORE_UNAVAILABLE,
    VIEW_NOT_READY,
    ProblemError,
    cut,
    problem,
)
from read_api.product_page import ProductPageRoute
from read_api.requests import refuse_unknown_parameters
from read_api.settings import QuerySettings
from read_api.shared_reads import SharedReads
from read_api.stores import Stores

log_lines = structlog.get_logger("read_api")

DESCRIPTION = """The reading side of Daybook: what storefronts ask for, from read models alone.

Every answer names its `ETag` and, as `Daybook-View-Position`, the position of the last event its view had
seen. Send a command's `Daybook-Position` as `Daybook-Min-Position` to read what you wrote. Lists page by
cursor: ask again with `next` as `cursor` and the same parameters. Errors are `application/problem+json` with
a stable `type`."""


def build_query_app(
    settings: QuerySettings,
    *,
    ready_position: ReadyPosition,
) -> FastAPI:
    """The application over the stores that the settings name.

    `ready_position` gives the position that the views must reach before this process calls itself ready, or
    None while that is not known. Other owners' routes, such as `/api/v1/events`, may be included beside.
    """
    documents = RedisReader(settings.redis_url)
    stores = Stores(
        settings,
        documents,
        SharedReads(documents),
        TantivyReader(settings.index_folder),
        ThreadPoolExecutor(settings.search_threads, "search"),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await documents.close()
        stores.search_threads.shutdown()

    app = FastAPIOffline(
        title="Daybook queries",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.stores = stores
    app.state.ready_position = ready_position
    app.router.routes.append(ProductPageRoute())
    for context in (catalog, bestsellers, cart, orders, inventory, dashboards, health):
        app.include_router(context.router, dependencies=[Depends(refuse_unknown_parameters)])
    _answer_errors(app)
    install_openapi(app)
    app.add_middleware(ObservingMiddleware, access_log=settings.access_log)
    return app


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def _problem(request: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [
            {"field": cut(".".join(str(part) for part in one["loc"][1:])), "message": cut(one["msg"])}
            for one in error.errors()
        ]
        said = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
        return problem(INVALID_REQUEST, said, field=faults[0]["field"], errors=faults)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            return problem(METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        known = {404: NOT_FOUND}
        return problem(known.get(error.status_code, INTERNAL_ERROR), headers=error.headers)

    @app.exception_handler(ViewNotReady)
    async def _not_ready(request: Request, error: ViewNotReady) -> Response:
        return problem(VIEW_NOT_READY, headers=RETRY_SOON, view=error.view)

    @app.exception_handler(msgspec.DecodeError)
    async def _damaged(request: Request, error: msgspec.DecodeError) -> Response:
        log_lines.error("document_damaged", reason=str(error), trace_id=TRACE_ID.get())
        return problem(STORE_UNAVAILABLE, headers=RETRY_SOON)

    @app.exception_handler(ReadStoreUnavailable)
    async def _away(request: Request, error: ReadStoreUnavailable) -> Response:
        log_lines.warning("read_store_unavailable", reason=str(error), trace_id=TRACE_ID.get())
        return problem(STORE_UNAVAILABLE, headers=RETRY_SOON)
