"""Where the views in Redis stand, for those who look without writing."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from projections.documents.errors import ViewNotReady
from projections.documents.keys import Pointer, ViewKeys, pointer_key
from projections.redis_store import RedisStore


class Standing(NamedTuple):
    """A view's live version and how far it is. `version` None: it is being drawn up, nobody reads it yet."""

    view: str
    version: int | None
    shards: int
    position: int


def live_keys(store: RedisStore, view: str) -> ViewKeys:
    """The keys of the version that readers read. Raises ViewNotReady."""
    (raw,) = store.get_all([pointer_key(view)])
    if raw is None:
        raise ViewNotReady(view)
    pointer = msgspec.json.decode(raw, type=Pointer)
    return ViewKeys(view, pointer.version, pointer.shards)


def standing(store: RedisStore, view: str) -> Standing:
    """Where the view stands: the least of its shards' checkpoints."""
    try:
        keys = live_keys(store, view)
    except ViewNotReady:
        return Standing(view, None, 0, 0)
    checkpoints = store.get_all([keys.checkpoint(shard) for shard in range(keys.shards)])
    return Standing(view, keys.version, keys.shards, min(int(checkpoint or 0) for checkpoint in checkpoints))
