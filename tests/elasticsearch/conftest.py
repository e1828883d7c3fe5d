"""A real Elasticsearch server for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from projections.elasticsearch.build import connect


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """The same server, emptied."""
    with connect(elasticsearch_url) as client:
        for index in client.indices.get(index="*", features="aliases"):
            client.indices.delete(index=index)
        yield client
