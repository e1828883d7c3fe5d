"""Reads the embedded search index that the projector writes.

Every answer comes from one commit. The files are looked at before each search: a new commit is taken up
at once, and so is another version that the pointer names. Calls block for a millisecond or so: asyncio
code makes them in a thread.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import tantivy

from projections.documents.errors import ViewNotReady
from projections.documents.facets import FACETS, Counted, counted, currency_counted, facets_of, terms_of
from projections.documents.search import (
    DEPTH_MAX,
    VIEW,
    After,
    CurrencyNeededError,
    FacetValue,
    Offset,
    Page,
    PlaceExpiredError,
    ProductQuery,
    Suggestions,
)
from projections.documents.tantivy_files import EngineFailed, IndexFiles, engine_errors
from projections.documents.tantivy_pages import Generation, Hit, sorted_hits
from projections.documents.tantivy_queries import FilterName, ProductQueries
from projections.documents.tantivy_schema import (
    CHECKPOINT,
    META_FILE,
    POINTER_FILE,
    lexicon_of,
    open_index,
    read_pointer,
    version_folder,
)
from projections.documents.tantivy_suggestions import suggestions
from projections.documents.tantivy_words import FoundWords, WordQueries
from projections.documents.words.normalizer import Normalizer

_RETAINED_GENERATIONS = 64
"""How many older commits are kept for clients paging by relevance: half a minute of a busy shop's, at 200 ms
a commit, and their files are shared."""

_LOOK_SECONDS = 0.25
"""How long files that were found sound are trusted."""


class TantivyReader:
    """The reading side of the index in this folder. Every call may be made from any thread."""

    def __init__(self, index_folder: Path) -> None:
        self._index_folder = index_folder
        self._lock = threading.Lock()
        self._index: tantivy.Index | None = None
        self._queries: ProductQueries | None = None
        self._normalizer = Normalizer()
        self._folder = index_folder
        self._version = 0
        self._seen: tuple[object, object] | None = None
        self._current: Generation | None = None
        self._files: IndexFiles | None = None
        self._looked_at = 0.0
        self._retained: OrderedDict[str, Generation] = OrderedDict()

    def position(self) -> int:
        """The position of the last event in the index. Raises ViewNotReady."""
        with self._damage_is_not_ready():
            return self._generation().position

    def search(self, query: ProductQuery, *, limit: int, place: After | Offset | None = None) -> Page:
        """A page of what was asked for, from `place` on.

        By relevance the list ends after DEPTH_MAX hits. Raises ViewNotReady, PlaceExpiredError for a place
        by relevance in a generation that is gone, and CurrencyNeededError. A place of the other kind of
        sorting is the caller's mistake.
        """
        by_relevance = query.sort == "relevance" and query.words is not None
        with self._damage_is_not_ready():
            return (self._by_relevance if by_relevance else self._sorted)(query, limit, place)

    def suggest(self, typed: str, *, limit: int) -> Suggestions:
        """What may be meant by what was typed so far. Raises ViewNotReady."""
        with self._damage_is_not_ready():
            generation = self._generation()
            return Suggestions(suggestions(generation, typed, limit), generation.position)

    def _sorted(self, query: ProductQuery, limit: int, place: After | Offset | None) -> Page:
        generation, asked = self._generation(), query
        query = _priced(generation, query)
        found = None if query.words is None else generation.words.of(query.words)
        words = None if found is None else found.found
        tiers = (None,) if found is None else found.tiers
        wanted = [generation.queries.filtered(query, tier) for tier in tiers]
        after = place if isinstance(place, After) else None
        hits = sorted_hits(generation, query, wanted, after, limit + 1)
        shown = hits[:limit]
        following = shown[-1].place if len(hits) > limit else None
        return self._page(generation, found, shown, _facets(generation, query, words, asked), following)

    def _by_relevance(self, query: ProductQuery, limit: int, place: After | Offset | None) -> Page:
        generation, offset = self._generation(), 0
        if isinstance(place, Offset):
            generation, offset = self._retained_generation(place.generation), place.offset
        asked, query = query, _priced(generation, query)
        limit = min(limit, DEPTH_MAX - offset)
        found = generation.words.of(query.words or "")
        shown: list[Hit] = []
        if limit > 0:  # else the place is beyond the last that was ever given
            ranked = generation.queries.filtered(query, found.ranked)
            result = generation.searcher.search(ranked, limit, count=False, offset=offset)
            shown = [Hit.of(generation.searcher, address) for _, address in result.hits]
        following = None
        facets = _facets(generation, query, found.found, asked)
        if shown and offset + len(shown) < min(facets.total, DEPTH_MAX):
            self._retain(generation)
            following = Offset(offset + len(shown), generation.name)
        return self._page(generation, found, shown, facets, following)

    def _page(
        self,
        generation: Generation,
        found: FoundWords | None,
        shown: Iterable[Hit],
        facets: _Facets,
        following: After | Offset | None,
    ) -> Page:
        items = [hit.document for hit in shown]
        return Page(
            items=items,
            total=facets.total,
            facets=facets.values,
            next=following,
            position=generation.position,
            highlights=generation.words.highlights(found, items) if found else [{} for _ in items],
            facets_cut=facets.cut,
            relaxed=list(found.relaxed) if found else [],
            did_you_mean=found.did_you_mean if found else None,
        )

    def _retain(self, generation: Generation) -> None:
        with self._lock:
            self._retained[generation.name] = generation
            self._retained.move_to_end(generation.name)
            while len(self._retained) > _RETAINED_GENERATIONS:
                self._retained.popitem(last=False)

    def _retained_generation(self, name: str) -> Generation:
        current = self._generation()
        if current.name == name:
            return current
        with self._lock:
            retained = self._retained.get(name)
        if retained is None:
            raise PlaceExpiredError
        return retained

    @contextmanager
    def _damage_is_not_ready(self) -> Iterator[None]:
        try:
            with engine_errors():
                yield
        except EngineFailed as error:
            with self._lock:
                if self._damage() is None and not error.will_pass:
                    raise
                self._forget()
            raise ViewNotReady(VIEW) from error

    def _generation(self) -> Generation:
        """The newest commit."""
        with self._lock:
            seen = self._signature()
            if seen != self._seen or self._current is None:
                self._current = self._newest()
                self._seen = seen
            elif time.monotonic() - self._looked_at > _LOOK_SECONDS and self._damage() is not None:
                self._forget()
                raise ViewNotReady(VIEW)
            return self._current

    def _signature(self) -> tuple[object, object]:
        return _identity(self._index_folder / POINTER_FILE), _identity(self._folder / META_FILE)

    def _damage(self) -> str | None:
        self._looked_at = time.monotonic()
        if self._files is None:
            return None
        try:
            return self._files.damage()
        except OSError as error:
            return str(error)

    def _forget(self) -> None:
        """Lets go of every file that is open: none of them may be trusted."""
        self._index = self._queries = self._current = self._seen = self._files = None
        self._retained.clear()

    def _newest(self) -> Generation:
        # The folder may be switched or deleted between any two of these steps: once more is enough, since
        # the pointer is read anew, and a folder it names stays until it names another.
        with suppress(EngineFailed), engine_errors():
            return self._opened()
        self._index = None
        try:
            with engine_errors():
                return self._opened()
        except EngineFailed as error:
            self._forget()
            raise ViewNotReady(VIEW) from error

    def _opened(self) -> Generation:
        pointer = read_pointer(self._index_folder)
        if pointer is None:
            raise ViewNotReady(VIEW)
        if self._index is None or pointer.version != self._version:
            self._folder = version_folder(self._index_folder, pointer.version)
            self._files = IndexFiles(self._folder)
            self._index = open_index(self._folder)
            self._version = pointer.version
            self._queries = None
            self._normalizer = Normalizer(lexicon_of(self._folder))
        if (damage := self._damage()) is not None:
            raise EngineFailed(damage)
        self._index.reload()
        queries = self._queries = self._queries or ProductQueries(self._index.schema)
        searcher = self._index.searcher()
        position = committed_position(searcher, queries)
        name = f"{pointer.version}.{position}"
        words = WordQueries(self._index.schema, searcher, self._normalizer)
        return Generation(name, 0 if pointer.past else position, searcher, queries, words)


def committed_position(searcher: tantivy.Searcher, queries: ProductQueries) -> int:
    """The checkpoint's position; 0 where there is none yet."""
    hits = searcher.search(queries.term("kind", CHECKPOINT), 1).hits
    return int(searcher.doc(hits[0][1]).get_first("position") or 0) if hits else 0


