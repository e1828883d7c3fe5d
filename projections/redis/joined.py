"""The views as a process sees them that does not lead: it writes its shards of every version there is."""

from __future__ import annotations

from collections.abc import Sequence

from projections.documents.keys import Pointer, ViewKeys
from projections.engine.follower import TargetUnavailable
from projections.engine.versions import Stored, in_being
from projections.redis.shards import Holds, JoinedShards
from projections.redis.store import RedisStore
from projections.redis.versions import record_and_pointer
from projections.views.view import View


class JoinedViews:
    """Followers of the versions that pointers and records name, and this code's read models made."""

    def __init__(self, views: Sequence[View], url: str, holds: Holds) -> None:
        """`holds`: which shards this process writes."""
        self._views = views
        self._url = url
        self._holds = holds
        self._store = RedisStore(url)
        self._followers: dict[tuple[str, int], JoinedShards] = {}

    def followers(self) -> list[JoinedShards]:
        """One for each version, open by the time a shard of it is held; the same as before where it goes on.

        Raises TargetUnavailable.
        """
        places = [key for view in self._views for key in record_and_pointer(view.name)]
        try:
            found = self._store.get_all(places)
        except TargetUnavailable:
            self._store.close()
            raise
        wanted: dict[tuple[str, int], JoinedShards] = {}
        for view, *stored in zip(self._views, found[::2], found[1::2], strict=True):
            for pointer in in_being(Stored(*stored)):
                place = (view.name, pointer.version)
                if pointer.model == view.model:
                    wanted[place] = self._followers.get(place) or self._follower(view, pointer)
        self._followers = wanted
        return list(wanted.values())

    def close(self) -> None:
        """Gives back the connection; the followers are for who follows them to close."""
        self._store.close()

    def _follower(self, view: View, pointer: Pointer) -> JoinedShards:
        keys = ViewKeys(view.name, pointer.version, pointer.shards)
        return JoinedShards(view, self._url, keys, self._holds)
