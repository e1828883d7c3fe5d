"""The sandbox gateway, called in the ways in which calls go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from commands.gateways.gateway import Gateway, GatewayRefusal, GatewayTimeout, GatewayUnavailable


class WatchedGateway:
    """The real gateway; what becomes of a call is for `call` to say."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda **arguments: self.call(
            name, lambda: getattr(self._gateway, name)(**arguments), arguments["key"]
        )

    def call(self, name: str, do: Callable[[], Any], key: str) -> Any:
        """Has it done, or not."""
        return do()


class DyingGateway(WatchedGateway):
    """Until the call `at`: there the process loses it, before or after it is done."""

    def __init__(self, gateway: Gateway, *, at: str, done: bool) -> None:
        super().__init__(gateway)
        self._at = at
        self._done = done
        self.dead = threading.Event()

    def call(self, name: str, do: Callable[[], Any], key: str) -> Any:
        if name != self._at:
            return do()
        if self._done:
            do()
        self.dead.set()
        raise GatewayTimeout("the process dies here")


class AwayGateway(WatchedGateway):
    """After `times` calls in vain, of which every other one was done all the same."""

    def __init__(self, gateway: Gateway, times: int) -> None:
        super().__init__(gateway)
        self.left = times

    def call(self, name: str, do: Callable[[], Any], key: str) -> Any:
        if self.left == 0:
            return do()
        self.left -= 1
        if self.left % 2:
            raise GatewayUnavailable("connection refused")
        do()
        raise GatewayTimeout("no answer")


class RefusingGateway(WatchedGateway):
    """It will never do the call `refusing`."""

    def __init__(self, gateway: Gateway, *, refusing: str) -> None:
        super().__init__(gateway)
        self.refusing: str | None = refusing

    def call(self, name: str, do: Callable[[], Any], key: str) -> Any:
        if name == self.refusing:
            raise GatewayRefusal("not_possible")
        return do()


class CountedGateway(WatchedGateway):
    """The key of every call is noted."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.keys: list[str] = []

    def call(self, name: str, do: Callable[[], Any], key: str) -> Any:
        self.keys.append(key)
        return do()
