"""The stops of views in Redis; see `projections.engine.stops`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec
from redis.exceptions import ResponseError

from projections.documents.stops import STOPS_KEY, Stop, stop_in
from projections.engine.stops import Place
from projections.redis.connections import AnyRedis, connect
from projections.redis.store import wrapped

_TIMEOUT_SECONDS = 5.0


class RedisStops:
    """See Stops. From one thread at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: AnyRedis | None = None

    @property
    def _redis(self) -> AnyRedis:
        if self._client is None:
            self._client = connect(self._url, retries=1, socket_timeout=_TIMEOUT_SECONDS)
        return self._client

    def shown(self) -> Mapping[Place, Stop]:
        """See Stops."""
        with wrapped():
            try:
                found = cast("list[bytes]", self._redis.hvals(STOPS_KEY))
            except ResponseError:  # It is no hash, so it shows no stop of ours.
                self._redis.unlink(STOPS_KEY)
                found = []
        stops = [stop for raw in found if (stop := stop_in(raw)) is not None]
        return {(stop.view, stop.version): stop for stop in stops}

    def show(self, stop: Stop) -> None:
        """See Stops."""
        with wrapped():
            self._redis.hset(
                STOPS_KEY, _field((stop.view, stop.version)), cast("str", msgspec.json.encode(stop))
            )

    def take_off(self, place: Place) -> None:
        """See Stops."""
        with wrapped():
            self._redis.hdel(STOPS_KEY, _field(place))

    def close(self) -> None:
        """See Stops."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _field(place: Place) -> str:
    return f"{place[0]} v{place[1]}"
