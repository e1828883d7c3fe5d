"""A query plan as the embedded engine's queries: which products have the words, and in which order.

A product has a word as it was typed, or only begun, or with a slip of the keys: all words as typed make the
first tier, then the begun ones, then slips. The tiers follow each other in every order: by relevance they are
part of the score, any other sort is within each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import msgspec
import tantivy

from projections.documents.search import POPULARITY_MAX, Described
from projections.documents.words import weights
from projections.documents.words.highlights import Marker, probably_meant
from projections.documents.words.normalizer import Normalizer
from projections.documents.words.query_plan import PlannedWord, QueryPlan, words_enough

_FEW = 32
"""Products that are named one by one rather than looked for again."""

_REMEMBERED_MAX = 1_024
_described = msgspec.json.Decoder(Described)

Clause = tuple[tantivy.Occur, tantivy.Query]


@dataclass(frozen=True, slots=True)
class FoundWords:
    """What the words of a query find in one commit of the index."""

    ranked: tantivy.Query
    """Every tier, in order."""
    found: tantivy.Query
    """The same products, unordered."""
    tiers: tuple[tantivy.Query, ...]
    """The same products, each once: those of the first tier, of the second, of the third."""
    relaxed: tuple[str, ...] = ()
    """The words that fell away, as typed."""
    did_you_mean: str | None = None
    plan: QueryPlan | None = None
    has_slips_only: bool = False


NOTHING = FoundWords(tantivy.Query.empty_query(), tantivy.Query.empty_query(), ())


class WordQueries:
    """Finds out what words find in one commit of an index."""

    def __init__(self, schema: tantivy.Schema, searcher: tantivy.Searcher, normalizer: Normalizer) -> None:
        self._schema = schema
        self._searcher = searcher
        self.normalizer = normalizer
        self.plan = normalizer.plan
        self.of = lru_cache(maxsize=_REMEMBERED_MAX)(self._of)

    def _of(self, typed: str) -> FoundWords:
        """What is found for this text. Words that nothing has fall away; then one, then up to 40 %."""
        plan = self.normalizer.plan(typed)
        if not plan.words:
            return NOTHING
        words = [_Word(self, word) for word in plan.demanded]
        exact, begun = _all(word.exact for word in words), _all(word.begun for word in words)
        exact_count, begun_count = self.count(exact), self.count(begun)
        slipped = scored = begun
        if begun_count < weights.SLIPS_BELOW:
            slipped, scored = self._fixed(_all(word.slipped for word in words), words)
        if slipped is not None and scored is not None:
            above: list[tantivy.Query] = []
            if exact is not None and exact_count:
                above.append(exact)
            if begun is not None and begun_count > exact_count:
                above.append(begun)
            ranked = self._ranked(plan, scored, above, words)
            return FoundWords(
                ranked=ranked,
                found=slipped,
                tiers=_apart(above if begun_count >= weights.SLIPS_BELOW else [*above, slipped]),
                did_you_mean=None if begun_count else self._meant(plan, ranked),
                plan=plan,
                has_slips_only=not begun_count,
            )
        return self._relaxed(plan, words)

    def _fixed(
        self, found: tantivy.Query | None, words: Sequence[_Word]
    ) -> tuple[tantivy.Query | None, tantivy.Query | None]:
        """The products that the query finds, unordered, and scored by their words; None where there are none.

        Where they are few, they are found again without looking for slips, the dearest part of a search.
        """
        if found is None:
            return None, None
        result = self._searcher.search(found, _FEW + 1)
        if not result.hits:
            return None, None
        if len(result.hits) > _FEW:
            return found, found
        skus = [self._searcher.doc(address).get_first("sku") for _, address in result.hits]
        these = tantivy.Query.const_score_query(tantivy.Query.term_set_query(self._schema, "sku", skus), 0.0)
        clauses: list[Clause] = [(tantivy.Occur.Must, these)]
        clauses += [(tantivy.Occur.Should, word.begun) for word in words if word.begun is not None]
        return these, tantivy.Query.boolean_query(clauses)

    def _relaxed(self, plan: QueryPlan, words: Sequence[_Word]) -> FoundWords:
        known = [word for word in words if word.exact is not None or self.count(word.slipped)]
        unknown = [word.planned.typed for word in words if word not in known]
        queries = [word.slipped for word in known if word.slipped is not None]
        if not queries:
            return NOTHING
        enoughs = dict.fromkeys((len(queries), len(queries) - 1, words_enough(len(queries))))
        if not unknown:
            del enoughs[len(queries)]  # No product has all of them: that was found out before.
        for enough in enoughs:
            if enough < 1:
                continue
            clauses: list[Clause] = [(tantivy.Occur.Should, query) for query in queries]
            found = tantivy.Query.boolean_query(clauses, minimum_number_should_match=enough)
            first = self._searcher.search(found, 1, count=False).hits
            if first:
                missing = [] if enough == len(queries) else self._missing(known, first[0][1])
                fallen = {*unknown, *missing}
                return FoundWords(
                    ranked=self._ranked(plan, found, [], words),
                    found=found,
                    tiers=(found,),
                    relaxed=tuple(word.planned.typed for word in words if word.planned.typed in fallen),
                    plan=plan,
                )
        return NOTHING

    def _meant(self, plan: QueryPlan, ranked: tantivy.Query) -> str | None:
        """What was typed as the best product has it."""
        hits = self._searcher.search(ranked, 1, count=False).hits
        document = bytes(self._searcher.doc(hits[0][1]).get_first("document") or b"")
        return probably_meant(plan, self.normalizer, _described.decode(document).names)

    def _missing(self, words: Sequence[_Word], address: tantivy.DocAddress) -> list[str]:
        """The words that this product has not."""
        sku = self._searcher.doc(address).get_first("sku")
        this = tantivy.Query.term_query(self._schema, "sku", sku, "basic")
        clauses: list[Clause] = [(tantivy.Occur.Must, tantivy.Query.const_score_query(this, 0.0))]
        for bit, word in enumerate(words):
            if word.slipped is not None:
                own = tantivy.Query.const_score_query(word.slipped, float(1 << bit))
                clauses.append((tantivy.Occur.Should, own))
        hits = self._searcher.search(tantivy.Query.boolean_query(clauses), 1, count=False).hits
        has = int(hits[0][0]) if hits else 0
        return [word.planned.typed for bit, word in enumerate(words) if not has >> bit & 1]

    def _ranked(
        self,
        plan: QueryPlan,
        found: tantivy.Query,
        tiers: Iterable[tantivy.Query],
        words: Sequence[_Word],
    ) -> tantivy.Query:
        clauses: list[Clause] = [(tantivy.Occur.Must, found)]
        clauses += [
            (tantivy.Occur.Should, tantivy.Query.const_score_query(tier, weights.TIER)) for tier in tiers
        ]
        if (in_title := _all(word.in_title for word in words)) is not None:
            clauses.append(
                (tantivy.Occur.Should, tantivy.Query.const_score_query(in_title, weights.IN_TITLE))
            )
        as_written = _all(self.term("title", word.exact) for word in plan.words)
        if as_written is not None:
            scored = tantivy.Query.const_score_query(as_written, weights.AS_WRITTEN)
            levels: list[Clause] = [(tantivy.Occur.Must, scored), *self._popularity(weights.POPULARITY)]
            clauses.append((tantivy.Occur.Should, tantivy.Query.boolean_query(levels)))
        if (whole := self.term("whole", plan.whole)) is not None:
            clauses.append((tantivy.Occur.Should, tantivy.Query.const_score_query(whole, weights.WHOLE)))
        for code in {code for word in plan.words for code in word.codes if not code.isalpha()}:
            length = min(len(code), weights.CODE_LENGTH_MAX)
            ways = [(self.term(field, code), weight) for field, weight in weights.CODES.items()]
            if ways[-1][0] is not None:  # Beginnings are parts.
                ways.append((self.fuzzy("codes", code, 1.0, slips=0, begun=True), weights.CODE_BEGUN))
            for query, weight in ways:
                if query is not None:
                    scored = tantivy.Query.const_score_query(query, weight * length)
                    clauses.append((tantivy.Occur.Should, scored))
        for word in plan.words:
            if word.is_little and (little := self.term("title", word.exact)) is not None:
                clauses.append((tantivy.Occur.Should, little))
        return tantivy.Query.boolean_query(clauses)

    def begun(self, plan: QueryPlan, *, with_slips: bool) -> tantivy.Query | None:
        """Products that have all words, the last one begun, and where asked for, each with one slip."""
        return _all(
            _Word(self, word).suggested if with_slips else _Word(self, word).begun for word in plan.demanded
        )

    def popular(self, plan: QueryPlan, found: tantivy.Query) -> tantivy.Query:
        """What was found: first what has the words in its title, of these the most popular."""
        words = [_Word(self, word) for word in plan.demanded]
        clauses: list[Clause] = [(tantivy.Occur.Must, found), *self._popularity(weights.SUGGESTED_POPULARITY)]
        for better, weight in (
            (_all(word.in_title for word in words), weights.TIER),
            (_all(word.exact for word in words), weights.SUGGESTED_POPULARITY / 2),
            (self.term("whole", plan.whole), weights.SUGGESTED_POPULARITY / 2),
        ):
            if better is not None:
                clauses.append((tantivy.Occur.Should, tantivy.Query.const_score_query(better, weight)))
        return tantivy.Query.boolean_query(clauses)

    def _popularity(self, weight: float) -> list[Clause]:
        return [
            (tantivy.Occur.Should, tantivy.Query.const_score_query(query, weight * level))
            for level, query in self._levels
        ]

    @cached_property
    def _levels(self) -> list[tuple[int, tantivy.Query]]:
        """The levels of popularity that there are, but for none."""
        found = (
            (level, tantivy.Query.term_query(self._schema, "popularity", level, "basic"))
            for level in range(1, POPULARITY_MAX + 1)
        )
        return [(level, query) for level, query in found if self._searcher.doc_freq("popularity", level)]

    def highlights(self, found: FoundWords, documents: Sequence[bytes]) -> list[dict[str, str]]:
        """Where the words are in each of these products' documents."""
        if found.plan is None:
            return [{} for _ in documents]
        described = map(_described.decode, documents)
        marker = Marker(found.plan, self.normalizer, with_slips=found.has_slips_only)
        return [marker.highlights(one.title, one.description) for one in described]

    def term(self, field: str, token: str) -> tantivy.Query | None:
        """Products that have this token, None where there are none."""
        if not token or not self._searcher.doc_freq(field, token):
            return None
        option = "basic" if field == "whole" else "freq"
        return tantivy.Query.term_query(self._schema, field, token, option)

    def weighted(self, field: str, token: str, weight: float) -> list[tantivy.Query]:
        """The same as a list of one or none, weighing so much."""
        query = self.term(field, token)
        return [] if query is None else [tantivy.Query.boost_query(query, weight)]

    def stems(self, stem: str) -> list[tantivy.Query]:
        """Products that have this stem anywhere."""
        return [
            query for field, weight in weights.STEMS.items() for query in self.weighted(field, stem, weight)
        ]

    def fuzzy(self, field: str, word: str, weight: float, *, slips: int, begun: bool) -> tantivy.Query:
        """Products that have a word which differs by so many letters, or begins like this one."""
        query = tantivy.Query.fuzzy_term_query(self._schema, field, word, slips, prefix=begun)
        return tantivy.Query.boost_query(query, weight)

    def count(self, query: tantivy.Query | None) -> int:
        """How many there are."""
        if query is None:
            return 0
        return int(self._searcher.search(query, 1).count)  # type: ignore[attr-defined]


