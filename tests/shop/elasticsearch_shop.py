"""The shop whose search index lies on a real Elasticsearch."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from event_store.memory.log import MemoryLog
from projections.documents.elasticsearch_names import IndexNames
from projections.documents.elasticsearch_reader import ElasticsearchReader
from projections.documents.search import Page, Place, ProductQuery, Suggestions
from projections.documents.words.lexicon import Lexicon
from projections.elasticsearch.build import ElasticsearchBuild, connect
from tests.shop.views import SearchShop


class ElasticsearchShop(SearchShop):
    """An index of its own on the server, deleted in the end."""

    def __init__(self, url: str, lexicon: Lexicon | None = None) -> None:
        self.url = url
        self.names = IndexNames(f"test-{uuid4().hex[:12]}")
        self.client = connect(url)
        self.numbers = MemoryLog()
        self._readers: list[BlockingReader] = []
        super().__init__(self.another(lexicon), self.new_reader())

    def another(self, lexicon: Lexicon | None = None) -> ElasticsearchBuild:
        return ElasticsearchBuild(self.client, self.numbers, names=self.names, lexicon=lexicon)

    def new_reader(self) -> BlockingReader:
        self._readers.append(BlockingReader(self.url, self.names))
        return self._readers[-1]

    def versions(self) -> list[int]:
        numbers = map(self.names.number_of, self.indexes())
        return sorted(number for number in numbers if number is not None)

    def indexes(self) -> list[str]:
        """Every index of this shop."""
        return sorted(self.client.indices.get(index=f"{self.names.prefix}-*", features="aliases"))

    def close(self) -> None:
        """Gives everything back."""
        super().close()
        for reader in self._readers:
            reader.close()
        for index in self.indexes():
            self.client.indices.delete(index=index)
        self.client.close()


class BlockingReader:
    """An ElasticsearchReader in an event loop that runs while a call does."""

    def __init__(self, url: str, names: IndexNames) -> None:
        self._loop = asyncio.Runner()
        self._reader = ElasticsearchReader(url, names=names, seconds_max=60.0)

    def search(self, query: ProductQuery, *, limit: int, place: Place | None = None) -> Page:
        """See SearchReader."""
        return self._loop.run(self._reader.search(query, limit=limit, place=place))

    def suggest(self, typed: str, *, limit: int) -> Suggestions:
        """See SearchReader."""
        return self._loop.run(self._reader.suggest(typed, limit=limit))

    def position(self) -> int:
        """See SearchReader."""
        return self._loop.run(self._reader.position())

    def close(self) -> None:
        """Closes reader and loop."""
        self._loop.run(self._reader.close())
        self._loop.close()
