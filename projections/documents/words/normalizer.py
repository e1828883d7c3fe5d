"""Text as tokens: fields for an index, plans for queries. Both engines are fed from here, and cut nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import Stemmer

from projections.documents.words.codes import CODE_MAX, code_parts, code_typed, codes_in, runs_with_digits
from projections.documents.words.cutting import WORD_BYTES_MAX, Kind, Word, placed_words_of, words_of
from projections.documents.words.folding import without_accents
from projections.documents.words.lexicon import LITTLE_WORDS, NO_LANGUAGE, Lexicon
from projections.documents.words.query_plan import PlannedWord, QueryPlan, Tokens

FIELDS = {
    "title": "words of the title as written, without accents too; compounds also as one word",
    "title_stems": "stems of the title's words",
    "labels": "the same of category and attributes",
    "labels_stems": "their stems",
    "description_stems": "stems of the description's words",
    "joined": "stems of neighbours in title and labels, written as one",
    "codes": "letters and digits of the SKU, and of the codes in the title",
    "code_parts": "their beginnings, ends and parts",
}
"""What the tokens of each field are; beside them `whole`, all of the title as one token."""

WORDS_MAX = 16
"""More words do not narrow a search further."""

TYPED_MAX = 1_000
"""Characters beyond these are not looked for."""

_SLIP_LETTERS_MIN = 4  # in shorter words one other letter makes another word: cup, cap
_TWO_SLIPS_LETTERS_MIN = 8
_SYNONYM_WORDS_MAX = 4
_PART_LETTERS_MIN = 3
_LINKS = ("", "s", "es", "n", "en", "e")  # between the parts of a German compound
_WHOLE_MAX = 256
_PREPARED_MAX = 4_096
_LABELS_MAX = 4_096  # categories and values of attributes: many products have the same


class Normalizer:
    """Cuts and folds by one lexicon. Every call may be made from any thread."""

    def __init__(self, lexicon: Lexicon | None = None) -> None:
        self.lexicon = lexicon or Lexicon()
        self._lock = threading.Lock()
        language = self.lexicon.language
        self._stemmer = None if language == NO_LANGUAGE else Stemmer.Stemmer(language)
        self._little = frozenset(LITTLE_WORDS.get(language, "").split())
        self._compounds = frozenset(without_accents(word) for word in self.lexicon.compounds)
        self._synonyms = self._read_synonyms()
        self.stem = lru_cache(maxsize=65_536)(self._stem)
        self._text_fields = lru_cache(maxsize=_PREPARED_MAX)(self._cut_fields)

    def fields(
        self, sku: str, title: str, description: str, category: str, attributes: Mapping[str, str]
    ) -> dict[str, str]:
        """A product's tokens by field of FIELDS, split at spaces; and `whole`."""
        return self._text_fields(sku, title, description, category, tuple(attributes.values()))

    def plan(self, typed: str) -> QueryPlan:
        """What was typed, as words to look up. No text is refused; one without words has none."""
        words = placed_words_of(typed, length_max=TYPED_MAX)
        whole = _whole(words)
        pieces = [piece for word in words for piece in _pairs_of(word)][:WORDS_MAX]
        joined = self._joined(pieces)
        codes = self._codes([_raw_code(typed, word) for word in pieces])
        instead = self._instead(pieces)
        planned: dict[str, PlannedWord] = {}
        for place, word in enumerate(pieces):
            bare = without_accents(word.text)
            is_word = word.kind is Kind.WORD
            slips = 0
            if is_word and len(bare) >= _SLIP_LETTERS_MIN and bare.isalpha():
                slips = 2 if len(bare) >= _TWO_SLIPS_LETTERS_MIN else 1
            planned.setdefault(
                word.text,
                PlannedWord(
                    typed=typed[word.start : word.end],
                    exact=word.text,
                    word=bare,
                    stem=self.stem(word.text),
                    joined=joined[place],
                    codes=codes[place],
                    instead=instead[place],
                    is_little=is_word and self.is_little(word.text),
                    begun=place == len(pieces) - 1 and word.kind is not Kind.RUN,
                    slips=slips,
                ),
            )
        sku = "".join(_raw_code(typed, word) for word in words)
        return QueryPlan(
            tuple(planned.values()), whole, sku if sku.isascii() and len(sku) <= CODE_MAX else ""
        )

    def is_little(self, word: str) -> bool:
        """Whether it is found where it is, and not demanded: `the`, `with`."""
        return word in self._little

    def parts_of(self, word: str) -> Tokens:
        """The words of the list that a compound is made of, from two on; none where it is not."""
        bare = without_accents(word)
        if not self._compounds or bare in self._compounds or len(bare) < 2 * _PART_LETTERS_MIN:
            return ()
        ways: dict[int, tuple[str, ...]] = {0: ()}
        for end in range(_PART_LETTERS_MIN, len(bare) + 1):
            for start, parts in sorted(ways.items()):
                part = bare[start:end]
                if end - start < _PART_LETTERS_MIN:
                    continue
                links = _LINKS if end < len(bare) else ("",)
                found = [part.removesuffix(link) for link in links if part.endswith(link)]
                known = [one for one in found if one in self._compounds]
                if known and (end not in ways or len(parts) + 1 < len(ways[end])):
                    ways[end] = (*parts, known[0])
        parts = ways.get(len(bare), ())
        return parts if len(parts) > 1 else ()

    def _stem(self, word: str) -> str:
        """The stem of a word's exact form, without accents."""
        if self._stemmer is None or word[:1].isdigit():
            return without_accents(word)
        with self._lock:  # A stemmer has one buffer.
            stem = self._stemmer.stemWord(word)
        return without_accents(stem or word)

    def _cut_fields(
        self, sku: str, title: str, description: str, category: str, values: tuple[str, ...]
    ) -> dict[str, str]:
        of_title = words_of(title)
        labels = [_words_of_label(text) for text in (category, *values)]
        title_forms = list(self._forms(of_title))
        label_forms = list(self._forms(word for words in labels for word in words))
        codes = dict.fromkeys((*codes_in(sku), *(code for code in self._codes_of(of_title))))
        joined = [self.stem(text) for words in (of_title, *labels) for text in _neighbours(words)]
        return {
            "whole": _whole(of_title),
            "title": " ".join(_written(title_forms)),
            "title_stems": " ".join(map(self.stem, title_forms)),
            "labels": " ".join(_written(label_forms)),
            "labels_stems": " ".join(map(self.stem, label_forms)),
            "description_stems": " ".join(map(self.stem, self._forms(words_of(description)))),
            "joined": " ".join(dict.fromkeys(joined)),
            "codes": " ".join(codes),
            "code_parts": " ".join(code_parts(sku, codes)),
        }

    def _codes_of(self, words: list[Word]) -> Iterator[str]:
        """Compounds and words that have letters and digits."""
        for compound in _compounds(words):
            text = "".join(word.text for word in compound)
            if code_typed(text) is not None:
                yield text

    def _forms(self, words: Iterable[Word]) -> Iterator[str]:
        """Each word in its exact form, with what else is found as it."""
        words = list(words)
        for word in words:
            if word.kind is Kind.RUN:
                yield from word.text if len(word.text) == 1 else ()
                yield from _characters_and_pairs(word.text)
                continue
            yield word.text
            if word.number is not None:
                yield word.number
            elif word.kind is Kind.WORD:
                yield from _letters_and_digits(word.text)
                yield from self.parts_of(word.text)
        for compound in _compounds(words):
            if len(compound) > 1:
                yield _short("".join(word.text for word in compound))

    def _joined(self, words: list[Word]) -> list[Tokens]:
        """For each word, the words that it makes with its neighbours, or with all of its compound."""
        found: list[dict[str, None]] = [{} for _ in words]
        for place, (one, other) in enumerate(pairwise(words)):
            if Kind.RUN not in (one.kind, other.kind):
                for at in (place, place + 1):
                    found[at][self.stem(_short(one.text + other.text))] = None
        start = 0
        while start < len(words):
            end = start + 1
            while end < len(words) and words[end].compound == words[start].compound:
                end += 1
            if end - start > 2 and words[start].kind is not Kind.RUN:
                text = self.stem(_short("".join(word.text for word in words[start:end])))
                for at in range(start, end):
                    found[at][text] = None
            start = end
        return [tuple(tokens) for tokens in found]

    def _codes(self, words: list[str]) -> list[Tokens]:
        """For each word, the codes that it, or it and its neighbours, may be."""
        found: list[dict[str, None]] = [{} for _ in words]
        for start, end in runs_with_digits(words):
            code = code_typed("".join(words[start:end]), least=2)
            if code is not None:
                for at in range(start, end):
                    found[at][code] = None
        return [tuple(codes) for codes in found]

    def _instead(self, words: list[Word]) -> list[tuple[Tokens, ...]]:
        """For each word, what it may be replaced by: the parts of a compound, synonyms."""
        found: list[list[Tokens]] = [[] for _ in words]
        stems = [self.stem(word.text) for word in words]
        for place, word in enumerate(words):
            parts = self.parts_of(word.text) if word.kind is Kind.WORD else ()
            if parts:
                found[place].append(tuple(self.stem(part) for part in parts))
        if self._synonyms:
            for start in range(len(words)):
                for end in range(start + 1, min(start + _SYNONYM_WORDS_MAX, len(words)) + 1):
                    for phrase in self._synonyms.get(tuple(stems[start:end]), ()):
                        for at in range(start, end):
                            found[at].append(phrase)
        return [tuple(phrases) for phrases in found]

    def _read_synonyms(self) -> dict[Tokens, list[Tokens]]:
        found: dict[Tokens, list[Tokens]] = {}
        for typed, other in self.lexicon.synonyms:
            key, phrase = (
                tuple(self._stem(piece.text) for word in words_of(text) for piece in _pairs_of(word))
                for text in (typed, other)
            )
            if key and phrase:
                found.setdefault(key, []).append(phrase)
        return found


