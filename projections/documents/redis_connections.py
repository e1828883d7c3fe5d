"""A reader's connections to Redis: to one server, or to the masters of a Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError, RedisClusterException, RedisError  # noqa: A004

from projections.documents.errors import ReadStoreUnavailable

CONNECTIONS_MAX = 16
"""One loop sends and one server answers: more connections at once would only wait in another queue."""

QUEUED_SECONDS_MAX = 5.0
"""How long a read waits for a free connection. A server that is away is found out long before."""

_CLUSTER_CONNECTIONS_MAX = 256
"""To each master of a Cluster, whose client refuses instead of queueing."""


class RedisConnections:
    """Made when the first read wants them: only the server knows whether it is of a Cluster."""

    def __init__(self, url: str, *, timeout_seconds: float, connect_seconds: float | None = None) -> None:
        """`connect_seconds`: how long a new connection may take, where that is not the time for an answer.

        ReadStoreUnavailable where `url` is no address.
        """
        self._url = url
        self._timeouts: dict[str, Any] = {
            "socket_timeout": timeout_seconds,
            "socket_connect_timeout": connect_seconds or timeout_seconds,
        }
        # A plain pool raises where every connection is lent out, as if the server were away.
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=QUEUED_SECONDS_MAX,
                # Once, at once: after a restart of the server every kept connection is found broken. One
                # that does not answer is not waited for twice.
                retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
                **self._timeouts,
            )
        except ValueError as error:
            raise ReadStoreUnavailable(f"DAYBOOK_REDIS_URL: {error}") from error
        self._single = Redis.from_pool(pool)
        self._client: Redis | RedisCluster | None = None
        self._connecting: asyncio.Task[Redis | RedisCluster] | None = None

    async def client(self) -> Any:
        """The client of the server or of its Cluster. Raises the driver's errors."""
        if self._client is not None:
            return self._client
        if self._connecting is None or self._connecting.done():  # All who wait share one try.
            self._connecting = asyncio.create_task(self._connect())
        self._client = await asyncio.shield(self._connecting)
        return self._client

    async def close(self) -> None:
        """Gives back every connection."""
        await self._single.aclose()
        if self._client is not None and self._client is not self._single:
            await self._client.aclose()

    async def _connect(self) -> Redis | RedisCluster:
        about = await self._single.info("cluster")
        if about.get("cluster_enabled") != 1:
            return self._single
        return RedisCluster.from_url(
            self._url,
            max_connections=_CLUSTER_CONNECTIONS_MAX,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 2),
            **self._timeouts,
        )


@contextmanager
def driver_errors() -> Iterator[None]:
    """The driver's errors as ReadStoreUnavailable, whose cause they are."""
    try:
        yield
    except (RedisError, RedisClusterException, OSError, TimeoutError) as error:
        raise ReadStoreUnavailable(str(error)) from error
    except RuntimeError as error:
        # What uvloop raises for a write to a connection that was closed meanwhile, where asyncio warns.
        if "handler is closed" not in str(error):
            raise
        raise ReadStoreUnavailable(str(error)) from error


def is_queue_full(error: BaseException | None) -> bool:
    """Whether all connections were lent out so long that one who waited gave up: the server may be well."""
    waited = error is not None and isinstance(error.__cause__, TimeoutError)
    return waited and "No connection available" in str(error)
