"""What a shopper may mean while typing: words of the catalogue, categories, products.

Words come from the titles of products found, the most popular first: never from what others typed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from projections.documents.search import CATEGORY_SEPARATOR, Suggestion
from projections.documents.words.cutting import Kind, Word, placed_words_of
from projections.documents.words.folding import without_accents
from projections.documents.words.highlights import slips_between
from projections.documents.words.normalizer import Normalizer
from projections.documents.words.query_plan import PlannedWord, QueryPlan

TITLES = 50
"""Products whose titles are looked at."""

_QUERIES_SHARE = 0.4
_CATEGORIES_SHARE = 0.3
_FREQUENT = 2  # titles that have a pair of words
_SLIP_LETTERS_MIN = 4


class Titled(NamedTuple):
    """A product found."""

    sku: str
    title: str


class Suggesting:
    """Chooses what to suggest for one plan."""

    def __init__(self, plan: QueryPlan, normalizer: Normalizer) -> None:
        self._plan = plan
        self._normalizer = normalizer

    def choose(self, products: Sequence[Titled], categories: Iterable[str], limit: int) -> list[Suggestion]:
        """Words first, then categories, then products, as many as there are.

        `products` are found by the plan, the best first; `categories` are those that they are in, with the
        most frequent first.
        """
        if not self._plan.words:
            return []
        queries = self._queries([product.title for product in products])[: round(limit * _QUERIES_SHARE)]
        named = self._named(categories)[: round(limit * _CATEGORIES_SHARE)]
        found = [Suggestion(text, "query") for text in queries]
        found += [Suggestion(text, "category") for text in named]
        found += [Suggestion(product.title, "product", product.sku) for product in products]
        return found[:limit]

    def _queries(self, titles: Sequence[str]) -> list[str]:
        """What was typed with its last word completed, alone and with the word that follows it in titles."""
        cut = [(title, placed_words_of(title)) for title in titles]
        for with_slips in (False, True):
            counts: Counter[tuple[str, ...]] = Counter()
            written: dict[tuple[str, ...], Counter[str]] = {}
            for title, words in cut:
                ends = {ending.stems: ending.text for ending in self._endings(title, words, with_slips)}
                for stems, text in ends.items():
                    counts[stems] += 1
                    written.setdefault(stems, Counter())[text] += 1
            if counts:
                break
        frequent = [stems for stems, count in counts.items() if len(stems) == 1 or count >= _FREQUENT]
        frequent.sort(key=lambda stems: (-counts[stems], len(stems), stems))
        typed = [word.typed.lower() for word in self._plan.words]
        texts = (" ".join((*typed[:-1], written[stems].most_common(1)[0][0])) for stems in frequent)
        return [text for text in texts if text != " ".join(typed)]

    def _endings(self, title: str, words: Sequence[Word], with_slips: bool) -> Iterator[_Ending]:
        last = self._plan.words[-1]
        before = {word.stem for word in self._plan.words[:-1]}
        for place, word in enumerate(words):
            if not self._is_word(last, word, with_slips):
                continue
            yield self._ending(title, words[place : place + 1])
            end = place + 2
            while end < len(words) and self._normalizer.is_little(words[end - 1].text):
                end += 1
            following = words[place + 1 : end]
            if following and not before.intersection(self._normalizer.stem(one.text) for one in following):
                yield self._ending(title, words[place:end])

    def _ending(self, title: str, words: Sequence[Word]) -> _Ending:
        stems = tuple(self._normalizer.stem(word.text) for word in words)
        return _Ending(stems, " ".join(title[word.start : word.end].lower() for word in words))

    def _named(self, categories: Iterable[str]) -> list[str]:
        """The categories whose name has what was typed: all of it in the path, some in its last level."""
        cut = [
            (category, [placed_words_of(level) for level in category.split(CATEGORY_SEPARATOR)])
            for category in categories
        ]
        for with_slips in (False, True):
            found = [category for category, levels in cut if self._names(levels, with_slips)]
            if found:
                return found
        return []

    def _names(self, levels: Sequence[Sequence[Word]], with_slips: bool) -> bool:
        own = {word.exact for word in self._plan.demanded if self._has(levels[-1], word, with_slips)}
        path = [word for level in levels for word in level]
        return bool(own) and all(
            word.exact in own or self._has(path, word, with_slips) for word in self._plan.demanded
        )

    def _has(self, words: Iterable[Word], planned: PlannedWord, with_slips: bool) -> bool:
        return any(
            self._is_word(planned, word, with_slips) or (word.kind is Kind.RUN and planned.exact in word.text)
            for word in words
        )

    def _is_word(self, planned: PlannedWord, word: Word, with_slips: bool) -> bool:
        if word.kind is Kind.RUN:
            return False
        bare = without_accents(word.text)
        if self._normalizer.stem(word.text) == planned.stem or bare == planned.word:
            return True
        if planned.begun and bare.startswith(planned.word):
            return True
        return with_slips and is_slip(planned, bare)


class _Ending(NamedTuple):
    stems: tuple[str, ...]
    text: str


def is_slip(planned: PlannedWord, bare: str) -> bool:
    """Whether one letter is wrong in the word, or where it is begun, in the beginning of this one."""
    typed = planned.word
    if not planned.slips or len(typed) < _SLIP_LETTERS_MIN:
        return False
    lengths = range(len(typed) - 1, len(typed) + 2) if planned.begun else (len(bare),)
    return any(slips_between(typed, bare[:length], 1) <= 1 for length in lengths)