@lru_cache(maxsize=_LABELS_MAX)
def _words_of_label(text: str) -> Sequence[Word]:
    return tuple(words_of(text))


def _written(forms: Iterable[str]) -> Iterator[str]:
    for form in forms:
        yield form
        bare = without_accents(form)
        if bare != form:
            yield bare


def _raw_code(typed: str, word: Word) -> str:
    """The word as it was typed, lower case and without signs: a SKU is not read as units are."""
    return "".join(letter for letter in typed[word.start : word.end].lower() if letter.isalnum())


def _whole(words: list[Word]) -> str:
    return "".join(without_accents(word.text) for word in words)[:_WHOLE_MAX]


def _characters_and_pairs(run: str) -> Iterator[str]:
    if len(run) > 1:
        yield from run
    yield from (one + other for one, other in pairwise(run))


def _pairs_of(word: Word) -> Iterator[Word]:
    """A run as its overlapping pairs; any other word as it is."""
    if word.kind is not Kind.RUN or len(word.text) <= 2:
        yield word
        return
    for place, (one, other) in enumerate(pairwise(word.text)):
        yield word._replace(
            text=one + other, start=word.start + place, end=min(word.start + place + 2, word.end)
        )


def _compounds(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Words by compound; a word alone is a compound of one."""
    compound: list[Word] = []
    for word in words:
        if compound and word.compound != compound[-1].compound:
            yield compound
            compound = []
        if word.kind is not Kind.RUN:
            compound.append(word)
    if compound:
        yield compound


def _neighbours(words: Sequence[Word]) -> Iterator[str]:
    for one, other in pairwise(words):
        if Kind.RUN not in (one.kind, other.kind):
            yield _short(one.text + other.text)


def _letters_and_digits(word: str) -> Iterator[str]:
    """The parts of a word at the borders of letters and digits: `kx` and `128` of kx128."""
    if word.isalpha() or word.isdecimal():
        return
    start = 0
    for place in range(1, len(word)):
        if word[place].isdigit() != word[place - 1].isdigit():
            yield word[start:place]
            start = place
    if start:
        yield word[start:]


def _short(text: str) -> str:
    if len(text) <= WORD_BYTES_MAX // 4:
        return text
    return text.encode()[:WORD_BYTES_MAX].decode(errors="ignore")
