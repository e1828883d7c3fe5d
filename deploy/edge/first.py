"""A route that comes before the framework's middleware."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send


class FirstRoute:
    """Serves what `route` takes, with the application's exception handlers; the application does the rest.

    For a route that is requested more often than all others together. The application documents it by a route
    of its own. To be set as its `middleware_stack`, once it has all its exception handlers.
    """

    def __init__(self, app: FastAPI, route: BaseRoute, traced: Callable[[ASGIApp], ASGIApp]) -> None:
        self._route = route
        self._handle = traced(ExceptionMiddleware(route.handle, app.exception_handlers))
        self._others = app.build_middleware_stack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's life."""
        if scope["type"] == "http":
            match, found = self._route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                await self._handle(scope, receive, send)
                return
        await self._others(scope, receive, send)
