"""A view's pointer and record in Redis, and deleting a version."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable

from projections.documents.keys import Pointer, ViewKeys, pointer_key, record_key
from projections.engine.versions import Stored
from projections.redis.store import RedisStore, checkpoint_keys


class RedisVersions:
    """See `projections.engine.versions.VersionStore`."""

    def __init__(self, view: str, store: RedisStore) -> None:
        self._view = view
        self._store = store

    def read(self) -> Stored:
        return Stored(*self._store.get_all(record_and_pointer(self._view)))

    def change(self, expected: Stored, new: Stored) -> bool:
        return self._store.change_record(self._view, expected, new)

    def left_over(self, record: bytes | None) -> Iterable[Pointer]:
        if record is not None:
            return ()
        self._store.delete([f"building:{self._view}"])  # Where it was noted before there were records.
        shards: dict[int, int] = {}
        for keys in self._store.keys_of(self._view):
            for key in keys:
                if (found := _PLACE.match(key)) is not None:
                    version, shard = int(found[1]), int(found[2])
                    shards[version] = max(shards.get(version, 0), shard + 1)
        return [Pointer(version, count) for version, count in shards.items()]


def record_and_pointer(view: str) -> list[str]:
    """The keys of both."""
    return [record_key(view), pointer_key(view)]


def delete_version(store: RedisStore, keys: ViewKeys) -> Generator[None, None, None]:
    """Deletes a version, in steps; the store is closed in the end."""
    try:
        # The checkpoints first: from then on a paused twin is refused, and readers find nothing ready.
        store.delete(checkpoint_keys(keys))
        yield
        for found in store.keys_of(keys.view, keys.version):
            store.delete(found)
            yield
    finally:
        store.close()


_PLACE = re.compile(rb"\{[^}]*\.v([0-9]+)\.([0-9]+)\}:")
