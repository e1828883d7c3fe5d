"""A store that a view may lie in: what its promises are tested through; and what a store cannot do."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple, Protocol

import msgspec
import pytest

from event_store.memory.log import MemoryLog
from projections.documents.keys import pointer_in
from projections.documents.search import ProductQuery
from projections.engine.build import Build
from projections.engine.follower import Decoded
from projections.engine.versions import Numbers, Stored
from projections.views import catalog, search
from projections.views.search import IndexedProduct
from projections.views.view import DocumentView
from tests.shop.views import Searcher, ViewShop, skus

NAMES = ("memory", "redis", "cluster", "tantivy", "elasticsearch", "kafka")

CANNOT: Mapping[str, Mapping[str, str]] = {
    "have two writers": {"tantivy": "the engine's lock: the second one cannot open the index"},
    "be half written": {
        "memory": "documents and checkpoint change in one step",
        "tantivy": "documents and checkpoint are one commit",
        "kafka": "documents and checkpoint are one transaction",
    },
    "be full": {
        "memory": "it would end the process",
        "tantivy": "in a process of its own: test_full_disk",
        "kafka": "a broker whose disk is full ends: see the kills",
    },
    "be slow": {"memory": "no way to it", "tantivy": "no way to it"},
    "have shards": {
        "memory": "it is the plainest",
        "tantivy": "one writer",
        "elasticsearch": "the server has its own",
        "kafka": "one partition, in which documents and position are seen together",
    },
}
"""What a store cannot do, or cannot befall it, and why: that promise is not asked of it."""


def able_to(what: str) -> list[str]:
    """The stores of which the promise is asked."""
    return [name for name in NAMES if name not in CANNOT[what]]


class Seen(NamedTuple):
    """Products' pages as readers find them, by SKU, and the position that readers are told."""

    pages: dict[str, bytes]
    position: int

    def available(self, sku: str) -> int:
        """Units that can be bought."""
        return int(msgspec.json.decode(self.pages[sku])["available"])


class Reader(Protocol):
    """As the query API reads."""

    def read(self, *named: str) -> Seen:
        """Those of the products that are there. Raises ViewNotReady."""

    def close(self) -> None:
        """Gives everything back."""


class Store(ABC):
    """A store that holds the versions of one view of products."""

    view = "product"

    def __init__(self) -> None:
        self.numbers = MemoryLog()

    @abstractmethod
    def build(self, numbers: Numbers | None = None) -> Build:
        """A worker's that has not opened yet. `numbers`: the log's, where it is not the store's own."""

    @abstractmethod
    def titled(self, beginning: str, model: int, numbers: Numbers, monkeypatch: pytest.MonkeyPatch) -> Build:
        """A build of another read model, whose titles all begin so; of a search store, one at a time."""

    @abstractmethod
    def reader(self) -> Reader:
        """One that knows nothing yet, of the thread that uses it."""

    def read(self, *named: str) -> Seen:
        """Those of the products that are there. Raises ViewNotReady."""
        with closing(self.reader()) as reader:
            return reader.read(*named)

    @abstractmethod
    def versions(self) -> list[int]:
        """Those of which anything lies there."""

    @abstractmethod
    def stored(self) -> Stored:
        """Pointer and record, as they lie there."""

    @property
    def live(self) -> int | None:
        """The version that readers read."""
        pointer = pointer_in(self.stored().pointer)
        return None if pointer is None else pointer.version

    @property
    def live_model(self) -> int | None:
        """The read model that built it."""
        pointer = pointer_in(self.stored().pointer)
        return None if pointer is None else pointer.model

    @abstractmethod
    def content(self) -> object:
        """All that lies there; compares equal where nothing was changed."""

    @abstractmethod
    def empty(self) -> None:
        """All is lost, pointer and record too."""

    @abstractmethod
    def save(self) -> Callable[[], None]:
        """Keeps all as it is; what is given brings that back, as a restored backup does."""

    @abstractmethod
    def lose_a_part(self, version: int) -> None:
        """Something of the version is lost without which it is none."""

    @abstractmethod
    def damage(self, version: int, sku: str) -> None:
        """What lies there is not what was written there."""

    def write_half(self, batch: Sequence[Decoded]) -> None:
        """What a writer leaves that is killed in the midst of this batch."""
        raise NotImplementedError

    @contextmanager
    def full(self) -> Iterator[None]:
        """It takes no writes meanwhile, and is read."""
        raise NotImplementedError
        yield

    @abstractmethod
    def close(self) -> None:
        """Gives everything back."""


class SearchStore(Store):
    """A search index."""

    view = "search"

    def titled(self, beginning: str, model: int, numbers: Numbers, monkeypatch: pytest.MonkeyPatch) -> Build:
        def titling(*arguments: Any) -> IndexedProduct:
            product = search.evolve(*arguments)
            product.page.title = begun(beginning, product.page.title)
            return product

        monkeypatch.setattr("projections.search.build.evolve", titling)
        build = self.build(numbers)
        build._model = model
        return build


class SearchStoreReader:
    """Of an index."""

    def __init__(self, searcher: Searcher, close: Callable[[], None] = lambda: None) -> None:
        self._searcher = searcher
        self.close = close

    def read(self, *named: str) -> Seen:
        page = self._searcher.search(ProductQuery(), limit=1_000)
        found = dict(zip(skus(page.items), page.items, strict=True))
        return Seen({sku: found[sku] for sku in named if sku in found}, page.position)


def titled_pages(beginning: str, model: int) -> DocumentView[Any]:
    """The product page as another read model has it."""

    def evolve(*arguments: Any) -> Any:
        document = catalog.VIEW.evolve(*arguments)
        document.title = begun(beginning, document.title)
        return document

    return dataclasses.replace(catalog.VIEW, evolve=evolve, model=model)


def begun(beginning: str, title: str) -> str:
    """The title, beginning so."""
    return title if title.startswith(f"{beginning} ") else f"{beginning} {title}"


class StoreShop(ViewShop):
    """A shop's events, folded into a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        super().__init__(store.build())

    @property
    def build(self) -> Any:
        """What goes on writing."""
        return self.builds[self.store.view]

    def taken_over(self) -> Build:
        """Another worker goes on; gives the one before."""
        before = self.build
        self.builds[self.store.view] = again = self.store.build()
        again.open()
        return before

    def rebuild(self, *, keep: bool = False) -> None:
        """Another version is built and read from now on."""
        beside = self.build.beside()
        beside.apply(self._log, up_to=self.position, tailing=True)
        beside.settle(may_hold_back=False)
        beside.publish(keep=keep)
        self.build.close()
        self.builds[self.store.view] = beside

    @property
    def log(self) -> list[Decoded]:
        """All that happened."""
        return self._log

    def differing(self) -> list[str]:
        """The keys under which there is, byte for byte, something else than a fresh build makes."""
        fresh = self.build.beside(keeps=True)
        try:
            fresh.apply(self._log, up_to=self.position, tailing=True)
            fresh.settle(may_hold_back=False)
            return list(self.build.compare(fresh).differing_keys)
        finally:
            fresh.drop()
            fresh.close()


def delete_gone(build: Build) -> None:
    """At once, as the projector does beside."""
    for gone in build.gone:
        for _ in build.deletion(gone):
            pass
        build.deleted(gone)