def _priced(generation: Generation, query: ProductQuery) -> ProductQuery:
    """The query with the currency that prices are compared in. Raises CurrencyNeededError."""
    if query.currency is None:
        if not query.compares_prices:
            return query
        if len(generation.currencies) > 1:
            raise CurrencyNeededError(generation.currencies)
        currency = next(iter(generation.currencies), "")
    else:
        currency = query.currency
    if currency in generation.currencies:
        return msgspec.structs.replace(query, currency=currency)
    # Nothing has a price in it.
    return msgspec.structs.replace(query, currency=currency, price_min=None, price_max=None, sort="sku")


def _identity(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


_TOTAL = {"total": {"value_count": {"field": "listed"}}}  # which every product has


def _in_each_currency(generation: Generation, query: ProductQuery, words: tantivy.Query | None) -> Counted:
    """What each currency would find, with the bounds of the price in it."""
    queries = {one: msgspec.structs.replace(query, currency=one) for one in generation.currencies}
    return currency_counted(
        {one: generation.count(generation.queries.filtered(own, words)) for one, own in queries.items()}
    )


class _Facets(NamedTuple):
    """Counts per value by facet, those that were cut off, and how many products there are."""

    values: dict[str, list[FacetValue]]
    cut: list[str]
    total: int


def _facets(
    generation: Generation, query: ProductQuery, words: tantivy.Query | None, asked: ProductQuery
) -> _Facets:
    """Each facet is without its own filter but with all the others, the total with all of them.

    `asked`: the query before it was seen that nothing has a price in its currency.
    """
    filtered: list[FilterName] = []
    if query.category is not None:
        filtered.append("category")
    if query.in_stock is not None:
        filtered.append("in_stock")
    if query.currency is not None and generation.currencies != (query.currency,):
        filtered.append("currency")
    together = [name for name in (*FACETS, "attribute") if name not in filtered]

    def aggregated(fields: Iterable[str], leave_out: FilterName | None = None) -> dict[str, Any]:
        wanted = generation.queries.filtered(query, words, leave_out=leave_out)
        aggregations = {field: terms_of(field) for field in fields}
        return generation.searcher.aggregate(wanted, aggregations | _TOTAL)

    found = aggregated(together)
    counts = {field: counted(found[field]) for field in together}
    for name in filtered:
        field = str(name)
        if name == "currency" and asked.bounds_price:
            counts[field] = _in_each_currency(generation, asked, words)
        else:
            counts[field] = counted(aggregated([field], name)[field])
    attributes = {
        attribute: counted(aggregated(["attribute"], attribute)["attribute"])
        for attribute in query.attributes
    }
    values, cut = facets_of(counts, attributes)
    return _Facets(values, cut, int(found["total"]["value"]))
