"""Where the views in Redis stand, for those who only read."""

from __future__ import annotations

from typing import NamedTuple

from projections.documents.errors import ViewNotReady
from projections.documents.keys import ViewKeys, pointer_in, pointer_key
from projections.redis.store import RedisStore


class Standing(NamedTuple):
    """A view's live version and how far it is. `version` None: it is being built, nobody reads it yet."""

    view: str
    version: int | None
    shards: int
    position: int


def live_keys(store: RedisStore, view: str) -> ViewKeys:
    """The keys of the version that readers read. Raises ViewNotReady."""
    (raw,) = store.get_all([pointer_key(view)])
    pointer = pointer_in(raw)
    if pointer is None:
        raise ViewNotReady(view)
    return ViewKeys(view, pointer.version, pointer.shards, pointer.past)


def standing(store: RedisStore, view: str) -> Standing:
    """Where the view stands: the least of its shards' checkpoints; at 0 where that is in another history."""
    try:
        keys = live_keys(store, view)
    except ViewNotReady:
        return Standing(view, None, 0, 0)
    checkpoints = [checkpoint for checkpoint in store.checkpoints(keys) if checkpoint is not None]
    if len(checkpoints) < keys.shards:
        return Standing(view, None, 0, 0)
    position = 0 if keys.past else min(checkpoints).position
    return Standing(view, keys.version, keys.shards, position)
