"""An application of no shop, on the shop's own server: `python -m tests.edge.served …`."""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
import time

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from deploy.edge.serving import server_of


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
    await asyncio.sleep(float(scope["path"].strip("/") or 0))
    await PlainTextResponse(body)(scope, receive, send)


def main(descriptor: str, files: str, grace_seconds: str, stop_seconds: str) -> None:
    """On an inherited listening socket."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
    server = server_of(app, host="127.0.0.1", port=0, methods=["GET"])
    server.config.timeout_graceful_shutdown = int(grace_seconds)
    server.stop_seconds_max = int(stop_seconds)
    server.run([socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
