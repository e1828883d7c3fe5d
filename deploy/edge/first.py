"""Routes that come before the framework's middleware."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import FastAPI
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send


class FirstRoutes:
    """Serves what one of `routes` takes, with the application's exception handlers; the application does the
    rest.

    For routes that are requested more often than all others together, or are to be answered at once. The
    application documents each by a route of its own. To be set as its `middleware_stack`, once it has all its
    exception handlers.
    """

    def __init__(
        self, app: FastAPI, routes: Sequence[BaseRoute], traced: Callable[[ASGIApp], ASGIApp]
    ) -> None:
        self._routes = [
            (route, traced(ExceptionMiddleware(route.handle, app.exception_handlers))) for route in routes
        ]
        self._others = app.build_middleware_stack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's life."""
        if scope["type"] == "http":
            for route, handle in self._routes:
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found)
                    scope["route"] = route  # for its measurement
                    await handle(scope, receive, send)
                    return
        await self._others(scope, receive, send)