class _Word:
    """A word's query by tier; None where the tier has no product."""

    def __init__(self, queries: WordQueries, planned: PlannedWord) -> None:
        self.planned = planned
        exact = self._exact(queries)
        begun = [*exact, *self._begun(queries)]
        self._queries = queries
        self.exact = _any(exact)
        self.begun = _any(begun)
        self._of_begun = begun

    @property
    def slipped(self) -> tantivy.Query | None:
        """With slips too."""
        word = self.planned
        if not word.slips:
            return self.begun
        slips = [
            self._queries.fuzzy(field, word.word, weight, slips=word.slips, begun=False)
            for field, weight in weights.SLIP.items()
        ]
        return _any([*self._of_begun, *slips])

    @property
    def suggested(self) -> tantivy.Query | None:
        """With one slip, also in what is only begun."""
        word, queries = self.planned, self._queries
        if not word.slips:
            return self.begun
        slips = [
            queries.fuzzy(field, word.word, weight, slips=1, begun=word.begun)
            for field, weight in weights.SLIP.items()
        ]
        return _any([*self._of_begun, *slips])

    @property
    def in_title(self) -> tantivy.Query | None:
        """As typed or begun, and in the title."""
        word, queries = self.planned, self._queries
        found = [
            query
            for stem in (word.stem, *word.joined)
            for field in ("title_stems", "joined")
            if (query := queries.term(field, stem)) is not None
        ]
        if word.begun:
            found.append(queries.fuzzy("title", word.word, 1.0, slips=0, begun=True))
        return _any(found)

    def _exact(self, queries: WordQueries) -> list[tantivy.Query]:
        word = self.planned
        found = queries.weighted("title", word.exact, weights.WRITTEN)
        found += queries.stems(word.stem)
        found += queries.weighted("joined", word.stem, weights.JOINED)
        for joined in word.joined:
            found += queries.stems(joined)
            found += queries.weighted("joined", joined, weights.JOINED)
        for code in word.codes:
            found += queries.weighted("codes", code, weights.CODE)
        for tokens in word.instead:
            phrase = _all([_any(queries.stems(token)) for token in tokens])
            if phrase is not None:
                found.append(tantivy.Query.boost_query(phrase, weights.INSTEAD))
        return found

    def _begun(self, queries: WordQueries) -> list[tantivy.Query]:
        word = self.planned
        found = [
            query for code in word.codes for query in queries.weighted("code_parts", code, weights.CODE_PART)
        ]
        if word.begun:
            found += [
                queries.fuzzy(field, word.word, weight, slips=0, begun=True)
                for field, weight in weights.BEGUN.items()
            ]
        return found


def _any(queries: Sequence[tantivy.Query]) -> tantivy.Query | None:
    if not queries:
        return None
    return queries[0] if len(queries) == 1 else tantivy.Query.disjunction_max_query(queries, weights.TIE)


def _apart(tiers: Sequence[tantivy.Query]) -> tuple[tantivy.Query, ...]:
    """Each without what those before it find; they hold each other in this order."""
    clauses = (
        [(tantivy.Occur.Must, tier), (tantivy.Occur.MustNot, before)] for before, tier in pairwise(tiers)
    )
    return (*tiers[:1], *map(tantivy.Query.boolean_query, clauses))


def _all(queries: Iterable[tantivy.Query | None]) -> tantivy.Query | None:
    """Products that every query finds; None where one of them is None."""
    clauses: list[Clause] = []
    for query in queries:
        if query is None:
            return None
        clauses.append((tantivy.Occur.Must, query))
    return clauses[0][1] if len(clauses) == 1 else tantivy.Query.boolean_query(clauses)
