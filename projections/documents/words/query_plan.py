"""What a shopper typed, as tokens ready to look up: each engine makes its queries from it."""

from __future__ import annotations

from dataclasses import dataclass

Tokens = tuple[str, ...]
"""Tokens that a product must have all of."""


@dataclass(frozen=True, slots=True)
class PlannedWord:
    """One word, and what counts as it, best first.

    A product has the word where it has, of one of these, all tokens:
    - `exact` among its words as written, or `stem` among its stems;
    - one of `joined` among stems or joined neighbours: the word and those beside it, written as one;
    - one of `codes` among its codes, or where that is only begun, among the parts of codes;
    - one of `instead` among its stems: parts of a compound, synonyms;
    - where `begun`, a word that begins with `word`;
    - where `slips` is above 0, a word that differs from `word` by so many letters.
    """

    typed: str
    exact: str
    word: str  # without accents
    stem: str
    joined: Tokens = ()
    codes: Tokens = ()
    instead: tuple[Tokens, ...] = ()
    is_little: bool = False  # found where it is, not demanded
    begun: bool = False
    slips: int = 0


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The words typed; `whole`: the key of a title that has just these words in this order; `sku`: the code
    of the SKU that has just these letters and digits, empty where there can be none."""

    words: tuple[PlannedWord, ...]
    whole: str
    sku: str = ""

    @property
    def demanded(self) -> tuple[PlannedWord, ...]:
        """The words that a product must have: all but the little ones, or all where there are no others."""
        return tuple(word for word in self.words if not word.is_little) or self.words


def words_enough(words: int) -> int:
    """How many of so many words are enough, where none has all of one less: 60 %."""
    return max(1, -(-words * 3 // 5))
