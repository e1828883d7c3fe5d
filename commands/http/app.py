"""The command API's application: routes, errors, health and metrics around one handling loop."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from aggregates.kernel import Rejected
from commands.gateways.gateway import Gateway
from commands.gift_codes import GiftCodes
from commands.handlers.cancel_order import OrderSecretRequired
from commands.http import (
    cart,
    catalog,
    coupons,
    credit,
    customers,
    health,
    inventory,
    orders,
    owed,
    payments,
    terms,
    visits,
    webhooks,
)
from commands.http.direct_routes import DIRECT_ROUTES
from commands.http.guesses import Guesses, Tries
from commands.http.json_bodies import InvalidBody
from commands.http.problems import (
    BUSY,
    KEY_BUSY,
    KEY_REUSED,
    MALFORMED_JSON,
    STORE_UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    reason_response,
)
from commands.http.validation_errors import invalid_request
from commands.loop.decision import BusyError, KeyBusyError, KeyReusedError
from commands.loop.handling import Handling
from commands.processes.manager import ProcessManagers
from commands.providers.choose import Providers
from commands.settings import Settings
from commands.webhooks.choose import choose_sending
from deploy.edge.api import health_router, new_api
from deploy.edge.first import FirstRoutes
from deploy.edge.openapi import (
    Document,
    add_examples,
    install_openapi,
    open_to_everybody,
    read_examples,
)
from deploy.edge.problems import (
    INTERNAL_ERROR,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    RETRY_SOON,
    ProblemError,
    ProblemType,
    problem,
)
from deploy.edge.requests import order_secret_required
from deploy.edge.tracing import Tracing
from event_store.errors import StoreUnavailable
from event_store.records import EventLog

REQUESTS = Histogram(
    "daybook_request_seconds",
    "Requests of the command API",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

log_lines = structlog.get_logger("commands.http")

EXAMPLES = Path(__file__).with_name("examples.json")

DESCRIPTION = """The writing side of Daybook: commands in, events out.

Every answer names the `position` its events have in the log; send it to the query API as
`Daybook-Min-Position` to read what you wrote. POSTs take an `Idempotency-Key`: a retry with the same key is
answered as the first time. Errors are `application/problem+json` with a stable `type`."""


def build_command_app(
    settings: Settings,
    handling: Handling,
    log: EventLog,
    gateway: Gateway,
    *,
    processes: ProcessManagers | None = None,
    providers: Providers | None = None,
    running: AbstractAsyncContextManager[Any] | None = None,
) -> FastAPI:
    """The application over a handling loop, ready while that and the process managers live; `running` is
    entered while it serves. `providers`: whom routes on carts may ask."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if running is None:
            yield
            return
        async with running:
            yield

    app = new_api("Daybook commands", DESCRIPTION, lifespan)
    app.state.settings = settings
    app.state.handling = handling
    app.state.processes = processes
    app.state.log = log
    app.state.gateway = gateway
    app.state.providers = providers or Providers()
    app.state.secret = log.installation_secret()
    app.state.gift_codes = GiftCodes(app.state.secret)
    app.state.guesses = Guesses(settings.wrong_codes_per_minute)
    app.state.sending = choose_sending(settings)
    app.state.vat_checks = Tries(settings.vat_checks_per_minute)
    sold = (catalog, inventory, visits, cart, orders, payments, owed)
    for context in (*sold, terms, coupons, credit, customers, webhooks, health):
        app.include_router(context.router)
    app.include_router(health_router)
    for error, answer in _ANSWERS.items():
        app.add_exception_handler(error, answer)
    traced = partial(Tracing, measure=_measure, access_log=settings.access_log, logger=log_lines)
    app.add_middleware(traced)
    app.middleware_stack = FirstRoutes(app, DIRECT_ROUTES, traced)
    install_openapi(app, partial(_finish, is_open=not settings.operator_token))
    return app


def _finish(document: Document, *, is_open: bool) -> None:
    add_examples(document, read_examples(EXAMPLES))
    if is_open:
        open_to_everybody(document)


def _measure(method: str, route: str | None, status: int, seconds: float) -> None:
    REQUESTS.labels(method, route or "unknown", status).observe(seconds)


async def _rejected(request: Request, error: Rejected) -> Response:
    if isinstance(error.reason, OrderSecretRequired):
        return order_secret_required().response()
    return reason_response(error.reason)


async def _problem(request: Request, error: ProblemError) -> Response:
    return error.response()


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    found = error.errors()
    if any(one["loc"] == ("body",) for one in found) and not _is_json(request):
        return problem(UNSUPPORTED_MEDIA_TYPE)
    if any(one["type"] == "json_invalid" for one in found):
        return problem(MALFORMED_JSON)
    return invalid_request(found)


async def _invalid_body(request: Request, error: InvalidBody) -> Response:
    return invalid_request(error.faults)


def _is_json(request: Request) -> bool:
    """Whether the body is announced as JSON; a request without a body need not announce one."""
    return "json" in request.headers.get("content-type", "json" if not _has_body(request) else "")


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0"


async def _http(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        return problem(METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(_methods(request))})
    known = {404: NOT_FOUND, 400: MALFORMED_JSON}
    return problem(known.get(error.status_code, INTERNAL_ERROR), headers=error.headers)


def _methods(request: Request) -> list[str]:
    """Every method that the path takes, whichever route takes it; HEAD wherever GET is."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    methods = {
        method.upper()
        for path, operations in paths.items()
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", path), request.url.path)
        for method in operations
    }
    # What the document leaves out are pages: itself, /docs and its parts.
    return sorted(methods | {"HEAD"} if "GET" in methods else methods or {"GET", "HEAD"})


def _always(kind: ProblemType, **headers: str) -> Callable[[Request, Any], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return problem(kind, headers=headers)

    return answer


_ANSWERS: dict[Any, Any] = {
    Rejected: _rejected,
    ProblemError: _problem,
    RequestValidationError: _invalid,
    InvalidBody: _invalid_body,
    JSONDecodeError: _always(MALFORMED_JSON),
    HTTPException: _http,
    StoreUnavailable: _always(STORE_UNAVAILABLE),
    KeyReusedError: _always(KEY_REUSED),
    KeyBusyError: _always(KEY_BUSY, **RETRY_SOON),
    BusyError: _always(BUSY),
}
