"""One call of Stripe: in its turn, within its time, answered by plain data or one of the port's errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx
import stripe
import structlog
from stripe import StripeClient, _util

from commands.gateways.gateway import GatewayError, GatewayUnavailable, GatewayUnclear
from commands.gateways.stripe.errors import declined_intent, gateway_error, request_id_of
from commands.gateways.stripe_events import API_VERSION

CONNECT_SECONDS = 2.0
READ_SECONDS = 8.0
"""Between two pieces of an answer."""
CALL_SECONDS = CONNECT_SECONDS + READ_SECONDS
"""For all of a call: an answer may come in many pieces."""
DOWNLOAD_SECONDS = 600.0
FILES = "https://files.stripe.com"
"""Where Stripe's files are."""
CALLS_PER_SECOND = 20
"""Stripe takes 25 a second for each endpoint of its API."""
CALLS_AT_ONCE = 5
QUEUE_SECONDS = 1.5
"""Who would wait longer for a turn is sent away: the callers' own patience ends at 12 seconds."""

log_lines = structlog.get_logger("commands.gateways.stripe")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer's object as Stripe wrote it, secrets and all; `repr` shows nothing of it."""

    body: Mapping[str, Any] = field(repr=False)
    request_id: str | None


class Calls:
    """The client, and the rules for calling it."""

    def __init__(self, secret_key: str, *, api_base: str, call_seconds: float = CALL_SECONDS) -> None:
        _silence()
        self._http = _HttpClient()
        self.client = StripeClient(
            secret_key,
            # What is read here is this version's, whichever the library was made for.
            stripe_version=API_VERSION,
            base_addresses={"api": api_base.rstrip("/")},
            http_client=self._http,
            max_network_retries=0,  # the processes try again, with pauses of their own
        )
        self._secret_key = secret_key
        self._file_origins = {urlsplit(FILES)[:2], urlsplit(api_base)[:2]}
        self._call_seconds = call_seconds
        self._turns = Turns()
        self._closed = False

    async def call(
        self,
        endpoint: str,
        request: Callable[[], Awaitable[stripe.StripeObject]],
        *,
        declines: bool = False,
    ) -> Reply:
        """Makes the call. `declines`: a card's refusal is answered with the intent that it befell.

        Raises GatewayUnavailable, GatewayUnclear or GatewayRefusal.
        """
        if (wait := self._turns.take(endpoint)) > 0:
            await asyncio.sleep(wait)
        if self._closed:
            raise GatewayUnavailable("closed")
        failure: GatewayError
        try:
            async with asyncio.timeout(self._call_seconds):
                answered = await request()
                return Reply(answered.to_dict(), request_id_of(_headers(answered)))
        except TimeoutError:
            failure = GatewayUnclear("no_answer")
        except stripe.StripeError as error:
            if declines and (intent := declined_intent(error)) is not None:
                return Reply(intent, request_id_of(error.headers))
            failure = gateway_error(error)
        except (TypeError, ValueError, LookupError, AttributeError, RuntimeError, OSError):
            # The library trusts an answer's shape; what is none of Stripe's breaks it.
            failure = GatewayUnclear("unreadable_answer")
        # Outside of the handlers: as a context the library's exception would carry secrets on.
        raise failure

    async def download(self, url: str, to: BinaryIO) -> None:
        """Writes the contents of a file of Stripe's. Raises GatewayUnavailable, also where it broke off."""
        if urlsplit(url)[:2] not in self._file_origins:  # The key is shown to nobody else.
            raise GatewayUnavailable("file_elsewhere")
        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                code = await self._http.download(url, self._secret_key, to)
        except (TimeoutError, httpx.HTTPError, RuntimeError):
            code = 0
        if code != 200:
            raise GatewayUnavailable(f"file_status_{code}" if code else "file_broken_off")

    async def aclose(self) -> None:
        """Ends the calls under way, whose outcome is unclear then."""
        self._closed = True
        await self._http.close_async()


class Turns:
    """A token bucket for each endpoint."""

    def __init__(self, *, per_second: float = CALLS_PER_SECOND, at_once: int = CALLS_AT_ONCE) -> None:
        self._pause = 1 / per_second
        self._slack = (at_once - 1) * self._pause
        self._next: dict[str, float] = {}

    def take(self, endpoint: str) -> float:
        """The seconds until the caller's turn. GatewayUnavailable where too many wait before."""
        now = asyncio.get_running_loop().time()
        turn = max(self._next.get(endpoint, 0.0), now - self._slack)
        if turn - now > QUEUE_SECONDS:
            raise GatewayUnavailable("too_many_calls")
        self._next[endpoint] = turn + self._pause
        return max(0.0, turn - now)


class _HttpClient(stripe.HTTPClient):
    """The library's own client over httpx hands it a body in a way that httpx has deprecated.

    Notices are taken off the answers: the library would turn them into warnings in the place of an answer.
    """

    name = "httpx"

    def __init__(self) -> None:
        super().__init__()
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS))

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            response = await self._client.request(method, url, headers=headers, content=post_data or b"")
        except httpx.HTTPError as error:
            failure: Any = stripe.APIConnectionError  # without types
            raise failure(type(error).__name__) from error
        if response.headers.pop("stripe-notice", None) is not None:
            log_lines.warning("stripe_notice", request_id=request_id_of(response.headers))
        return response.content, response.status_code, response.headers

    async def download(self, url: str, secret_key: str, to: BinaryIO) -> int:
        """The response's status; only of one that is 200 the body is written."""
        headers = {"Authorization": f"Bearer {secret_key}"}
        async with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code == 200:
                async for piece in response.aiter_bytes():
                    to.write(piece)
        return response.status_code

    async def close_async(self) -> None:
        await self._client.aclose()


def _headers(answered: stripe.StripeObject) -> Mapping[str, str] | None:
    response = answered.last_response
    return None if response is None else response.headers


def _silence() -> None:
    """At its finer levels the library logs whole answers; its telemetry leaves a file and reports on us."""
    stripe.enable_telemetry = False
    stripe.log = None
    _util.STRIPE_LOG = None  # the environment's STRIPE_LOG=debug prints answers, past every logger
    logging.getLogger("stripe").setLevel(logging.WARNING)
