"""What a client tries is counted: one with many wrong codes, or many requests of an outside service, is
refused for a minute."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from aggregates.kernel import Reason, Rejected
from commands.http.problems import TOO_MANY_TRIES
from deploy.edge.problems import ProblemError
from deploy.edge.requests import client_of


class Tries:
    """Counts for one command process, whatever comes of a try."""

    def __init__(self, per_minute: int) -> None:
        self._most = RateLimitItemPerMinute(per_minute)
        self._made = FixedWindowRateLimiter(MemoryStorage())

    def count(self, request: Request) -> None:
        """Counts one for the request's client. Raises ProblemError for one too many."""
        if not self._made.hit(self._most, client_of(request.scope)):
            raise ProblemError(TOO_MANY_TRIES)


class Guesses:
    """Counts for one command process. A guess under way may be wrong: those that might be too many wait for
    it, so that sending many at once gains nothing."""

    def __init__(self, per_minute: int) -> None:
        self._most = RateLimitItemPerMinute(per_minute)
        self._wrong = FixedWindowRateLimiter(MemoryStorage())
        self._under_way: Counter[str] = Counter()
        self._ended = asyncio.Condition()

    @asynccontextmanager
    async def guess(self, request: Request, wrong: type[Reason]) -> AsyncIterator[None]:
        """A try of the request's client: a wrong one where it is refused for such a reason. Raises
        ProblemError for one too many."""
        client = client_of(request.scope)
        async with self._ended:
            await self._ended.wait_for(lambda: not self._under_way[client] or self._may_guess(client))
            if not self._may_guess(client):
                raise ProblemError(TOO_MANY_TRIES)
            self._under_way[client] += 1
        try:
            yield
        except Rejected as refused:
            if isinstance(refused.reason, wrong):
                self._wrong.hit(self._most, client)
            raise
        finally:
            await asyncio.shield(self._end(client))

    def _may_guess(self, client: str) -> bool:
        return self._wrong.test(self._most, client, cost=self._under_way[client] + 1)

    async def _end(self, client: str) -> None:
        async with self._ended:
            self._under_way[client] -= 1
            if not self._under_way[client]:
                del self._under_way[client]
            self._ended.notify_all()
