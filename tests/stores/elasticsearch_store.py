"""The search index on a real Elasticsearch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from elasticsearch import BadRequestError, Elasticsearch

from projections.documents.elasticsearch_names import IndexNames
from projections.documents.elasticsearch_schema import CHECKPOINT_ID, document_id
from projections.elasticsearch.build import ElasticsearchBuild, connect
from projections.elasticsearch.versions import ElasticsearchVersions
from projections.engine.follower import Decoded
from projections.engine.versions import Numbers, Stored
from tests.shop.elasticsearch_shop import BlockingReader
from tests.stores.store import SearchStore, SearchStoreReader
from tests.waiting import SECONDS_MAX


class ElasticsearchStore(SearchStore):
    """Indexes of its own on a real server."""

    def __init__(self, url: str, connected: Callable[[str], Elasticsearch] = connect) -> None:
        """`connected` makes what builds write through."""
        super().__init__()
        self.url = url
        self.names = IndexNames(f"test-{uuid4().hex[:12]}")
        self.client = connect(url).options(request_timeout=SECONDS_MAX)
        self._connected = connected
        self._writing: list[Elasticsearch] = []
        self._saved: list[str] = []

    def build(self, numbers: Numbers | None = None) -> ElasticsearchBuild:
        """With a client of its own: it may be made in another process."""
        self._writing.append(self._connected(self.url))
        return ElasticsearchBuild(self._writing[-1], numbers or self.numbers, names=self.names)

    def reader(self) -> SearchStoreReader:
        reader = BlockingReader(self.url, self.names)
        return SearchStoreReader(reader, reader.close)

    def indexes(self) -> list[str]:
        """All that lie there."""
        return sorted(self.client.indices.get(index=f"{self.names.prefix}-*", features="aliases"))

    def versions(self) -> list[int]:
        numbers = map(self.names.number_of, self.indexes())
        return sorted(number for number in numbers if number is not None)

    def stored(self) -> Stored:
        return ElasticsearchVersions(self.client, self.names).read()

    def content(self) -> object:
        found = {}
        for index in self.indexes():
            self.client.indices.refresh(index=index)
            hits = self.client.search(index=index, size=10_000, version=True)["hits"]["hits"]
            found[index] = {hit["_id"]: (hit["_version"], hit["_source"]) for hit in hits}
        return found

    def empty(self) -> None:
        for index in self.indexes():
            self.client.indices.delete(index=index)

    def save(self) -> Callable[[], None]:
        """By clones, which have each document's version, as a snapshot has."""
        aliases = self.client.indices.get(index=f"{self.names.prefix}-*", features="aliases")
        saved = {index: f"saved-{uuid4().hex[:12]}" for index in aliases}
        for index, clone in saved.items():
            self._clone(index, clone, {})
            self.client.indices.put_settings(index=index, settings={"index.blocks.write": None})
        self._saved += saved.values()

        def restore() -> None:
            for index in self.indexes():
                if index not in saved:
                    self.client.indices.delete(index=index)
            for index, clone in saved.items():
                is_restored = False
                while not is_restored:  # A projector may be at work, and make it anew meanwhile.
                    self.client.indices.delete(index=index, ignore_unavailable=True)
                    with suppress(BadRequestError):
                        self._clone(clone, index, aliases[index]["aliases"])
                        is_restored = True

        return restore

    def lose_a_part(self, version: int) -> None:
        self.client.delete(index=self.names.version(version), id=CHECKPOINT_ID, refresh=True)

    def damage(self, version: int, sku: str) -> None:
        document = {"kind": "hidden", "sku": sku, "state": ""}
        index = self.names.version(version)
        self.client.index(index=index, id=document_id(sku), document=document, refresh=True)

    def write_half(self, batch: Sequence[Decoded]) -> None:
        """The documents, but not the checkpoint."""
        killed = self.build()
        killed.open()
        killed.apply(batch, up_to=batch[-1].recorded.position, tailing=True)
        killed._write(killed._changed.values())
        killed.close()

    @contextmanager
    def full(self) -> Iterator[None]:
        """As the server itself does where its disk is nearly full."""
        block = "index.blocks.read_only_allow_delete"
        self.client.indices.put_settings(index=f"{self.names.prefix}-*", settings={block: True})
        try:
            yield
        finally:
            self.client.indices.put_settings(index=f"{self.names.prefix}-*", settings={block: None})

    def close(self) -> None:
        for index in (*self.indexes(), *self._saved):
            self.client.indices.delete(index=index)
        for client in (*self._writing, self.client):
            client.close()

    def _clone(self, source: str, target: str, aliases: Mapping[str, Any]) -> None:
        self.client.indices.put_settings(index=source, settings={"index.blocks.write": True})
        settings = {"index.blocks.write": None}
        self.client.indices.clone(index=source, target=target, settings=settings, aliases=aliases)
