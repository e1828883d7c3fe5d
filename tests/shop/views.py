"""A shop's events, folded into views as the projector would."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

import msgspec

from event_store.memory.log import MemoryLog
from event_store.records import EventReader
from projections.documents.search import Page, Place, ProductQuery, Suggestions
from projections.documents.tantivy_reader import TantivyReader
from projections.documents.tantivy_schema import FOLDER_PREFIX
from projections.documents.words.lexicon import Lexicon
from projections.engine.build import Build
from projections.engine.follower import Decoded, TargetMoved
from projections.redis.build import RedisBuild
from projections.search.build import SearchBuild
from projections.tantivy.build import TantivyBuild
from projections.views.registry import VIEWS
from projections.views.view import View
from tests.shop.facts import listed, received, recorded, stream_of
from tests.shop.log import decoded


class ViewShop:
    """Events go in, documents come out: nothing is published before the first."""

    def __init__(self, *builds: Build) -> None:
        self.builds = {build.name: build for build in builds}
        for build in builds:
            build.open()
        self.position = 0
        self.head_at_start: int | None = None
        self._versions: Counter[str] = Counter()
        self._log: list[Decoded] = []

    def happens(self, *events: Any, but_not_in: tuple[str, ...] = (), settled: bool = True) -> int:
        """Events reach every view but the ones that lag, and are committed there. Gives the position."""
        for event in events:
            self.position += 1
            self._versions[stream_of(event)] += 1
            envelope = recorded(self.position, event, version=self._versions[stream_of(event)])
            self._log.append(Decoded(envelope, event))
        for name, build in self.builds.items():
            if name not in but_not_in:
                self._catch_up(build, settled=settled)
        return self.position

    def follows(self, log: EventReader) -> int:
        """What happened in that log, from its start, reaches every view. Gives the position."""
        self._log = decoded(log)
        self.position = len(self._log)
        return self.happens()

    @property
    def events(self) -> list[Any]:
        """All that happened."""
        return [event for _, event in self._log]

    def begins_anew(self) -> None:
        """What happens from now on happens in an empty log."""
        self.position = 0
        self._versions.clear()
        self._log.clear()

    def notices_losses(self) -> None:
        """Checks every build as the projector does between events, and builds what is lost."""
        for build in self.builds.values():
            try:
                build.check()
            except TargetMoved:
                build.open()
                self._catch_up(build)

    def rebuilds(self) -> None:
        """Every view is built anew beside the live version, and published in its place."""
        for name, live in list(self.builds.items()):
            self.builds[name] = live.beside()
            self._catch_up(self.builds[name])
            live.close()

    def lists(self, *skus: str, price: str = "12.99", quantity: int = 5) -> int:
        """Red products go on sale, and units of them arrive."""
        events: list[Any] = []
        for sku in skus:
            events += [listed(sku, price=price, color="red"), received(sku, quantity)]
        return self.happens(*events)

    def close(self) -> None:
        """Gives everything back."""
        for build in self.builds.values():
            build.close()

    def _catch_up(self, build: Build, *, settled: bool = True) -> None:
        build.apply(self._log[build.position :], up_to=self.position, tailing=True)
        if settled:
            build.settle(may_hold_back=False)
            if not build.is_published:
                build.publish()


def all_views(redis_url: str, index_folder: Path, views: tuple[View, ...] = VIEWS) -> ViewShop:
    """Every view that the query API reads."""
    numbers = MemoryLog()
    documents = (RedisBuild(view, redis_url, numbers) for view in views)
    return ViewShop(*documents, TantivyBuild(index_folder, numbers))


class Searcher(Protocol):
    """The reading side of a search index, for code that waits for it."""

    def search(self, query: ProductQuery, *, limit: int, place: Place | None = None) -> Page:
        """See SearchReader."""

    def suggest(self, typed: str, *, limit: int) -> Suggestions:
        """See SearchReader."""

    def position(self) -> int:
        """See SearchReader."""


class SearchShop(ViewShop, ABC):
    """The search index being written, and its reader."""

    def __init__(self, build: SearchBuild, reader: Searcher) -> None:
        self.build = build
        self.reader = reader
        super().__init__(build)

    @abstractmethod
    def another(self, lexicon: Lexicon | None = None) -> SearchBuild:
        """Another build of the same index, not opened."""

    @abstractmethod
    def new_reader(self) -> Searcher:
        """A reader that has not read yet."""

    @abstractmethod
    def versions(self) -> list[int]:
        """The versions that lie in the store."""

    def taken_over_by(self, build: SearchBuild) -> None:
        """Another build of the index, opened already, goes on."""
        self.build = self.builds["search"] = build
        self.happens()

    def finds(self, words: str | None = None, **filters: Any) -> list[str]:
        """The SKUs found, in order."""
        sort = filters.pop("sort", "relevance" if words else "sku")
        page = self.reader.search(ProductQuery(words=words, sort=sort, **filters), limit=1_000)
        return skus(page.items)

    def facet(self, name: str, **filters: Any) -> dict[str, int]:
        """A facet's counts."""
        page = self.reader.search(ProductQuery(**filters), limit=1)
        return {value.value: value.count for value in page.facets.get(name, [])}


class TantivyShop(SearchShop):
    """The embedded index, in a folder."""

    def __init__(self, folder: Path, lexicon: Lexicon | None = None) -> None:
        self.folder = folder
        self.numbers = MemoryLog()
        super().__init__(self.another(lexicon), self.new_reader())

    def another(self, lexicon: Lexicon | None = None) -> TantivyBuild:
        return TantivyBuild(self.folder, self.numbers, lexicon=lexicon)

    def new_reader(self) -> TantivyReader:
        return TantivyReader(self.folder)

    def versions(self) -> list[int]:
        names = (path.name.removeprefix(FOLDER_PREFIX) for path in self.folder.glob(f"{FOLDER_PREFIX}*"))
        return sorted(map(int, names))


def skus(items: list[bytes]) -> list[str]:
    """The SKUs of documents as they are served."""
    return [msgspec.json.decode(item)["sku"] for item in items]
