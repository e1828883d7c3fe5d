"""Every build of the projector: the views in Redis and the search index."""

from __future__ import annotations

from pathlib import Path

from projections.documents.words.lexicon import Lexicon
from projections.engine.build import Build
from projections.engine.versions import Numbers
from projections.redis.build import RedisBuild
from projections.tantivy.build import TantivyBuild
from projections.views.registry import VIEWS
from projections.views.view import View

INDEX_FOLDER = "index"
"""The search index's folder within the data folder."""


def all_builds(
    redis_url: str,
    data_dir: Path,
    numbers: Numbers,
    *,
    shards: int | None = None,
    views: tuple[View, ...] = VIEWS,
    lexicon: Lexicon | None = None,
) -> list[Build]:
    """A build of every view, not opened yet. `shards` None: as many as each live version has."""
    return [
        *(RedisBuild(view, redis_url, numbers, shards=shards) for view in views),
        TantivyBuild(data_dir / INDEX_FOLDER, numbers, lexicon=lexicon),
    ]
