"""Where in a text the words are that were typed, for people to see; and what was probably meant by a slip."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from html import escape
from itertools import pairwise

from projections.documents.words.cutting import Kind, Word, placed_words_of
from projections.documents.words.folding import without_accents
from projections.documents.words.normalizer import Normalizer
from projections.documents.words.query_plan import PlannedWord, QueryPlan

MARK = ("<mark>", "</mark>")
EXCERPT_MAX = 160
"""Characters of the description that are shown around its first word found."""

_DESCRIPTION_MAX = 2_000


class Marker:
    """Marks the words of one plan; `with_slips`: also those that differ by a slip."""

    def __init__(self, plan: QueryPlan, normalizer: Normalizer, *, with_slips: bool) -> None:
        self._normalizer = normalizer
        telling = [word for word in plan.words if not word.is_little]
        self._stems = {stem for word in telling for stem in (word.stem, *word.joined)}
        self._stems.update(token for word in telling for tokens in word.instead for token in tokens)
        self._codes = {code for word in plan.words for code in word.codes if not code.isalpha()}
        self._begun = tuple(word.word for word in plan.words if word.begun)
        self._pairs = [word.exact for word in plan.words if len(word.exact) <= 2 and not word.exact.isascii()]
        self._slipped = [word for word in telling if word.slips] if with_slips else []

    def highlights(self, title: str, description: str) -> dict[str, str]:
        """The title with the words found in it marked, else the part of the description that has one.

        HTML: everything is escaped but the marks. Empty where neither has a word of the plan.
        """
        found = self._found(placed_words_of(title), self._slipped)
        if found:
            return {"title": _marked(title, found)}
        shortened = description[:_DESCRIPTION_MAX]
        found = self._found(placed_words_of(shortened), [])  # Slips are not looked for in descriptions.
        if not found:
            return {}
        start = max(0, found[0].start - EXCERPT_MAX // 3)
        start = shortened.rfind(" ", 0, start) + 1 if start else 0
        end = start + EXCERPT_MAX
        if end < len(shortened):
            end = max(shortened.rfind(" ", start, end), found[0].end)
        shown = [
            word._replace(start=word.start - start, end=word.end - start) for word in found if word.end <= end
        ]
        return {"description": _marked(shortened[start:end], shown)}

    def _found(self, words: list[Word], slipped: list[PlannedWord]) -> list[Word]:
        found: list[Word] = []
        for place, word in enumerate(words):
            if word.kind is Kind.RUN:
                found += _in_run(word, self._pairs)
            elif self._is_found(word, slipped) or self._is_joined(words[max(place - 1, 0) : place + 2], word):
                found.append(word)
        return found

    def _is_found(self, word: Word, slipped: list[PlannedWord]) -> bool:
        bare = without_accents(word.text)
        return (
            self._normalizer.stem(word.text) in self._stems
            or bare in self._codes
            or (bool(self._begun) and bare.startswith(self._begun))
            or any(_slips(one.word, bare, one.slips) <= one.slips for one in slipped)
        )

    def _is_joined(self, around: list[Word], word: Word) -> bool:
        """Whether the word and a neighbour make one that was typed as one."""
        return any(
            word in pair and self._normalizer.stem(pair[0].text + pair[1].text) in self._stems
            for pair in pairwise(around)
        )


def probably_meant(plan: QueryPlan, normalizer: Normalizer, texts: Iterable[str]) -> str | None:
    """What was typed with each word that the texts have not replaced by the nearest one that they have.

    The texts are a product's that was found by slips. None where nothing would be replaced.
    """
    words = [word for text in texts for word in placed_words_of(text)]
    stems = {normalizer.stem(word.text) for word in words}
    bare = {without_accents(word.text): word for word in words if word.kind is Kind.WORD}
    meant: list[str] = []
    replaced = False
    for planned in plan.words:
        known = planned.stem in stems or any(joined in stems for joined in planned.joined)
        near = [] if known or not planned.slips else _near(planned, bare)
        replaced = replaced or bool(near)
        meant.append(min(near)[1] if near else planned.typed)
    return " ".join(meant) if replaced else None


def slips_between(one: str, other: str, most: int) -> int:
    """How many letters were left out, put in, replaced or swapped with a neighbour; `most` + 1 for more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, start=1):
        following = [at]
        for place, another in enumerate(other, start=1):
            cost = min(row[place] + 1, following[-1] + 1, row[place - 1] + (letter != another))
            swapped = at > 1 and place > 1 and letter == other[place - 2] and one[at - 2] == another
            if swapped:
                cost = min(cost, before[place - 2] + 1)
            following.append(cost)
        before, row = row, following
        if min(row) > most:
            return most + 1
    return row[-1]


_slips = lru_cache(maxsize=16_384)(slips_between)


def _near(planned: PlannedWord, words: dict[str, Word]) -> list[tuple[int, str]]:
    found = ((_slips(planned.word, bare, planned.slips), word.text) for bare, word in words.items())
    return [(slips, text) for slips, text in found if slips <= planned.slips]


def _in_run(word: Word, pairs: list[str]) -> list[Word]:
    marked: set[int] = set()
    for pair in pairs:
        place = word.text.find(pair)
        while place >= 0:
            marked.update(range(place, place + len(pair)))
            place = word.text.find(pair, place + 1)
    if word.end - word.start != len(word.text):  # Its characters stand elsewhere than their one form.
        return [word] if marked else []
    return [word._replace(start=word.start + place, end=word.start + place + 1) for place in sorted(marked)]


def _marked(text: str, found: list[Word]) -> str:
    parts: list[str] = []
    end = 0
    for word in found:
        if word.start < end:
            continue
        between = text[end : word.start]
        if parts and not between:
            parts[-1:] = [escape(text[word.start : word.end], quote=False), MARK[1]]
        else:
            parts += [
                escape(between, quote=False),
                MARK[0],
                escape(text[word.start : word.end], quote=False),
                MARK[1],
            ]
        end = word.end
    return "".join((*parts, escape(text[end:], quote=False)))
