"""The listening sockets: opened by the supervisor and handed to the processes that serve them.

So that a port in use is known before anything is started, several processes share one port, and a request
that comes while a process is being started again waits instead of being refused.
"""

from __future__ import annotations

import errno
import ipaddress
import socket

from deploy.local.errors import CannotRun, PortInUse


def listen(host: str, port: int, *, setting: str) -> socket.socket:
    """`setting` is the variable that moves the port, named when it is taken. Port 0 takes a free one."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port} on {host} is in use: stop its user, or set {setting}") from error
        raise CannotRun(f"cannot listen on {host}, port {port}: {_reason(error)}") from error
    except OverflowError as error:
        raise CannotRun(f"{setting}={port} is no port") from error


def reserved_port() -> int:
    """A port that the system gives to nobody else while this process lives: a socket of ours is bound to it,
    and does not listen, so that the server still can."""
    with socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ours.bind(("127.0.0.1", 0))
        port: int = ours.getsockname()[1]
        ours.detach()
    return port


def _reason(error: OSError) -> str:
    # The standard library adds "(while attempting to bind on address …)", which the message has already.
    return (error.strerror or str(error)).partition(" (while")[0]


def require_token_beyond_loopback(host: str, operator_token: str | None) -> None:
    """Without a token every operator route is open, so only this machine may reach it."""
    if operator_token:
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise CannotRun(f"DAYBOOK_HOST={host} is not this machine alone: set DAYBOOK_OPERATOR_TOKEN, too")


def root_url(listening: socket.socket) -> str:
    """The address under which this machine itself reaches it."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if listening.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
