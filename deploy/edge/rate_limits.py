"""How much one client may ask for: every route has a cost, every client a budget, which fills up evenly.

Budgets lie in a store that all processes of both APIs share. A process draws a part of one at a time and
spends it without asking: a client of several processes may be refused while others of them still hold a part.
While the store is away each process counts for itself.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.edge.problems import RATE_LIMITED, problem
from deploy.edge.requests import client_of, is_operator
from deploy.edge.tracing import refuse

WINDOW_SECONDS = 60
_PART = 20
"""A draw takes so many-th of the budget, if it is there."""
_CLIENTS_MAX = 20_000
"""Remembered by one process; the one not seen for longest is forgotten, with what it had drawn."""
_AWAY_SECONDS = 1.0

log_lines = structlog.get_logger("rate_limits")


@dataclass(frozen=True)
class Costs:
    """What the requests of one API cost.

    `by_beginning`: by a path, or what begins a longer one; with a slash at its end, of those below it alone;
    of several the longest counts. `by_ending`: by what a path ends with, whatever it begins with. `free`:
    beginnings of paths that cost nothing. Others cost 1.
    """

    by_beginning: Mapping[str, int] = field(default_factory=dict)
    by_ending: Mapping[str, int] = field(default_factory=dict)
    free: Sequence[str] = ()

    def of(self, path: str) -> int:
        """What a request for this path costs."""
        if path.startswith(("/health/", "/metrics", *self.free)):
            return 0
        for part, cost in self.by_ending.items():
            if path.endswith(part):
                return cost
        while path:
            if (found := self.by_beginning.get(path)) is not None:
                return found
            path = path[:-1] if path.endswith("/") else path[: path.rfind("/") + 1]
        return 1


class Drawn(Protocol):
    """What a bucket gave."""

    @property
    def granted(self) -> int:
        """Tokens."""

    @property
    def left(self) -> int:
        """Tokens that the bucket still holds."""

    @property
    def seconds_until_more(self) -> float:
        """Until it holds as many as were needed."""


class Buckets(Protocol):
    """Token buckets, one for each client, which fill up evenly."""

    async def draw(self, key: str, *, needed: int, wanted: int) -> Drawn:
        """Up to `wanted` tokens, or none where fewer than `needed` are there."""

    async def close(self) -> None:
        """Gives back every connection."""


@dataclass(frozen=True, slots=True)
class _OwnDraw:
    granted: int
    left: int
    seconds_until_more: float


def whose_budget(scope: Scope, operator_token: str | None) -> str:
    """The operator's, or a client's."""
    if operator_token and is_operator(Request(scope).headers, operator_token):
        return "operator"
    return client_of(scope)


@dataclass(slots=True)
class _Budget:
    """What this process has drawn for a client, and what it knows of the rest."""

    drawn: int = 0
    left: int = 0
    until: float = 0.0  # monotonic: what is drawn is forgotten then
    refused_cost: int = 0
    refused_until: float = 0.0
    drawing: asyncio.Task[None] | None = None
    own: float | None = None  # tokens of this process's own bucket, for while Redis is away
    own_at: float = 0.0  # monotonic


class RateLimits:
    """The budgets, as one process spends them."""

    def __init__(
        self, buckets: Buckets | None, *, per_minute: int, away: type[Exception] = ConnectionError
    ) -> None:
        """`buckets` have a capacity of `per_minute` and raise `away` where their store is; None: this process
        counts for itself."""
        self.per_minute = per_minute
        self._buckets = buckets
        self._away = away
        self._budgets: OrderedDict[str, _Budget] = OrderedDict()
        self._away_until = 0.0

    def spend(self, client: str, cost: int) -> int | None:
        """What the client has left after this, or None: more must be drawn first."""
        budget = self._budgets.get(client)
        if budget is None or budget.drawn < cost or time.monotonic() > budget.until:
            return None
        budget.drawn -= cost
        return budget.left + budget.drawn

    async def draw(self, client: str, cost: int) -> float:
        """Makes `spend` possible: 0, or the seconds until it may be tried again."""
        budget = self._budgets.setdefault(client, _Budget())
        self._budgets.move_to_end(client)
        while len(self._budgets) > _CLIENTS_MAX:
            self._budgets.popitem(last=False)
        while budget.drawn < cost or time.monotonic() > budget.until:
            seconds = budget.refused_until - time.monotonic()
            if seconds > 0 and cost >= budget.refused_cost:
                return seconds
            if budget.drawing is None or budget.drawing.done():  # All who wait share one draw.
                budget.drawing = asyncio.create_task(self._draw(client, budget, cost))
            await asyncio.shield(budget.drawing)
        return 0.0

    async def close(self) -> None:
        """Gives back every connection."""
        if self._buckets is not None:
            await self._buckets.close()

    async def _draw(self, client: str, budget: _Budget, cost: int) -> None:
        now = time.monotonic()
        if now > budget.until:
            budget.drawn = 0
        needed = cost - budget.drawn
        drawn = await self._drawn(client, budget, needed)
        now = time.monotonic()
        budget.drawn += drawn.granted
        budget.left = drawn.left
        budget.until = now + WINDOW_SECONDS
        if drawn.granted < needed:
            budget.refused_cost = cost
            budget.refused_until = now + max(drawn.seconds_until_more, 0.001)

    async def _drawn(self, client: str, budget: _Budget, needed: int) -> Drawn:
        part = max(needed, self.per_minute // _PART)
        if self._buckets is not None and time.monotonic() >= self._away_until:
            try:
                return await self._buckets.draw(client, needed=needed, wanted=part)
            except self._away as error:
                log_lines.warning("rate_limits_away", reason=str(error))
                self._away_until = time.monotonic() + _AWAY_SECONDS
        return self._own(budget, needed)

    def _own(self, budget: _Budget, needed: int) -> Drawn:
        """Just what is needed, from the process's own bucket."""
        now, rate = time.monotonic(), self.per_minute / WINDOW_SECONDS
        tokens = self.per_minute if budget.own is None else budget.own + (now - budget.own_at) * rate
        budget.own, budget.own_at = min(tokens, self.per_minute), now
        if budget.own < needed:
            return _OwnDraw(0, int(budget.own), (needed - budget.own) / rate)
        budget.own -= needed
        return _OwnDraw(needed, int(budget.own), 0.0)


