"""What is looked for, as a tree of clauses: each engine translates it, and decides nothing.

A clause finds products and scores each. Of what an engine knows that no product has there is none: a clause
that would find nothing is None. A product has a word as it was typed, or only begun, or with a slip of the
keys: all words as typed make the first tier, then the begun ones, then slips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import msgspec

from projections.documents.words import weights
from projections.documents.words.query_plan import PlannedWord, QueryPlan

Has = Callable[[str, str], bool]
"""Whether some product's field has a token."""


class Token(msgspec.Struct, frozen=True):
    """Products whose field has this token: BM25, times `weight`."""

    field: str
    token: str
    weight: float = 1.0


class Beginning(msgspec.Struct, frozen=True):
    """Products whose field has a token that begins so: `weight` each."""

    field: str
    letters: str
    weight: float = 1.0


class Near(msgspec.Struct, frozen=True):
    """Products whose field has a token that differs from `word` by at most so many letters, or where `begun`,
    one whose beginning does: `weight` each."""

    field: str
    word: str
    slips: int
    weight: float
    begun: bool = False


class AllOf(msgspec.Struct, frozen=True):
    """Products that every clause finds: the sum of their scores."""

    clauses: tuple[Clause, ...]


class BestOf(msgspec.Struct, frozen=True):
    """Products that some clause finds: the best score, and weights.TIE of the others."""

    clauses: tuple[Clause, ...]


class SomeOf(msgspec.Struct, frozen=True):
    """Products that at least so many of the clauses find: the sum of their scores."""

    clauses: tuple[Clause, ...]
    enough: int


class Constant(msgspec.Struct, frozen=True):
    """What the clause finds: `score` each."""

    clause: Clause
    score: float


class Weighted(msgspec.Struct, frozen=True):
    """What the clause finds: its score times `weight`."""

    clause: Clause
    weight: float


class Popularity(msgspec.Struct, frozen=True):
    """Every product: `weight` for each level of its popularity."""

    weight: float


class Preferred(msgspec.Struct, frozen=True):
    """What `found` finds: its score, and those of `preferred` that find it too."""

    found: Clause
    preferred: tuple[Clause, ...]


Clause = Token | Beginning | Near | AllOf | BestOf | SomeOf | Constant | Weighted | Popularity | Preferred


class WordClauses:
    """Products that have one word, by tier."""

    def __init__(self, planned: PlannedWord, has: Has) -> None:
        self.planned = planned
        self._has = has

    @cached_property
    def exact(self) -> Clause | None:
        """As it was typed, in any of its forms."""
        return _best(self._exact)

    @cached_property
    def begun(self) -> Clause | None:
        """As typed, or only begun."""
        return _best(self._begun)

    @cached_property
    def slipped(self) -> Clause | None:
        """With slips too."""
        word = self.planned
        if not word.slips:
            return self.begun
        slips = (Near(field, word.word, word.slips, weight) for field, weight in weights.SLIP.items())
        return _best((*self._begun, *slips))

    @cached_property
    def suggested(self) -> Clause | None:
        """As typed or begun, or with one slip, also in what is only begun."""
        word = self.planned
        if not word.slips:
            return self.begun
        slips = (Near(field, word.word, 1, weight, word.begun) for field, weight in weights.SLIP.items())
        return _best((*self._begun, *slips))

    @cached_property
    def in_title(self) -> Clause | None:
        """As typed or begun, and in the title."""
        word = self.planned
        found: list[Clause] = []
        for stem in (word.stem, *word.joined):
            found += (*self._token("title_stems", stem), *self._token("joined", stem))
        if word.begun:
            found.append(Beginning("title", word.word))
        return _best(found)

    @cached_property
    def written(self) -> Clause | None:
        """As it was typed, in the title."""
        return _best(self._token("title", self.planned.exact))

    @cached_property
    def _exact(self) -> tuple[Clause, ...]:
        word = self.planned
        found: list[Clause] = [*self._token("title", word.exact, weights.WRITTEN)]
        for stem in (word.stem, *word.joined):
            found += (*self._stems(stem), *self._token("joined", stem, weights.JOINED))
        for code in word.codes:
            found += self._token("codes", code, weights.CODE)
        for tokens in word.instead:
            phrase = every(_best(self._stems(token)) for token in tokens)
            if phrase is not None:
                found.append(Weighted(phrase, weights.INSTEAD))
        return tuple(found)

    @cached_property
    def _begun(self) -> tuple[Clause, ...]:
        word = self.planned
        found = [*self._exact]
        for code in word.codes:
            found += self._token("code_parts", code, weights.CODE_PART)
        if word.begun:
            found += (Beginning(field, word.word, weight) for field, weight in weights.BEGUN.items())
        return tuple(found)

    def _stems(self, stem: str) -> list[Token]:
        return [
            token for field, weight in weights.STEMS.items() for token in self._token(field, stem, weight)
        ]

    def _token(self, field: str, token: str, weight: float = 1.0) -> tuple[Token, ...]:
        return (Token(field, token, weight),) if token and self._has(field, token) else ()


