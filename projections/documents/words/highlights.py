"""Where in a text the words are that were typed, for people to see; and what was probably meant by a slip."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from html import escape
from itertools import pairwise, takewhile

from projections.documents.words.cutting import Kind, Word, one_form, placed_words_of
from projections.documents.words.folding import without_accents
from projections.documents.words.normalizer import Normalizer
from projections.documents.words.query_plan import PlannedWord, QueryPlan

MARK = ("<mark>", "</mark>")
EXCERPT_MAX = 160
"""Characters of the description that are shown around its first word found."""

_DESCRIPTION_MAX = 2_000
_TITLES_MAX = 8_192
"""Whose words are remembered: the same products are found again and again."""
_BEGINNING = 6
"""Letters of a stem that a word surely begins with, where it has more."""
_STEMMED_IN_FRONT = frozenset({"arabic", "indonesian", "irish", "tamil", "yiddish"})
"""Languages whose stems may lack what a word begins with."""
_NOT_PLAIN = "\uffff"


class _Plain(dict[int, str]):
    """What each character becomes where one character stays one, found out when it is first seen."""

    def __missing__(self, code: int) -> str:
        form = without_accents(one_form(chr(code)))
        if not any(map(str.isalnum, form)):
            form = " "
        self[code] = plain = form if len(form) == 1 else _NOT_PLAIN
        return plain


_plain = _Plain()


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

    @cached_property
    def _beginnings(self) -> re.Pattern[str] | None:
        """What every text has in which a word is found; None where no text can have one."""
        if self._normalizer.lexicon.language in _STEMMED_IN_FRONT:
            return re.compile("")
        words = {_beginning(token) for token in (*self._stems, *self._codes)}
        words |= {_spaced(word) for word in self._begun} | {re.escape(pair) for pair in self._pairs}
        return re.compile("|".join(sorted(words))) if words else None

    def highlights(self, title: str, description: str) -> dict[str, str]:
        """The title with the words found in it marked, else the part of the description that has one.

        HTML: everything is escaped but the marks. Empty where neither has a word of the plan.
        """
        found = self._found(_words_of_title(title), self._slipped)
        if found:
            return {"title": _marked(title, found)}
        excerpt = self._excerpt(description[:_DESCRIPTION_MAX])
        return {} if excerpt is None else {"description": excerpt}

    def _excerpt(self, text: str) -> str | None:
        """The part of a description that has the first word found. Slips are not looked for here.

        Cutting is dear, so only what stands around a likely place is cut.
        """
        if self._beginnings is None:
            return None
        folded = text.lower() if text.isascii() else text.translate(_plain)
        is_plain = len(folded) == len(text) and _NOT_PLAIN not in folded
        looked_at = 0
        while looked_at < len(text):
            likely = self._beginnings.search(folded, looked_at) if is_plain else None
            if is_plain and likely is None:
                return None
            start, end = _around(text, likely.start() if likely else looked_at)
            found = self._found(placed_words_of(text[start:end]), [])
            if found:
                start, end = _around(text, start + found[0].start)
                return _marked(text[start:end], self._found(placed_words_of(text[start:end]), []))
            looked_at = end
        return None

    def _found(self, words: Sequence[Word], slipped: list[PlannedWord]) -> list[Word]:
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

    def _is_joined(self, around: Sequence[Word], word: Word) -> bool:
        """Whether the word and a neighbour make one that was typed as one."""
        return any(
            word in pair and self._normalizer.stem(pair[0].text + pair[1].text) in self._stems
            for pair in pairwise(around)
        )


@lru_cache(maxsize=_TITLES_MAX)
def _words_of_title(title: str) -> Sequence[Word]:
    return tuple(placed_words_of(title))


def _beginning(token: str) -> str:
    """A pattern of how a word with this stem begins; a stem may end in another letter than the word has."""
    if token[0].isdigit():
        if "." in token:  # It may be written as a fraction.
            return "[0-9]"
        return _spaced("".join(takewhile(str.isdigit, token)))
    return _spaced(token[: min(max(len(token) - 1, 1), _BEGINNING)])


def _spaced(letters: str) -> str:
    """A pattern of these letters, whatever signs stand between them."""
    return r"[\W_]*".join(map(re.escape, letters))


def _around(text: str, place: int) -> tuple[int, int]:
    """Where an excerpt with the word at this place begins and ends."""
    start = max(0, place - EXCERPT_MAX // 3)
    start = text.rfind(" ", 0, start) + 1 if start else 0
    end = start + EXCERPT_MAX
    if end < len(text):
        end = max(text.rfind(" ", start, end), _end_of_word(text, place))
    return start, min(end, len(text))


def _end_of_word(text: str, place: int) -> int:
    space = text.find(" ", place)
    return len(text) if space < 0 else space


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
