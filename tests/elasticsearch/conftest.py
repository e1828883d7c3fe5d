"""A real Elasticsearch server for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from deploy.local.servers.elasticsearch import ElasticsearchServer
from deploy.local.servers.elasticsearch_programs import ElasticsearchPrograms
from projections.elasticsearch.build import connect
from tests.conftest import QuickElasticsearch, ServerPlace


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """The same server, emptied."""
    with connect(elasticsearch_url) as client:
        for index in client.indices.get(index="*", features="aliases"):
            client.indices.delete(index=index)
        yield client


@pytest.fixture
def own_elasticsearch(
    elasticsearch_programs: ElasticsearchPrograms, server_place: ServerPlace, tmp_path: Path
) -> Iterator[ElasticsearchServer]:
    """A server that a test starts, and may kill."""
    server = QuickElasticsearch(
        programs=elasticsearch_programs,
        folder=server_place.folder / f"elasticsearch-{tmp_path.name}",
        account=server_place.account,
        log=server_place.folder / f"elasticsearch-{tmp_path.name}.log",
    )
    yield server
    server.stop()
