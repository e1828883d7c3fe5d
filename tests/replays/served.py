"""The event feed on a real server."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from deploy.edge.openapi import install_openapi, open_to_everybody
from event_store.selection import SelectiveReader
from replays.feed.broadcast import Broadcast
from replays.feed.http import events_router
from tests.shop.facts import CODEC
from tests.waiting import SECONDS_MAX

EVENTS = "/api/v1/events"


class Served:
    """The feed on a real server, in a thread of its own."""

    def __init__(self, log: SelectiveReader, *, listeners_max: int = 1_000, **options: Any) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        app = FastAPI()
        self.broadcast = Broadcast(log, listeners_max=listeners_max, stopping=lambda: self.server.should_exit)
        app.include_router(events_router(log, CODEC, self.broadcast, **options))
        if not options.get("operator_token"):
            install_openapi(app, open_to_everybody)
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, args=([listening],))

    def __enter__(self) -> Served:
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=SECONDS_MAX)
        assert not self.thread.is_alive(), "an open event stream kept the server from stopping"

    def get(self, query: str = "", **headers: str | bytes) -> httpx.Response:
        """A page."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"http://127.0.0.1:{self.port}{EVENTS}{query}", headers=given)  # type: ignore[arg-type]

    def stream(self, query: str = "", **headers: str) -> Any:
        """An open event stream."""
        return httpx.stream(
            "GET",
            f"http://127.0.0.1:{self.port}{EVENTS}{query}",
            headers={"Accept": "text/event-stream", **headers},
            timeout=SECONDS_MAX,
        )
