"""The middleware that both servers, commands and queries, have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from deploy.edge.addresses import Addresses
from deploy.edge.bodies import Bodies
from deploy.edge.origins import Origins
from deploy.edge.problems import STOPPING, problem
from deploy.edge.settings import EdgeSettings
from deploy.edge.tracing import refuse


def behind_the_edge(
    app: ASGIApp,
    settings: EdgeSettings,
    *,
    methods: Sequence[str],
    limited: Callable[[ASGIApp], ASGIApp] | None = None,
) -> ASGIApp:
    """The application as it is served; `methods` are those that pages of other origins may use, `limited`
    puts limits on clients around what works for them."""
    inner: ASGIApp = Bodies(app)
    if limited is not None:
        inner = limited(inner)
    edge = Origins(AnswerWhenStopping(HeadRequests(Addresses(inner))), settings, methods=methods)
    if not (proxies := settings.proxies):
        return edge
    return cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", edge), proxies))


class HeadRequests:
    """HEAD wherever GET is: the same answer, which ends with its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] != "http.response.start":
                return
            await send(message)
            # Now, not with the body's end: an event stream has none.
            await send({"type": "http.response.body"})

        await self._app({**scope, "method": "GET"}, receive, send_head)


class AnswerWhenStopping:
    """Answers 503 to requests that the server cancels when it stops."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if begun:
                raise
            await refuse(problem(STOPPING), scope, receive, send)
