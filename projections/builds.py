"""Every build of the projector: the views in Redis and the search index."""

from __future__ import annotations

from pathlib import Path

from projections.documents.words.lexicon import Lexicon
from projections.engine.build import Build
from projections.engine.versions import Numbers
from projections.redis.build import RedisBuild
from projections.redis.shards import Holds, every_shard
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
        *redis_builds(redis_url, numbers, shards=shards, views=views),
        search_build(data_dir, numbers, lexicon=lexicon),
    ]


def redis_builds(
    url: str,
    numbers: Numbers,
    *,
    shards: int | None = None,
    views: tuple[View, ...] = VIEWS,
    holds: Holds = every_shard,
) -> list[Build]:
    """A build of every view in Redis, which writes the shards held."""
    return [RedisBuild(view, url, numbers, shards=shards, holds=holds) for view in views]


def search_build(data_dir: Path, numbers: Numbers, *, lexicon: Lexicon | None = None) -> Build:
    """The build of the search index."""
    return TantivyBuild(data_dir / INDEX_FOLDER, numbers, lexicon=lexicon)
