"""How much one client may ask for: every route has a cost, every client a budget, which fills up evenly.

Budgets lie in Redis, for all query processes together. A process draws a part of one at a time and spends it
without asking: a client of several processes may be refused while others of them still hold a part.
While Redis is away each process counts for itself.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.edge.problems import problem
from deploy.edge.requests import client_of, is_operator
from projections.documents.errors import ReadStoreUnavailable
from projections.documents.redis_token_buckets import Drawn, RedisTokenBuckets
from read_api.problems import RATE_LIMITED

WINDOW_SECONDS = 60
_PART = 20
"""A draw takes so many-th of the budget, if it is there."""
_CLIENTS_MAX = 20_000
"""Remembered by one process; the one not seen for longest is forgotten, with what it had drawn."""
_TIMEOUT_SECONDS = 0.25
_AWAY_SECONDS = 1.0

COSTS = {
    "/api/v1/search": 5,
    "/api/v1/suggest": 2,
    "/api/v1/products": 2,
    "/api/v1/bestsellers": 3,
    "/api/v1/inventory": 2,
    "/api/v1/dashboards": 10,
    "/api/v1/customers": 5,
    "/api/v1/visits": 2,
    "/api/v1/events": 10,
}
"""By the path, or what begins a longer one; of several the longest."""
COST = 1
COSTS_OF_PARTS = {"/live": 5, "/also-bought": 3}
"""By what a path ends with, whatever it begins with."""
FREE = ("/health/", "/metrics")

log_lines = structlog.get_logger("read_api")


def cost_of(path: str) -> int:
    """What a request for this path costs."""
    if path.startswith(FREE):
        return 0
    for part, cost in COSTS_OF_PARTS.items():
        if path.endswith(part):
            return cost
    if path.startswith("/api/v1/products/"):
        return COST
    while path not in COSTS and path:
        path = path.rpartition("/")[0]
    return COSTS.get(path, COST)


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

    def __init__(self, redis_url: str, *, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets = RedisTokenBuckets(
            redis_url,
            prefix="rate",
            capacity=per_minute,
            seconds=WINDOW_SECONDS,
            timeout_seconds=_TIMEOUT_SECONDS,
        )
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
        if time.monotonic() >= self._away_until:
            try:
                return await self._buckets.draw(client, needed=needed, wanted=part)
            except ReadStoreUnavailable as error:
                log_lines.warning("rate_limits_away", reason=str(error))
                self._away_until = time.monotonic() + _AWAY_SECONDS
        return self._own(budget, needed)

    def _own(self, budget: _Budget, needed: int) -> Drawn:
        """Just what is needed, from the process's own bucket."""
        now, rate = time.monotonic(), self.per_minute / WINDOW_SECONDS
        tokens = self.per_minute if budget.own is None else budget.own + (now - budget.own_at) * rate
        budget.own, budget.own_at = min(tokens, self.per_minute), now
        if budget.own < needed:
            return Drawn(0, int(budget.own), (needed - budget.own) / rate)
        budget.own -= needed
        return Drawn(needed, int(budget.own), 0.0)


class RateLimited:
    """Refuses the requests of a client whose budget is spent, before anything else is done for them.

    Every other answer has the headers of draft-ietf-httpapi-ratelimit-headers-10.
    """

    def __init__(self, app: ASGIApp, limits: RateLimits, *, operator_token: str | None) -> None:
        self._app = app
        self._limits = limits
        self._operator_token = operator_token
        self._policy = f'"minute";q={limits.per_minute};w={WINDOW_SECONDS}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's life."""
        cost = min(cost_of(scope["path"]) if scope["type"] == "http" else 0, self._limits.per_minute)
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
        await problem(RATE_LIMITED, detail, headers=headers)(scope, receive, send)

    def _standing(self, left: int) -> str:
        spent = self._limits.per_minute - left
        return f'"minute";r={max(left, 0)};t={math.ceil(spent * WINDOW_SECONDS / self._limits.per_minute)}'
