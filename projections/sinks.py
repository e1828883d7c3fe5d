"""Every sink of the projector: the views in Redis and the search index."""

from __future__ import annotations

from pathlib import Path

from projections.redis_sink import RedisSink
from projections.sink import Sink
from projections.tantivy_index import TantivySink
from projections.versions import Numbers
from projections.views import VIEWS

INDEX_FOLDER = "index"
"""The search index's folder within the data folder."""


def all_sinks(redis_url: str, data_dir: Path, numbers: Numbers, *, shards: int | None = None) -> list[Sink]:
    """Sinks for every view, not opened yet. `shards` None: as many as each live version has."""
    return [
        *(RedisSink(view, redis_url, numbers, shards=shards) for view in VIEWS),
        TantivySink(data_dir / INDEX_FOLDER, numbers),
    ]
