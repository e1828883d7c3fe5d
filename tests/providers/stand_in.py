"""A provider over real HTTP that answers by a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import SecretStr

from commands.providers.calls import ProviderCalls
from deploy.edge.circuit_breaker import CircuitBreaker

SECRET = "s3cret"
Reply = dict[str, Any] | bytes | int
"""JSON, raw bytes, or a status."""


@dataclass
class StandIn:
    """`answer` makes each reply of a request; `requests` are those that came, `headers` of the last."""

    answer: Callable[[dict[str, Any]], Reply]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def calls(self, port: str = "tax", seconds: float = 20.0, **breaker: Any) -> ProviderCalls:
        """Calls of it, patient by default: the machine may be busy."""
        return ProviderCalls(
            port,
            self.url,
            secret=SecretStr(SECRET),
            call_seconds=seconds,
            breaker=CircuitBreaker(**breaker),
        )


@contextmanager
def stand_in(answer: Callable[[dict[str, Any]], Reply]) -> Iterator[StandIn]:
    """One that listens while the context is entered."""
    script = StandIn(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            script.requests.append(request)
            script.headers = dict(self.headers.items())
            reply = script.answer(request)
            content = b"" if isinstance(reply, int) else reply
            if isinstance(content, dict):
                content = json.dumps(content).encode()
            try:
                self.send_response(reply if isinstance(reply, int) else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                self.close_connection = True  # the client has gone

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