class PlanClauses:
    """Products that have the words of one plan."""

    def __init__(self, plan: QueryPlan, has: Has) -> None:
        self.plan = plan
        self._has = has
        of_word = {word: WordClauses(word, has) for word in plan.words}
        self.words = tuple(of_word[word] for word in plan.demanded)
        """Those that are demanded."""
        self._all_words = tuple(of_word.values())

    @cached_property
    def exact(self) -> Clause | None:
        """All words as typed, or the SKU of all that was typed."""
        return _best((*_known(every(word.exact for word in self.words)), *self._sku("codes", weights.CODE)))

    @cached_property
    def begun(self) -> Clause | None:
        """All words as typed or begun, or the SKU, or one that begins so."""
        return _best((*_known(every(word.begun for word in self.words)), *self._skus_begun))

    @cached_property
    def slipped(self) -> Clause | None:
        """All words, with slips too, or the SKU, or one that begins so."""
        return _best((*_known(every(word.slipped for word in self.words)), *self._skus_begun))

    @property
    def has_slips(self) -> bool:
        """Whether slips are looked for in any word."""
        return any(word.planned.slips for word in self.words)

    def preferred(self, tiers: Iterable[Clause] = ()) -> tuple[Clause, ...]:
        """What orders the products found: these tiers first, each above the sum of all that follows."""
        found: list[Clause] = [Constant(tier, weights.TIER) for tier in tiers]
        if (in_title := self._in_title) is not None:
            found.append(Constant(in_title, weights.IN_TITLE))
        if (as_written := every(word.written for word in self._all_words)) is not None:
            popular = (Popularity(weights.POPULARITY),)
            found.append(Preferred(Constant(as_written, weights.AS_WRITTEN), popular))
        sku = (Constant(token, weights.WHOLE) for token in self._sku("codes"))
        return (*found, *self._title(weights.WHOLE), *sku, *self._codes, *self._little)

    def suggested(self, *, with_slips: bool) -> Clause | None:
        """Products that have all words, the last one begun, or with slips, each with one slip: first
        what has the words in its title, of these the most popular."""
        found = every(word.suggested for word in self.words) if with_slips else self.begun
        if found is None:
            return None
        half = weights.SUGGESTED_POPULARITY / 2
        preferred: list[Clause] = [Popularity(weights.SUGGESTED_POPULARITY), *self._title(half)]
        for better, score in ((self._in_title, weights.TIER), (self.exact, half)):
            if better is not None:
                preferred.append(Constant(better, score))
        return Preferred(found, tuple(preferred))

    @cached_property
    def _in_title(self) -> Clause | None:
        return every(word.in_title for word in self.words)

    def _sku(self, field: str, weight: float = 1.0) -> Iterator[Token]:
        """All that was typed as one code: words without a digit are none by themselves."""
        sku = self.plan.sku
        if sku and self._has(field, sku):
            yield Token(field, sku, weight)

    @property
    def _skus_begun(self) -> Iterator[Clause]:
        yield from self._sku("codes", weights.CODE)
        if len(self.plan.words) > 1:  # A word alone is looked for among parts of codes anyway.
            yield from self._sku("code_parts", weights.CODE_PART)

    def _title(self, score: float) -> Iterator[Clause]:
        """The product that has just this title."""
        whole = self.plan.whole
        if whole and self._has("whole", whole):
            yield Constant(Token("whole", whole), score)

    @property
    def _codes(self) -> Iterator[Clause]:
        """The product that has this code, or one that begins or ends so."""
        codes = {code for word in self.plan.words for code in word.codes if not code.isalpha()}
        for code in sorted(codes):
            length = min(len(code), weights.CODE_LENGTH_MAX)
            known = [field for field in weights.CODES if self._has(field, code)]
            yield from (Constant(Token(field, code), weights.CODES[field] * length) for field in known)
            if "code_parts" in known:  # Beginnings are parts.
                yield Constant(Beginning("codes", code), weights.CODE_BEGUN * length)

    @property
    def _little(self) -> Iterator[Clause]:
        for word in self._all_words:
            if word.planned.is_little and word.written is not None:
                yield word.written


def every(clauses: Iterable[Clause | None]) -> Clause | None:
    """Products that every clause finds."""
    found: list[Clause] = []
    for clause in clauses:
        if clause is None:
            return None
        found.append(clause)
    return found[0] if len(found) == 1 else AllOf(tuple(found))


def some(clauses: Iterable[Clause | None], enough: int) -> Clause | None:
    """Products that so many of the clauses find."""
    found = tuple(clause for clause in clauses if clause is not None)
    return SomeOf(found, enough) if 0 < enough <= len(found) else None


def _known(clause: Clause | None) -> tuple[Clause, ...]:
    return () if clause is None else (clause,)


def _best(clauses: Iterable[Clause]) -> Clause | None:
    found = tuple(clauses)
    if len(found) > 1:
        return BestOf(found)
    return found[0] if found else None
