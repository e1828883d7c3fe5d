"""Every build of the projector: the views in Redis and the search index."""

from __future__ import annotations

from pathlib import Path

from event_store.kafka.settings import KafkaSettings
from projections.documents.words.lexicon import Lexicon
from projections.engine.build import Build
from projections.engine.versions import Numbers
from projections.redis.build import RedisBuild
from projections.redis.shards import Holds, every_shard
from projections.views.registry import VIEWS
from projections.views.view import DocumentView, View

INDEX_FOLDER = "index"
"""The search index's folder within the data folder."""


def all_builds(
    redis_url: str,
    data_dir: Path,
    numbers: Numbers,
    *,
    elasticsearch_url: str | None = None,
    shards: int | None = None,
    views: tuple[View, ...] = VIEWS,
    lexicon: Lexicon | None = None,
) -> list[Build]:
    """A build of every view, not opened yet. `shards` None: as many as each live version has.

    `elasticsearch_url`: where the search index lies, in place of the embedded one in the data folder.
    """
    return [
        *redis_builds(redis_url, numbers, shards=shards, views=views),
        search_build(data_dir, numbers, elasticsearch_url=elasticsearch_url, lexicon=lexicon),
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


def state_builds(settings: KafkaSettings, numbers: Numbers, views: tuple[View, ...]) -> list[Build]:
    """The builds of those views that have state topics on Kafka."""
    from projections.kafka.state_build import STATE_VIEWS, StateBuild

    return [
        StateBuild(view, settings, numbers)
        for view in views
        if isinstance(view, DocumentView) and view.name in STATE_VIEWS
    ]


def search_build(
    data_dir: Path, numbers: Numbers, *, elasticsearch_url: str | None, lexicon: Lexicon | None = None
) -> Build:
    """The build of the search index. Each engine is imported where it is used alone."""
    if elasticsearch_url is None:
        from projections.tantivy.build import TantivyBuild

        return TantivyBuild(data_dir / INDEX_FOLDER, numbers, lexicon=lexicon)
    from projections.elasticsearch.build import ElasticsearchBuild, connect

    return ElasticsearchBuild(connect(elasticsearch_url), numbers, lexicon=lexicon)
