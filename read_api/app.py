"""The query API's application: routes, problems, health and metrics over two read-only stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache, partial

import msgspec
import structlog
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from deploy.edge.api import health_router, new_api
from deploy.edge.circuit_breaker import CircuitBreaker
from deploy.edge.first import FirstRoutes
from deploy.edge.openapi import install_openapi
from deploy.edge.problems import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    ProblemError,
    cut,
    message_of,
    problem,
    sentence,
)
from deploy.edge.tracing import Tracing
from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.redis_reader import RedisReader
from read_api import (
    addresses,
    also_bought,
    bestsellers,
    cart,
    catalog,
    coupons,
    credit,
    customer_value,
    dashboard_hours,
    dashboards,
    health,
    inventory,
    live,
    orders,
    price_history,
    terms,
    visits,
)
from read_api.bestseller_windows import BestsellerWindows
from read_api.guarded_search import GuardedSearch
from read_api.health import ReadyPosition
from read_api.market_prices import in_main_market
from read_api.openapi import finish_document
from read_api.problems import STORE_UNAVAILABLE, VIEW_NOT_READY
from read_api.product_page import ProductPageRoute
from read_api.requests import refuse_unknown_parameters
from read_api.settings import QuerySettings
from read_api.stale_answers import StaleAnswers
from read_api.stores import Stores, search_reader
from read_api.watching import Watcher

REQUESTS = Counter("daybook_query_requests", "Answers of the query API", ["route", "status"])
SECONDS = Histogram(
    "daybook_query_request_seconds",
    "Time to answer a request of the query API",
    ["route"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)

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
    stopping: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """The application over the stores that the settings name.

    `ready_position` gives the position that the views must reach before this process calls itself ready, or
    None while that is not known. Event streams end where `stopping` gives True. Other owners' routes, such as
    `/api/v1/events`, may be included beside.
    """
    documents = RedisReader(settings.redis_url, breaker=_breaker())
    watcher = Watcher(documents, watches_max=settings.live_clients_max, stopping=stopping)
    index = GuardedSearch(search_reader(settings), _breaker())
    stores = Stores(settings, documents, index, watcher, BestsellerWindows(documents))
    stores.watcher.show("product", partial(in_main_market, stores))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await watcher.close()
        await documents.close()
        await stores.index.close()

    app = new_api("Daybook queries", DESCRIPTION, lifespan)
    app.state.stores = stores
    app.state.ready_position = ready_position
    for context in (
        catalog,
        price_history,
        terms,
        addresses,
        bestsellers,
        also_bought,
        visits,
        cart,
        orders,
        inventory,
        coupons,
        credit,
        dashboards,
        dashboard_hours,
        customer_value,
        live,
        health,
    ):
        app.include_router(context.router, dependencies=[Depends(refuse_unknown_parameters)])
    app.include_router(health_router, dependencies=[Depends(refuse_unknown_parameters)])
    _answer_errors(app)
    install_openapi(app, partial(finish_document, is_open=not settings.operator_token))
    traced = partial(Tracing, measure=_measure, access_log=settings.access_log, logger=log_lines)
    app.add_middleware(traced)
    app.middleware_stack = FirstRoutes(app, [ProductPageRoute()], traced)
    if settings.stale_seconds:
        app.middleware_stack = StaleAnswers(app.middleware_stack, seconds_max=settings.stale_seconds)
    return app


def _breaker() -> CircuitBreaker:
    """Of a store nearby: it is asked again soon."""
    return CircuitBreaker(failures_max=3, pause_seconds=0.5)


@cache
def _metrics(route: str | None, status: int) -> tuple[Counter, Histogram]:
    name = route or "unmatched"
    return REQUESTS.labels(name, str(status)), SECONDS.labels(name)


def _measure(method: str, route: str | None, status: int, seconds: float) -> None:
    count, duration = _metrics(route, status)
    count.inc()
    duration.observe(seconds)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def _problem(request: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [
            {"field": cut(".".join(str(part) for part in one["loc"][1:])), "message": cut(message_of(one))}
            for one in error.errors()
        ]
        return problem(INVALID_REQUEST, sentence(faults), field=faults[0]["field"], errors=faults)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            return problem(METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        known = {404: NOT_FOUND}
        return problem(known.get(error.status_code, INTERNAL_ERROR), headers=error.headers)

    @app.exception_handler(ViewNotReady)
    async def _not_ready(request: Request, error: ViewNotReady) -> Response:
        return problem(VIEW_NOT_READY, view=error.view)

    @app.exception_handler(msgspec.DecodeError)
    async def _damaged(request: Request, error: msgspec.DecodeError) -> Response:
        log_lines.error("document_damaged", reason=str(error), trace_id=request.state.trace_id)
        return problem(STORE_UNAVAILABLE)

    @app.exception_handler(ReadStoreUnavailable)
    async def _away(request: Request, error: ReadStoreUnavailable) -> Response:
        log_lines.warning("read_store_unavailable", reason=str(error), trace_id=request.state.trace_id)
        return problem(STORE_UNAVAILABLE)
