"""What the words of a query find in the embedded index: which tiers have products, which words fall away.

The tiers follow each other in every order: by relevance they are part of the score, any other sort is within
each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import msgspec
import tantivy

from projections.documents.search import Described
from projections.documents.tantivy_clauses import ClauseQueries
from projections.documents.words.clauses import Clause, Constant, PlanClauses, WordClauses, some
from projections.documents.words.highlights import Marker, probably_meant
from projections.documents.words.normalizer import Normalizer
from projections.documents.words.query_plan import QueryPlan, words_enough
from projections.documents.words.weights import SLIPS_BELOW

_FEW = 32
"""Products that are named one by one rather than looked for again."""

_REMEMBERED_MAX = 1_024
_described = msgspec.json.Decoder(Described)


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
        self._queries = ClauseQueries(schema, searcher)
        self.normalizer = normalizer
        self.of = lru_cache(maxsize=_REMEMBERED_MAX)(self._of)

    def _of(self, typed: str) -> FoundWords:
        """What is found for this text. Words that nothing has fall away; then one, then up to 40 %."""
        plan = self.normalizer.plan(typed)
        if not plan.words:
            return NOTHING
        clauses = self.clauses(plan)
        exact, begun = self.query(clauses.exact), self.query(clauses.begun)
        exact_count, begun_count = self.count(exact), self.count(begun)
        found = scored = begun
        if begun_count < SLIPS_BELOW:
            found, scored = self._fixed(self.query(clauses.slipped), clauses.words)
        if found is None or scored is None:
            return self._relaxed(clauses)
        above: list[Clause] = []
        tiers: list[tantivy.Query] = []
        for clause, tier, is_more in (
            (clauses.exact, exact, exact_count),
            (clauses.begun, begun, begun_count > exact_count),
        ):
            if clause is not None and tier is not None and is_more:
                above.append(clause)
                tiers.append(tier)
        ranked = self._queries.preferring(scored, clauses.preferred(above))
        return FoundWords(
            ranked=ranked,
            found=found,
            tiers=_apart(tiers if begun_count >= SLIPS_BELOW else [*tiers, found]),
            did_you_mean=None if begun_count else self._meant(plan, ranked),
            plan=plan,
            has_slips_only=not begun_count,
        )

    def clauses(self, plan: QueryPlan) -> PlanClauses:
        """What finds the words of a plan in this commit."""
        return PlanClauses(plan, self._queries.has)

    def query(self, clause: Clause | None) -> tantivy.Query | None:
        """What finds and scores the same as the clause."""
        return None if clause is None else self._queries.query(clause)

    def _fixed(
        self, found: tantivy.Query | None, words: Iterable[WordClauses]
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
        begun = [clause for word in words if (clause := word.begun) is not None]
        return these, self._queries.preferring(these, begun)

    def _relaxed(self, clauses: PlanClauses) -> FoundWords:
        known = [word for word in clauses.words if self._is_known(word)]
        if not known:
            return NOTHING
        fallen = {word.planned.typed for word in clauses.words if word not in known}
        enoughs = dict.fromkeys((len(known), len(known) - 1, words_enough(len(known))))
        if not fallen:
            del enoughs[len(known)]  # No product has all of them: that was found out before.
        for enough in enoughs:
            found = self.query(some((word.slipped for word in known), enough))
            first = self._searcher.search(found, 1, count=False).hits if found is not None else []
            if found is None or not first:
                continue
            if enough < len(known):
                fallen.update(self._missing(known, first[0][1]))
            return FoundWords(
                ranked=self._queries.preferring(found, clauses.preferred()),
                found=found,
                tiers=(found,),
                relaxed=tuple(typed for word in clauses.words if (typed := word.planned.typed) in fallen),
                plan=clauses.plan,
            )
        return NOTHING

    def _is_known(self, word: WordClauses) -> bool:
        return any(self.count(self.query(clause)) for clause in (word.exact, word.slipped))

    def _meant(self, plan: QueryPlan, ranked: tantivy.Query) -> str | None:
        """What was typed as the best product has it."""
        hits = self._searcher.search(ranked, 1, count=False).hits
        document = bytes(self._searcher.doc(hits[0][1]).get_first("document") or b"")
        return probably_meant(plan, self.normalizer, _described.decode(document).names)

    def _missing(self, words: Sequence[WordClauses], address: tantivy.DocAddress) -> list[str]:
        """The words that this product has not."""
        sku = self._searcher.doc(address).get_first("sku")
        this = tantivy.Query.const_score_query(
            tantivy.Query.term_query(self._schema, "sku", sku, "basic"), 0.0
        )
        bits = [
            Constant(clause, float(1 << bit))
            for bit, word in enumerate(words)
            if (clause := word.slipped) is not None
        ]
        hits = self._searcher.search(self._queries.preferring(this, bits), 1, count=False).hits
        has = int(hits[0][0]) if hits else 0
        return [word.planned.typed for bit, word in enumerate(words) if not has >> bit & 1]

    def highlights(self, found: FoundWords, documents: Sequence[bytes]) -> list[dict[str, str]]:
        """Where the words are in each of these products' documents."""
        if found.plan is None:
            return [{} for _ in documents]
        described = map(_described.decode, documents)
        marker = Marker(found.plan, self.normalizer, with_slips=found.has_slips_only)
        return [marker.highlights(one.title, one.description) for one in described]

    def count(self, query: tantivy.Query | None) -> int:
        """How many there are."""
        if query is None:
            return 0
        return int(self._searcher.search(query, 1).count)  # type: ignore[attr-defined]


def _apart(tiers: Sequence[tantivy.Query]) -> tuple[tantivy.Query, ...]:
    """Each without what those before it find; they hold each other in this order."""
    clauses = (
        [(tantivy.Occur.Must, tier), (tantivy.Occur.MustNot, before)] for before, tier in pairwise(tiers)
    )
    return (*tiers[:1], *map(tantivy.Query.boolean_query, clauses))