class RateLimited:
    """Refuses the requests of a client whose budget is spent, before anything else is done for them.

    Every other response has the headers of draft-ietf-httpapi-ratelimit-headers-10.
    """

    def __init__(self, app: ASGIApp, limits: RateLimits, costs: Costs, *, operator_token: str | None) -> None:
        """`limits` are closed when the application ends."""
        self._app = app
        self._limits = limits
        self._costs = costs
        self._operator_token = operator_token
        self._policy = f'"minute";q={limits.per_minute};w={WINDOW_SECONDS}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's life."""
        if scope["type"] != "http":
            await self._app(scope, receive, self._closing(send))
            return
        cost = min(self._costs.of(scope["path"]), self._limits.per_minute)
        if not cost:
            await self._app(scope, receive, send)
            return
        client = whose_budget(scope, self._operator_token)
        left = self._limits.spend(client, cost)
        while left is None:
            seconds = await self._limits.draw(client, cost)
            if seconds > 0:
                await self._refuse(seconds, scope, receive, send)
                return
            left = self._limits.spend(client, cost)
        headers = [
            (b"ratelimit-policy", self._policy.encode()),
            (b"ratelimit", self._standing(left).encode()),
        ]

        async def send_with_standing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self._app(scope, receive, send_with_standing)

    async def _refuse(self, seconds: float, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            "Retry-After": str(math.ceil(seconds)),
            "RateLimit-Policy": self._policy,
            "RateLimit": self._standing(0),
        }
        detail = f"{self._limits.per_minute} a minute are given; ask again in {math.ceil(seconds)} s."
        await refuse(problem(RATE_LIMITED, detail, headers=headers), scope, receive, send)

    def _closing(self, send: Send) -> Send:
        async def send_last(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self._limits.close()
            await send(message)

        return send_last

    def _standing(self, left: int) -> str:
        spent = self._limits.per_minute - left
        return f'"minute";r={max(left, 0)};t={math.ceil(spent * WINDOW_SECONDS / self._limits.per_minute)}'
