"""Every sink of the projector: the views in Redis and the search index."""

from __future__ import annotations

from pathlib import Path

from projections.engine.sink import Sink
from projections.engine.versions import Numbers
from projections.redis.sink import RedisSink
from projections.tantivy.sink import TantivySink
from projections.views.registry import VIEWS

INDEX_FOLDER = "index"
"""The search index's folder within the data folder."""


def all_sinks(redis_url: str, data_dir: Path, numbers: Numbers, *, shards: int | None = None) -> list[Sink]:
    """Sinks for every view, not opened yet. `shards` None: as many as each live version has."""
    return [
        *(RedisSink(view, redis_url, numbers, shards=shards) for view in VIEWS),
        TantivySink(data_dir / INDEX_FOLDER, numbers),
    ]
