"""How far every view is behind the log."""

from __future__ import annotations

from pathlib import Path

import msgspec

from event_store.records import EventReader
from projections.builds import INDEX_FOLDER
from projections.documents.errors import ViewNotReady
from projections.documents.search import VIEW as SEARCH
from projections.documents.tantivy_reader import TantivyReader
from projections.documents.tantivy_schema import read_pointer
from projections.redis.standing import Standing, standing
from projections.redis.store import RedisStore
from projections.views.registry import VIEWS


class ViewStatus(msgspec.Struct, frozen=True):
    """One view. `version` and `lag` are null while nobody can read it yet."""

    view: str
    version: int | None
    shards: int
    position: int
    lag: int | None  # events


def view_statuses(log: EventReader, redis_url: str, data_dir: Path) -> list[ViewStatus]:
    """The status of every view. Raises StoreUnavailable and TargetUnavailable."""
    store = RedisStore(redis_url)
    try:
        standings = [standing(store, view.name) for view in VIEWS]
    finally:
        store.close()
    standings.append(_index_standing(data_dir / INDEX_FOLDER))
    head = log.head()
    return [
        ViewStatus(
            each.view,
            each.version,
            each.shards,
            each.position,
            None if each.version is None else max(head - each.position, 0),
        )
        for each in standings
    ]


def _index_standing(index_folder: Path) -> Standing:
    pointer = read_pointer(index_folder)
    if pointer is None:
        return Standing(SEARCH, None, 0, 0)
    try:
        position = TantivyReader(index_folder).position()
    except ViewNotReady:
        return Standing(SEARCH, None, 0, 0)
    return Standing(SEARCH, pointer.version, 1, position)
