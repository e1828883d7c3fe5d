"""An application of no shop, on the shop's own server: `python -m tests.edge.served …`."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
import time

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from deploy.edge import protocol
from deploy.edge.serving import server_of

LARGE_BYTES = 50_000_000


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers after as many seconds as the path says, with what was sent."""
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = await Request(scope, receive).body()
    if scope["path"] == "/never":
        time.sleep(600)
    if scope["path"] == "/large":
        await PlainTextResponse(b"a" * LARGE_BYTES)(scope, receive, send)
        return
    await asyncio.sleep(float(scope["path"].strip("/") or 0))
    await PlainTextResponse(body)(scope, receive, send)


def main(descriptor: str, settings: str) -> None:
    """On an inherited listening socket, within the limits in `settings`, as JSON."""
    limits: dict[str, int] = json.loads(settings)
    files = limits["files"]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    protocol.UNREAD_SECONDS_MAX = limits["unread_seconds"]
    server = server_of(app, host="127.0.0.1", port=0, methods=["GET"])
    server.config.timeout_graceful_shutdown = limits["grace_seconds"]
    server.stop_seconds_max = limits["stop_seconds"]
    server.run([socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
