"""How far every view is behind the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from event_store.postgres.log import PostgresLog
from projections.builds import INDEX_FOLDER
from projections.documents.errors import ViewNotReady
from projections.documents.keys import ViewKeys, pointer_in, pointer_key, record_key
from projections.documents.search import VIEW as SEARCH
from projections.documents.stops import Stop
from projections.documents.tantivy_reader import TantivyReader
from projections.documents.tantivy_schema import read_pointer
from projections.engine.partitions import leader, partition_holders, partition_of
from projections.engine.versions import Record, record_in
from projections.redis.stops import RedisStops
from projections.redis.store import RedisStore
from projections.tantivy.versions import IndexVersions
from projections.views.registry import VIEWS


class Standing(NamedTuple):
    """A view's live version and how far it is. `version` None: it is being built, nobody reads it yet."""

    view: str
    version: int | None
    shards: int
    position: int
    positions: Sequence[int] = ()  # each shard's


class ShardStatus(msgspec.Struct, frozen=True):
    """One shard of a view. `holder` is the process that writes it, as `host:pid`; null: none does."""

    shard: int
    holder: str | None
    position: int
    lag: int  # events


class KeptVersion(msgspec.Struct, frozen=True):
    """The version that was read before, kept for rolling back. `since`: when it was replaced."""

    version: int
    since: datetime


class ViewStatus(msgspec.Struct, frozen=True):
    """One view. `version` and `lag` are null while nobody can read it yet, `building` while no other version
    is built. `stopped` is of the version that is read, or else of the one that is built."""

    view: str
    version: int | None
    shards: int
    position: int
    lag: int | None  # events
    by_shard: list[ShardStatus]
    kept: KeptVersion | None = None
    building: int | None = None
    stopped: Stop | None = None


def view_statuses(
    log: PostgresLog, redis_url: str, data_dir: Path, elasticsearch_url: str | None = None
) -> list[ViewStatus]:
    """The status of every view. Raises StoreUnavailable and TargetUnavailable.

    `elasticsearch_url`: where the search index lies, in place of the embedded one in the data folder.
    """
    store = RedisStore(redis_url)
    try:
        standings = [standing(store, view.name) for view in VIEWS]
        records = [record_in(raw) for raw in store.get_all([record_key(view.name) for view in VIEWS])]
    finally:
        store.close()
    partitions = partition_holders(log)
    holders = [partitions[partition_of(shard)] for shard in range(max(each.shards for each in standings))]
    if elasticsearch_url is None:
        index, record = _embedded_standing(data_dir / INDEX_FOLDER)
    else:
        index, record = _elasticsearch_standing(elasticsearch_url)
    stops = _stops(redis_url)
    head = log.head()
    return [
        *(_status(*each, head, holders, stops) for each in zip(standings, records, strict=True)),
        _status(index, record, head, [leader(log)], stops),
    ]


def _status(
    each: Standing,
    record: Record,
    head: int,
    holders: Sequence[str | None],
    stops: Mapping[tuple[str, int], Stop],
) -> ViewStatus:
    kept = None
    if record.kept is not None:
        kept = KeptVersion(record.kept.version, datetime.fromtimestamp(record.kept_at, UTC))
    building = None if record.building is None else record.building.version
    stopped = [stops[each.view, one] for one in (each.version, building) if one and (each.view, one) in stops]
    return ViewStatus(
        each.view,
        each.version,
        each.shards,
        each.position,
        None if each.version is None else max(head - each.position, 0),
        [
            ShardStatus(shard, holders[shard], position, max(head - position, 0))
            for shard, position in enumerate(each.positions)
        ],
        kept,
        building,
        stopped[0] if stopped else None,
    )


def _stops(redis_url: str) -> Mapping[tuple[str, int], Stop]:
    stops = RedisStops(redis_url)
    try:
        return stops.shown()
    finally:
        stops.close()


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
    positions = [0 if keys.past else checkpoint.position for checkpoint in checkpoints]
    return Standing(view, keys.version, keys.shards, min(positions), positions)


def _elasticsearch_standing(url: str) -> tuple[Standing, Record]:
    from projections.elasticsearch.standing import index_standing

    live, record = index_standing(url)
    if live is None:
        return Standing(SEARCH, None, 0, 0), record
    return Standing(SEARCH, live.version, 1, live.position, [live.position]), record


def _embedded_standing(index_folder: Path) -> tuple[Standing, Record]:
    record = record_in(IndexVersions(index_folder).read().record)
    pointer = read_pointer(index_folder)
    if pointer is None:
        return Standing(SEARCH, None, 0, 0), record
    try:
        position = TantivyReader(index_folder).position()
    except ViewNotReady:
        return Standing(SEARCH, None, 0, 0), record
    return Standing(SEARCH, pointer.version, 1, position, [position]), record
