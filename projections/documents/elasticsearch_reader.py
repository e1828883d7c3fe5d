"""Reads the search index that the projector writes in Elasticsearch.

Every page comes from one refresh of one version, with the position of the checkpoint that is visible in it.
Each search checks the pointer too, so that another version is taken up at once. What words find is
remembered as long as the index stands where it was found out.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from projections.documents.elasticsearch_clauses import NONE
from projections.documents.elasticsearch_connection import REQUEST_SECONDS_MAX, Connection, Gone, Version
from projections.documents.elasticsearch_names import IndexNames
from projections.documents.elasticsearch_queries import (
    ProductSearch,
    currencies_body,
    currencies_of,
)
from projections.documents.elasticsearch_searches import (
    count_of,
    counted,
    position_of,
    with_count,
    with_position,
)
from projections.documents.elasticsearch_suggestions import find_suggestions
from projections.documents.elasticsearch_words import (
    NOTHING,
    FoundWords,
    as_typed_or_begun,
    clauses_of,
    is_enough,
    with_slips,
)
from projections.documents.errors import ReadStoreUnavailable, ViewNotReady
from projections.documents.search import (
    DEPTH_MAX,
    VIEW,
    After,
    CurrencyNeededError,
    Described,
    Offset,
    Page,
    Place,
    PlaceExpiredError,
    ProductQuery,
    Suggestions,
)
from projections.documents.words.highlights import Marker

_ATTEMPTS = 3
_RETAINED_GENERATIONS = 64
_REMEMBERED_MAX = 1_024

_described = msgspec.json.Decoder(Described)
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class _Generation:
    """One refresh of one version, as it was found."""

    version: Version
    checkpoint: int

    @property
    def name(self) -> str:
        return f"{self.version.pointer.version}.{self.checkpoint}"

    @property
    def position(self) -> int:
        return 0 if self.version.pointer.past else self.checkpoint


@dataclass(frozen=True, slots=True)
class _Retained:
    """A generation that is kept by the server for a while."""

    generation: _Generation
    pit: str


class ElasticsearchReader:
    """See SearchReader."""

    def __init__(
        self, url: str, *, names: IndexNames | None = None, seconds_max: float = REQUEST_SECONDS_MAX
    ) -> None:
        """`url`: with user and password in it where the server wants them. `seconds_max`: of a request."""
        self._connection = Connection(url, names or IndexNames(), seconds_max)
        self._version: Version | None = None
        self._seen = ""  # the newest generation
        self._retained: OrderedDict[str, _Retained] = OrderedDict()
        self._retaining = asyncio.Lock()
        self._currencies: tuple[str, tuple[str, ...]] | None = None  # of a generation by name
        self._found: OrderedDict[tuple[str, str], FoundWords] = OrderedDict()

    async def position(self) -> int:
        """See SearchReader."""
        return await self._in_live_version(self._position)

    async def search(self, query: ProductQuery, *, limit: int, place: Place | None = None) -> Page:
        """See SearchReader."""
        by_relevance = query.sort == "relevance" and query.words is not None

        async def read(version: Version) -> Page:
            if not by_relevance:
                after = place if isinstance(place, After) else None
                return await self._sorted(version, query, limit, after)
            if isinstance(place, Offset):
                return await self._following(version, query, limit, place)
            return await self._first(version, query, limit)

        return await self._in_live_version(read)

    async def suggest(self, typed: str, *, limit: int) -> Suggestions:
        """See SearchReader."""

        async def read(version: Version) -> Suggestions:
            generation: _Generation | None = None

            async def run(*bodies: Mapping[str, Any]) -> list[dict[str, Any]]:
                nonlocal generation
                generation, responses = await self._run(version, None, *bodies)
                return responses

            items = await find_suggestions(run, version.normalizer, typed, limit)
            position = generation.position if generation else await self._position(version)
            return Suggestions(items, position)

        return await self._in_live_version(read)

    async def close(self) -> None:
        """See SearchReader."""
        await asyncio.gather(*(self._connection.close_pit(one.pit) for one in self._retained.values()))
        await self._connection.close()

    async def _in_live_version(self, read: Callable[[Version], Awaitable[Found]]) -> Found:
        """Reads, and once more where the pointer has moved meanwhile."""
        for _ in range(_ATTEMPTS):
            version = self._version = self._version or await self._connection.live_version()
            try:
                return await read(version)
            except Gone:
                self._version = None
        raise ReadStoreUnavailable("Elasticsearch: the live version of the search index moves all the time")

    async def _position(self, version: Version) -> int:
        generation, _ = await self._run(version, None, with_position(NONE) | {"size": 0})
        return generation.position

    async def _sorted(self, version: Version, query: ProductQuery, limit: int, after: After | None) -> Page:
        matched = await self._matched(
            version, None, query, lambda search, words: search.sorted(words, after, limit + 1)
        )
        hits = matched.hits
        more = len(hits) > limit
        following = matched.search.place_of(matched.found, hits[limit - 1]) if more else None
        return await matched.page(hits[:limit], following)

    async def _first(self, version: Version, query: ProductQuery, limit: int) -> Page:
        """By relevance; where there is more, the generation is kept for the pages that follow."""
        page, name = await self._ranked(version, query, limit, 0, None)
        if page.next is None:
            return page
        retained = self._retained.get(name) or await self._retain(version)
        if retained.generation.name != name:  # There was a refresh meanwhile.
            page, _ = await self._ranked(version, query, limit, 0, retained)
        return page

    async def _following(self, version: Version, query: ProductQuery, limit: int, place: Offset) -> Page:
        retained = self._retained.get(place.generation)
        if retained is None:
            await self._position(version)
            # Another process's page, perhaps.
            retained = await self._retain(version) if self._seen == place.generation else None
        if retained is None or retained.generation.name != place.generation:
            raise PlaceExpiredError
        try:
            page, _ = await self._ranked(retained.generation.version, query, limit, place.offset, retained)
        except Gone:
            self._retained.pop(place.generation, None)
            raise PlaceExpiredError from None
        return page

    async def _ranked(
        self, version: Version, query: ProductQuery, limit: int, offset: int, retained: _Retained | None
    ) -> tuple[Page, str]:
        """The page, and the name of its generation."""
        limit = max(0, min(limit, DEPTH_MAX - offset))
        offset = min(offset, DEPTH_MAX)  # beyond the last that was ever given

        matched = await self._matched(
            version, retained, query, lambda search, words: search.ranked(words or NOTHING, offset, limit)
        )
        end, name = offset + len(matched.hits), matched.generation.name
        has_more = bool(matched.hits) and end < min(matched.total, DEPTH_MAX)
        return await matched.page(matched.hits, Offset(end, name) if has_more else None), name

    async def _matched(
        self,
        version: Version,
        retained: _Retained | None,
        query: ProductQuery,
        body: Callable[[ProductSearch, FoundWords | None], dict[str, Any]],
    ) -> _Matched:
        """What matches, in the generation for which it was found out what the words find."""
        for _ in range(_ATTEMPTS):
            currencies, priced_in = await self._currencies_of(version, retained, query)
            search = ProductSearch(_priced(query, currencies), currencies)
            matched, found_in = await self._in_words(version, retained, search, query.words, body)
            if {priced_in, *found_in} <= {None, matched.generation.name}:
                break  # Else there was a refresh in between; in the end that matters little.
        return matched

    async def _currencies_of(
        self, version: Version, retained: _Retained | None, query: ProductQuery
    ) -> tuple[tuple[str, ...], str | None]:
        """Those that products on sale have prices in, where the query depends on that, and the name of the
        generation in which they do; None: in any. Raises CurrencyNeededError where it has to name one."""
        if not (query.bounds_price or (query.compares_prices and query.currency is None)):
            return (), None
        name: str = retained.generation.name if retained else self._seen
        known = self._currencies
        is_refused = query.currency is None and known is not None and len(known[1]) > 1
        if known is None or known[0] != name or is_refused:
            generation, (response,) = await self._run(version, retained, currencies_body())
            known = self._currencies = generation.name, currencies_of(response)
        name, currencies = known
        if query.currency is None and len(currencies) > 1:
            raise CurrencyNeededError(currencies)
        return currencies, name

    async def _in_words(
        self,
        version: Version,
        retained: _Retained | None,
        search: ProductSearch,
        typed: str | None,
        body: Callable[[ProductSearch, FoundWords | None], dict[str, Any]],
    ) -> tuple[_Matched, set[str]]:
        """What matches, and the names of the generations in which it was found out what the words find."""
        found: FoundWords | None = None
        name: str = retained.generation.name if retained else self._seen
        if typed is not None and (found := self._found.get((name, typed))) is None:
            return await self._in_new_words(version, retained, search, typed, body)
        generation, (response,) = await self._run(version, retained, body(search, found))
        if found is None:
            return _Matched(generation, search, None, response), set()
        self._found.move_to_end((name, typed or ""))
        return _Matched(generation, search, found, response), {name}

    async def _in_new_words(
        self,
        version: Version,
        retained: _Retained | None,
        search: ProductSearch,
        typed: str,
        body: Callable[[ProductSearch, FoundWords | None], dict[str, Any]],
    ) -> tuple[_Matched, set[str]]:
        names: set[str] = set()

        async def run(*bodies: Mapping[str, Any]) -> list[dict[str, Any]]:
            generation, responses = await self._run(version, retained, *bodies)
            names.add(generation.name)
            return responses

        found, begun_count = NOTHING, 0
        plan = version.normalizer.plan(typed)
        if plan.words:
            clauses = clauses_of(plan)
            if (guess := as_typed_or_begun(clauses)) is not None:
                wanted = with_count(body(search, guess), guess.found)
                generation, (response,) = await self._run(version, retained, wanted)
                names.add(generation.name)
                begun_count = counted(response)
                if is_enough(clauses, begun_count):
                    self._remember(names, generation, typed, guess)
                    return _Matched(generation, search, guess, response), names
            found = await with_slips(run, version.normalizer, clauses, begun_count)
        generation, (response,) = await self._run(version, retained, body(search, found))
        self._remember(names, generation, typed, found)
        return _Matched(generation, search, found, response), names

    def _remember(self, names: set[str], generation: _Generation, typed: str, found: FoundWords) -> None:
        """`names`: of the generations in which it was found out."""
        if not names <= {generation.name}:
            return
        self._found[generation.name, typed] = found
        while len(self._found) > _REMEMBERED_MAX:
            self._found.popitem(last=False)

    async def _run(
        self, version: Version, retained: _Retained | None, *bodies: Mapping[str, Any]
    ) -> tuple[_Generation, list[dict[str, Any]]]:
        if retained is not None:
            responses = await self._connection.search_back(retained.pit, *bodies)
        else:
            responses = await self._connection.search(version, *bodies)
        position = position_of(responses[-1])
        if position is None:
            raise ViewNotReady(VIEW)
        generation = _Generation(version, position)
        if retained is None:
            self._seen = generation.name
        return generation, responses

    async def _retain(self, version: Version) -> _Retained:
        """The newest generation, kept."""
        async with self._retaining:
            if (retained := self._retained.get(self._seen)) is not None:
                return retained
            pit = await self._connection.open_pit(version)
            (response,) = await self._connection.search_back(pit, with_position(NONE) | {"size": 0})
            position = position_of(response)
            if position is None:
                raise ViewNotReady(VIEW)
            retained = _Retained(_Generation(version, position), pit)
            self._retained[retained.generation.name] = retained
            while len(self._retained) > _RETAINED_GENERATIONS:
                _, oldest = self._retained.popitem(last=False)
                await self._connection.close_pit(oldest.pit)
            return retained


def _priced(query: ProductQuery, currencies: Sequence[str]) -> ProductQuery:
    """The query with the currency that prices are compared in."""
    if query.currency is not None or not query.compares_prices:
        return query
    return msgspec.structs.replace(query, currency=next(iter(currencies), ""))


@dataclass(frozen=True, slots=True)
class _Matched:
    """What a search found."""

    generation: _Generation
    search: ProductSearch
    found: FoundWords | None
    response: dict[str, Any]

    @property
    def hits(self) -> list[dict[str, Any]]:
        return list(self.response["hits"]["hits"])

    @property
    def total(self) -> int:
        return count_of(self.response)

    async def page(self, hits: list[dict[str, Any]], following: Place | None) -> Page:
        items = [b64decode(hit["_source"]["document"]) for hit in hits]
        facets, cut = self.search.facets(self.response)
        return Page(
            items=items,
            total=self.total,
            facets=facets,
            next=following,
            position=self.generation.position,
            highlights=await asyncio.to_thread(self._highlights, items),
            facets_cut=cut,
            relaxed=list(self.found.relaxed) if self.found else [],
            did_you_mean=self.found.did_you_mean if self.found else None,
        )

    def _highlights(self, items: list[bytes]) -> list[dict[str, str]]:
        if self.found is None or self.found.plan is None:
            return [{} for _ in items]
        marker = Marker(
            self.found.plan, self.generation.version.normalizer, with_slips=self.found.has_slips_only
        )
        described = map(_described.decode, items)
        return [marker.highlights(one.title, one.description) for one in described]
