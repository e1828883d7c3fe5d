"""A call of an outside provider: JSON over HTTP, within its time, behind a circuit breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import msgspec
import structlog
from prometheus_client import Counter
from pydantic import SecretStr

from deploy.edge.circuit_breaker import CircuitBreaker

CALL_SECONDS = 2.0
"""For all of a call: an answer may come in many pieces."""
RESPONSE_BYTES_MAX = 1024 * 1024
CALLS = Counter("daybook_provider_calls_total", "Calls of outside providers", ["port", "outcome"])

log_lines = structlog.get_logger("commands.providers")

Found = TypeVar("Found")


class ProviderUnavailable(Exception):  # noqa: N818 - named for what the caller is told
    """No answer that counts. `why`: not_configured, circuit_open, timeout, unreachable, status_<code>, or
    invalid_response."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class InvalidResponse(Exception):  # noqa: N818
    """The response is not of the documented form, or contradicts what was asked."""


class ProviderCalls:
    """Calls to one address. `secret` goes along as a bearer token."""

    def __init__(
        self,
        port: str,
        url: str,
        *,
        secret: SecretStr | None = None,
        call_seconds: float = CALL_SECONDS,
        breaker: CircuitBreaker | None = None,
        trust_env: bool = False,
    ) -> None:
        self._port = port
        self._url = url
        self._call_seconds = call_seconds
        self._breaker = breaker or CircuitBreaker()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret.get_secret_value()}"
        self._client = httpx.AsyncClient(headers=headers, timeout=call_seconds, trust_env=trust_env)

    async def post(self, body: Any, read: Callable[[bytes], Found]) -> Found:
        """What `read` makes of the response; it raises InvalidResponse. Raises ProviderUnavailable."""
        if not self._breaker.lets_through():
            raise self._unavailable("circuit_open")
        try:
            async with asyncio.timeout(self._call_seconds):
                found = read(await self._response(msgspec.json.encode(body)))
        except ProviderUnavailable as error:
            self._breaker.failed()
            raise self._unavailable(error.why) from None
        except (TimeoutError, httpx.TimeoutException):
            self._breaker.failed()
            raise self._unavailable("timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            self._breaker.failed()
            raise self._unavailable("unreachable") from None
        except (InvalidResponse, msgspec.DecodeError) as error:
            self._breaker.failed()
            log_lines.warning("provider_response_invalid", port=self._port, fault=str(error))
            raise self._unavailable("invalid_response") from None
        self._breaker.succeeded()
        CALLS.labels(self._port, "answered").inc()
        return found

    async def aclose(self) -> None:
        """Ends its connections."""
        await self._client.aclose()

    async def _response(self, content: bytes) -> bytes:
        body = bytearray()
        async with self._client.stream("POST", self._url, content=content) as response:
            if response.status_code != 200:
                raise ProviderUnavailable(f"status_{response.status_code}")
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > RESPONSE_BYTES_MAX:
                    raise InvalidResponse(f"is longer than {RESPONSE_BYTES_MAX} bytes")
        return bytes(body)

    def _unavailable(self, why: str) -> ProviderUnavailable:
        CALLS.labels(self._port, why).inc()
        log_lines.warning("provider_unavailable", port=self._port, why=why)
        return ProviderUnavailable(why)
