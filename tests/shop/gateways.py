"""The sandbox gateway, called in the ways in which calls go wrong."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

from commands.gateways.gateway import (
    Gateway,
    GatewayRefusal,
    GatewayUnavailable,
    GatewayUnclear,
    Response,
)

Do = Callable[[], Awaitable[Response]]
MOVING = frozenset({"authorize", "capture", "void", "refund"})


class WatchedGateway:
    """The real gateway; what becomes of a call that moves money is for `call` to say."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._gateway, name)
        if name not in MOVING:
            return real
        return lambda **arguments: self.call(name, lambda: real(**arguments), arguments["key"])

    async def call(self, name: str, do: Do, key: str) -> Response:
        """Has it done, or not."""
        return await do()


class DyingGateway(WatchedGateway):
    """Until the call `at`: there the process loses it, before or after it is done."""

    def __init__(self, gateway: Gateway, *, at: str, done: bool) -> None:
        super().__init__(gateway)
        self._at = at
        self._done = done
        self.dead = threading.Event()

    async def call(self, name: str, do: Do, key: str) -> Response:
        if name != self._at:
            return await do()
        if self._done:
            await do()
        self.dead.set()
        raise GatewayUnclear("the process dies here")


class AwayGateway(WatchedGateway):
    """After `times` calls in vain, of which every other one was done all the same."""

    def __init__(self, gateway: Gateway, times: int) -> None:
        super().__init__(gateway)
        self.left = times

    async def call(self, name: str, do: Do, key: str) -> Response:
        if self.left == 0:
            return await do()
        self.left -= 1
        if self.left % 2:
            raise GatewayUnavailable("connection refused")
        await do()
        raise GatewayUnclear("no answer")


class RefusingGateway(WatchedGateway):
    """It will never do the call `refusing`."""

    def __init__(self, gateway: Gateway, *, refusing: str) -> None:
        super().__init__(gateway)
        self.refusing: str | None = refusing

    async def call(self, name: str, do: Do, key: str) -> Response:
        if name == self.refusing:
            raise GatewayRefusal("not_possible")
        return await do()


class CountedGateway(WatchedGateway):
    """The key of every call is noted."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.keys: list[str] = []

    async def call(self, name: str, do: Do, key: str) -> Response:
        self.keys.append(key)
        return await do()
