"""The projector's HTTP endpoints for monitoring: `/health/live`, `/health/ready` and `/metrics`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import msgspec
from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from projections.documents.stops import Stop

WhyNot = Callable[[], str | None]
"""Why the projector is not ready; None where it is."""

Stops = Callable[[], list[Stop]]
"""The views that have stopped before an event: with any, the projector is ready and degraded."""


def serve_health(host: str, port: int, why_not_ready: WhyNot, stops: Stops) -> int:
    """Serves from a thread of its own, as long as the process lives. Gives the port, where 0 asks for any."""
    metrics = make_wsgi_app()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/health/live":
                return _answer(start_response, "200 OK", {"status": "live"})
            case "/health/ready":
                reason = why_not_ready()
                if reason is None:
                    return _answer(start_response, "200 OK", _ready(stops()))
                body = {"type": "/problems/not-ready", "title": "Not ready", "status": 503, "detail": reason}
                return _answer(start_response, "503 Service Unavailable", body)
            case "/metrics":
                answer: Iterable[bytes] = metrics(environ, start_response)
                return answer
        body = {"type": "/problems/not-found", "title": "Not found", "status": 404, "detail": "Not found"}
        return _answer(start_response, "404 Not Found", body)

    server = make_server(host, port, application, ThreadingWSGIServer, _QuietHandler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return int(server.server_port)


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Logs nothing: probes come every few seconds."""


def _ready(stops: list[Stop]) -> dict[str, Any]:
    if not stops:
        return {"status": "ready"}
    return {"status": "degraded", "stopped": msgspec.to_builtins(stops)}


def _answer(start_response: Any, status: str, body: dict[str, Any]) -> list[bytes]:
    kind = "application/json" if status.startswith("200") else "application/problem+json"
    start_response(status, [("Content-Type", kind)])
    return [json.dumps(body).encode()]
