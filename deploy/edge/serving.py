"""Serving an application: uvicorn with the protocol of the edge, on sockets handed over or its own."""

from __future__ import annotations

import gc
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType

import structlog
import uvicorn
from starlette.types import ASGIApp

from deploy.edge.middleware import behind_the_edge
from deploy.edge.protocol import EdgeProtocol, EdgeState
from deploy.edge.settings import EdgeSettings

IDLE_SECONDS_MAX = 75
"""How long a connection may stay open between two requests: longer than proxies before us keep theirs."""
GRACE_SECONDS = 8
"""How long requests under way may take to finish once the server stops."""
STOP_SECONDS_MAX = 12
"""After so long it ends by force: what is not written yet was not answered. The supervisor waits longer."""
COLLECT_AFTER = 10_000
"""More objects than before until the garbage collector runs: requests under way have more than Python's 700,
and have no cycles. To go through them again and again was 7 % of adding to a cart; 10,000 take 1 ms."""

log_lines = structlog.get_logger("serving")


class Server(uvicorn.Server):
    """Stops in time, whatever its application waits for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state: EdgeState = EdgeState()
        self.stop_seconds_max = STOP_SECONDS_MAX

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to serve, with all that was loaded until then out of the garbage collector's sight: to go
        through it takes 60 ms, and a process under load would do so several times a second."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER, 10, 10)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts nobody any more and answers who was."""
        self.server_state.stopping = True
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The signal to stop; a second one changes nothing. Once stopped, its process goes on: to say by its
        exit code how it ended."""
        if not self.should_exit:
            self.should_exit = True
            signal.alarm(self.stop_seconds_max)  # By the kernel: no loop and no lock of ours can hold it up.


def server_of(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    methods: Sequence[str],
    limited: Callable[[ASGIApp], ASGIApp] | None = None,
) -> Server:
    """A server of the application, to be run with `run` or `serve`: on the listening sockets that these are
    given, else on host and port. `methods` and `limited`: see `behind_the_edge`."""
    config = uvicorn.Config(
        behind_the_edge(app, EdgeSettings(), methods=methods, limited=limited),
        host=host,
        port=port,
        loop="uvloop",
        http=EdgeProtocol,
        ws="none",
        interface="asgi3",
        access_log=False,  # our own log lines bear the trace id
        log_config=None,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS_MAX,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config)


def raise_descriptors() -> None:
    """As many open files and connections as this process may have at all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS calls its hard limit infinite, and takes less.
        log_lines.warning("descriptors_not_raised", limit=soft)
