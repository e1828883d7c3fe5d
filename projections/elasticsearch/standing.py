"""Where the search index in Elasticsearch stands, for operators."""

from __future__ import annotations

from typing import NamedTuple

from projections.documents.elasticsearch_names import IndexNames
from projections.documents.elasticsearch_schema import CHECKPOINT_ID
from projections.documents.keys import pointer_in
from projections.elasticsearch.build import connect
from projections.elasticsearch.documents import stored_checkpoint
from projections.elasticsearch.versions import ElasticsearchVersions, server_errors
from projections.engine.versions import Record, record_in


class IndexStanding(NamedTuple):
    """The live version, and the position that readers see."""

    version: int
    position: int


def index_standing(url: str, names: IndexNames | None = None) -> tuple[IndexStanding | None, Record]:
    """None while there is nothing to read; and the writers' record. Raises TargetUnavailable."""
    names = names or IndexNames()
    with connect(url) as client:
        stored = ElasticsearchVersions(client, names).read()
        record, pointer = record_in(stored.record), pointer_in(stored.pointer)
        if pointer is None:
            return None, record
        with server_errors():
            query = {"ids": {"values": [CHECKPOINT_ID]}}
            found = client.search(index=names.version(pointer.version), query=query, ignore_unavailable=True)
        for hit in found["hits"]["hits"]:
            position = 0 if pointer.past else stored_checkpoint(hit["_source"]).position
            return IndexStanding(pointer.version, position), record
    return None, record
