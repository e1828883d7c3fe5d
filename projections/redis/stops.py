"""The stops of views in Redis; see `projections.engine.stops`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec
from redis.exceptions import ResponseError

from projections.documents.stops import STOPS_KEY, Stop, stop_in
from projections.engine.stops import Place
from projections.redis.connections import LateClient
from projections.redis.store import wrapped


class RedisStops(LateClient):
    """See Stops. From one thread at a time."""

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


def _field(place: Place) -> str:
    return f"{place[0]} v{place[1]}"
