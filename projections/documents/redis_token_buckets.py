"""Token buckets in Redis, from which processes draw so many tokens at a time that most requests ask nobody.

A bucket holds `capacity` tokens and fills up evenly in `seconds`. Redis' own clock fills it.
"""

from __future__ import annotations

from dataclasses import dataclass

from projections.documents.redis_connections import RedisConnections, driver_errors

_DRAW = """
-- KEYS: the bucket. ARGV: its capacity, the seconds in which it fills up, tokens needed, tokens wanted.
-- Gives the tokens granted (0 where fewer than needed are there), those left, and the microseconds until as
-- many as needed are there.
local capacity, seconds = tonumber(ARGV[1]), tonumber(ARGV[2])
local needed, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(stored[1] or capacity), tonumber(stored[2] or now)
tokens = math.min(capacity, tokens + math.max(0, now - at) * capacity / seconds)
local granted = 0
if tokens >= needed then
  granted = math.min(wanted, math.floor(tokens))
  tokens = tokens - granted
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(seconds) + 1)
local missing = math.max(0, needed - tokens)
return {granted, math.floor(tokens), math.ceil(missing * seconds / capacity * 1e6)}
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a bucket gave."""

    granted: int
    left: int
    seconds_until_more: float
    """Until it holds as many tokens as were needed."""


class RedisTokenBuckets:
    """The buckets of one kind."""

    def __init__(self, url: str, *, prefix: str, capacity: int, seconds: int, timeout_seconds: float) -> None:
        """`prefix` begins their keys."""
        self._connections = RedisConnections(url, timeout_seconds=timeout_seconds)
        self._prefix = prefix
        self._capacity = capacity
        self._seconds = seconds

    async def draw(self, key: str, *, needed: int, wanted: int) -> Drawn:
        """Up to `wanted` tokens, or none where fewer than `needed` are there. Raises ReadStoreUnavailable."""
        with driver_errors():
            client = await self._connections.client()
            granted, left, microseconds = await client.eval(
                _DRAW, 1, f"{self._prefix}:{{{key}}}", self._capacity, self._seconds, needed, wanted
            )
        return Drawn(int(granted), int(left), int(microseconds) / 1e6)

    async def close(self) -> None:
        """Gives back every connection."""
        await self._connections.close()
