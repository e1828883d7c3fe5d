"""One attempt: a POST to an endpoint, within its time, to an address that was looked at, and no further."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import httpcore
from pydantic_core import Url

from commands.webhooks.addresses import AddressRefused, Reach, Resolve, resolve

CONNECT_SECONDS = 5.0
RESPONSE_BYTES_READ = 64 * 1024
"""What is read of a response, so that its connection can be used again; one with more is cut off."""
RESPONSE_CHARACTERS_KEPT = 500
IDLE_SECONDS = 20.0
"""How long a connection waits for the next event."""


class Response(NamedTuple):
    """What came of an attempt. `outcome`: delivered, gone, redirect, status, timeout, unreachable,
    tls_failed or address_refused. `status` is None without a response."""

    outcome: str
    status: int | None
    detail: str


class Caller:
    """Calls one endpoint, over connections that no other endpoint shares."""

    def __init__(
        self,
        url: str,
        reach: Reach,
        *,
        call_seconds: float,
        connections_max: int,
        tls: ssl.SSLContext,
        resolve: Resolve = resolve,
    ) -> None:
        parsed = Url(url)
        host = parsed.host or ""
        target = parsed.path or "/"
        target += f"?{parsed.query}" if parsed.query is not None else ""
        default = {"https": 443, "http": 80}[parsed.scheme]
        self._host_header = host if parsed.port == default else f"{host}:{parsed.port}"
        self._url = httpcore.URL(
            scheme=parsed.scheme.encode(),
            host=host.strip("[]").encode(),
            port=parsed.port,
            target=target.encode(),
        )
        self._call_seconds = call_seconds
        backend = _CheckedBackend(reach, resolve, encrypted=parsed.scheme == "https")
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections_max,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=backend,
        )

    async def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Never raises, and never takes longer than its time. A redirect is not followed."""
        heads: list[Response] = []  # Once there is one, nothing that its body does can undo it.
        try:
            async with asyncio.timeout(self._call_seconds):
                return await self._post({"Host": self._host_header, **headers}, body, heads)
        except (TimeoutError, httpcore.TimeoutException):
            failed = Response("timeout", None, f"no response within {self._call_seconds:g} s")
        except AddressRefused as refused:
            failed = Response("address_refused", None, str(refused))
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            failed = _unreachable(error)
        return heads[0] if heads else failed

    async def aclose(self) -> None:
        """Ends its connections."""
        await self._pool.aclose()

    async def _post(self, headers: Mapping[str, str], body: bytes, heads: list[Response]) -> Response:
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        limits = {"connect": CONNECT_SECONDS, "pool": self._call_seconds}
        begins = bytearray()
        async with self._pool.stream(
            "POST", self._url, headers=named, content=body, extensions={"timeout": limits}
        ) as response:
            status: int = response.status
            heads.append(Response(_outcome(status), status, ""))
            async for piece in response.aiter_stream():
                begins += piece
                if len(begins) > RESPONSE_BYTES_READ:
                    break
        detail = "" if status < 300 else _readable(bytes(begins[: 4 * RESPONSE_CHARACTERS_KEPT]))
        return heads[0]._replace(detail=detail)


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked at, by their number, so that no later answer of a name server
    counts; the host's name stays in TLS and in the request."""

    def __init__(self, reach: Reach, resolve: Resolve, *, encrypted: bool) -> None:
        self._reach = reach
        self._resolve = resolve
        self._encrypted = encrypted
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """To the first of the host's addresses that takes it. Raises AddressRefused."""
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise OSError(f"the name {host} does not resolve") from error
        if not addresses:
            raise OSError(f"the name {host} has no address")
        self._reach.check_resolved(host, addresses, encrypted=self._encrypted)
        for place, address in enumerate(addresses, start=1):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(addresses):
                    raise
        raise AssertionError("unreachable")

    async def sleep(self, seconds: float) -> None:
        """As the library asks."""
        await self._backend.sleep(seconds)


def _outcome(status: int) -> str:
    if 200 <= status < 300:
        return "delivered"
    if status == 410:
        return "gone"
    return "redirect" if 300 <= status < 400 else "status"


def _unreachable(error: Exception) -> Response:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Response("tls_failed", None, _readable(str(cause).encode()))
        cause = cause.__cause__ or cause.__context__
    return Response("unreachable", None, _readable((str(error) or type(error).__name__).encode()))


def _readable(text: bytes) -> str:
    """How a text of somebody else's begins, without what cannot be seen."""
    decoded = text.decode(errors="replace")
    seen = "".join(one if one.isprintable() else " " for one in decoded)
    return " ".join(seen.split())[:RESPONSE_CHARACTERS_KEPT]
