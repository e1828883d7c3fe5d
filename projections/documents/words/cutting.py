"""Text cut into words: one form of each, whatever its case, width, quotes and invisible marks.

A word is letters, marks and digits; what is written without spaces (Chinese, Japanese, Thai …) is one run.
Words that a hyphen, a dot, a slash or an apostrophe joins are the parts of one compound. A number with a
unit is one word, in one form (`units`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from projections.documents.words.units import NUMBER, decimal, is_unit, number_and_unit

WORD_BYTES_MAX = 64
"""A longer word is found by its first so many bytes."""

TEXT_MAX = 20_000
"""Characters of a text that are looked at: a page's words are told long before."""

_JOINS = "-'./&+_"
_SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # Chinese and Japanese signs of repetition
    (0x3031, 0x3035),
    (0x3041, 0x318F),  # kana, bopomofo, Hangul letters
    (0x31A0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Han
    (0xAC00, 0xD7AF),  # Hangul
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def _between(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """What lies between these ranges, from the first character beyond ASCII on."""
    starts = [0x80, *(end + 1 for _, end in ranges)]
    ends = [*(start - 1 for start, _ in ranges), 0x10FFFF]
    return tuple(zip(starts, ends, strict=True))


def _class(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)


_RUN = f"[{_class(_SPACELESS)}]"
_LETTER = f"a-z{_class(_between(_SPACELESS))}"
_PIECE = re.compile(
    rf"(?P<run>{_RUN}+)"
    rf"|[0-9]+(?:/[0-9]+(?![0-9/])|(?:[.,][0-9]+)+)?(?:[{_LETTER}][{_LETTER}0-9]*|[\"'](?![{_LETTER}0-9]))?"
    rf"|[{_LETTER}][{_LETTER}0-9]*"
)
_STRETCH = re.compile(r"[\x00-\x7f]+(?![^\x00-\x7f])|[\x00-\x7f]?[^\x00-\x7f]+")
"""Plain characters, or others with the one before them, which their marks may belong to."""
_SIZES = re.compile(rf"([0-9]+(?:[.,][0-9]+)?)((?:x[0-9]+(?:[.,][0-9]+)?)+)([{_LETTER}\"']*)")
_TAIL_LETTERS_MAX = 2  # children's, don't, we'll: what follows the apostrophe belongs to the word


class Kind(Enum):
    """What a word is."""

    WORD = "word"
    NUMBER = "number"
    MEASURE = "measure"  # a number with its unit
    RUN = "run"  # of characters written without spaces


class Word(NamedTuple):
    """A word in its one form; `compound` is the same for the parts of a compound.

    `start` and `end` are places in the text's one form, or with `placed_words_of` in the text itself.
    """

    text: str
    kind: Kind
    compound: int
    start: int
    end: int

    @property
    def number(self) -> str | None:
        """The number of a measure."""
        found = NUMBER.match(self.text) if self.kind is Kind.MEASURE else None
        return found[0] if found else None


_ALIKE = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc`\u00b4", "'"),
    **dict.fromkeys("\u201d\u2033\u201f", '"'),
    "\u2212": "-",
    "\u2044": "/",
    "\u00d7": "x",
}


class _Signs(dict[int, "str | None"]):
    """What each character becomes, found out when it is first seen: a letter, a sign of ours, or a space."""

    def __missing__(self, code: int) -> str | None:
        sign = _sign(chr(code))
        self[code] = sign
        return sign


def _sign(character: str) -> str | None:
    if character in _ALIKE:
        return _ALIKE[character]
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category[0] in "LMN" or character in _JOINS or character in '",':
        return character
    if category in ("Cf", "Cs"):  # soft hyphens, joiners, marks of direction
        return None
    return "-" if category == "Pd" else " "


_signs = _Signs()
_DOUBLE_PRIMES = str.maketrans("\u2033\u2036", '""')  # Their compatible form would be two apostrophes.


def one_form(text: str) -> str:
    """The text with each character in its one form: compatible (NFKC), lower case, signs of one kind."""
    if text.isascii():
        return text.lower().translate(_signs)
    text = text.translate(_DOUBLE_PRIMES)
    for _ in range(4):  # Folding case may leave what composes anew: twice is enough, four times surely.
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        folded = folded.translate(_signs)
        if folded == text:
            break
        text = folded
    return text


def words_of(text: str, *, length_max: int = TEXT_MAX) -> list[Word]:
    """The words of a text, in order; those beyond so many characters of its one form are left out."""
    form = one_form(text[:length_max])[:length_max]
    return list(_measured(form, list(_pieces(form))))


def placed_words_of(text: str, *, length_max: int = TEXT_MAX) -> list[Word]:
    """The same, with places in the text itself, also where its one form is longer or shorter."""
    if text.isascii():
        return words_of(text, length_max=length_max)
    parts: list[str] = []
    places: list[int] = []
    for stretch in _STRETCH.finditer(text[:length_max]):
        if stretch[0].isascii():  # Each of its characters stays one.
            parts.append(one_form(stretch[0]))
            places += range(stretch.start(), stretch.end())
            continue
        for start, end in _clusters(stretch[0]):
            part = one_form(stretch[0][start:end])
            parts.append(part)
            places += [stretch.start() + start] * len(part)
    places.append(min(len(text), length_max))
    form = "".join(parts)[:length_max]
    words = _measured(form, list(_pieces(form)))
    return [word._replace(start=places[word.start], end=places[word.end]) for word in words]


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Each character with the marks that follow it."""
    start = 0
    for place, character in enumerate(text):
        if place > start and not unicodedata.combining(character) and character not in "\uff9e\uff9f":
            yield start, place
            start = place
    if text:
        yield start, len(text)


def _pieces(form: str) -> Iterator[Word]:
    compound, end = 0, -1
    pending: Word | None = None
    for found in _PIECE.finditer(form):
        text, start = found[0], found.start()
        gap = form[end:start] if end >= 0 else " "
        run = found["run"] is not None
        is_tail = gap == "'" and len(text) <= _TAIL_LETTERS_MAX and not run
        if pending is not None and is_tail and form[found.end() : found.end() + 1] != "'":
            pending = pending._replace(text=_cut(pending.text + text), end=found.end())
            end = found.end()
            continue
        if not (len(gap) == 1 and gap in _JOINS):
            compound += 1
        if pending is not None:
            yield pending
            pending = None
        end = found.end()
        if run:
            yield Word(text, Kind.RUN, compound, start, end)
        elif text[0] in "0123456789":
            yield from _with_number(text, compound, start, end)
        else:
            pending = Word(_cut(text), Kind.WORD, compound, start, end)
    if pending is not None:
        yield pending


def _with_number(text: str, compound: int, start: int, end: int) -> Iterator[Word]:
    """What begins with a digit: a number, a measure, a size of several numbers, or a code."""
    number, unit = number_and_unit(text)
    if number is not None:
        yield Word(_cut(number + unit), Kind.MEASURE if unit else Kind.NUMBER, compound, start, end)
        return
    sizes = _SIZES.fullmatch(text)
    if sizes is not None:
        numbers = [sizes[1], *sizes[2][1:].split("x")]
        last, unit = number_and_unit(numbers[-1] + sizes[3])
        if last is not None:
            for one in numbers[:-1]:
                yield Word(_cut(decimal(one)), Kind.NUMBER, compound, start, end)
                yield Word("x", Kind.WORD, compound, start, end)
            yield Word(_cut(last + unit), Kind.MEASURE if unit else Kind.NUMBER, compound, start, end)
            return
    for part in re.split(r"[/.,\"']", text):
        if part:
            kind = Kind.NUMBER if part.isdecimal() else Kind.WORD
            yield Word(_cut(part), kind, compound, start, end)


def _measured(form: str, words: list[Word]) -> Iterator[Word]:
    """Numbers with the fraction or the unit that follows them, behind a space or a hyphen, as one word."""
    place = 0
    while place < len(words):
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) else None
        gap = form[word.end : following.start] if following is not None else None
        # The number of a code is no measure of what stands beside it: HX-204 mm.
        before = words[place - 1] if place else None
        of_code = (
            gap == " "
            and before is not None
            and before.compound == word.compound
            and before.kind is Kind.WORD
            and before.text != "x"
        )
        if word.kind is Kind.NUMBER and following is not None and gap in _NEAR and not of_code:
            beyond = words[place + 2] if place + 2 < len(words) else None
            if beyond is not None and form[following.end : beyond.start] not in _NEAR:
                beyond = None
            whole_unit = _unit_after(following, beyond)
            if whole_unit:
                text = _cut(word.text + whole_unit)
                word = Word(text, Kind.MEASURE, word.compound, word.start, following.end)
                place += 1
            elif _is_part(form, following) and word.text.isdecimal():
                number, unit = number_and_unit(following.text)
                text = str(int(word.text[-9:])) + (number or "")[1:] + unit
                kind = Kind.MEASURE if unit else Kind.NUMBER
                words[place + 1] = Word(_cut(text), kind, word.compound, word.start, following.end)
                place += 1
                continue
        yield word
        place += 1


_NEAR = (" ", "-", "")


def _unit_after(word: Word, beyond: Word | None) -> str | None:
    """The unit that the word is; `in` before another number is the little word: 2 in 1."""
    if word.kind is not Kind.WORD:
        return None
    if word.text == "in" and beyond is not None and beyond.text[0].isdigit():
        return None
    return is_unit(word.text)


def _is_part(form: str, word: Word) -> bool:
    """Whether it was written as a fraction below one: the 1/2 of 1 1/2."""
    return word.text.startswith("0.") and "/" in form[word.start : word.end]


@lru_cache(maxsize=32_768)
def _cut(text: str) -> str:
    if len(text) <= WORD_BYTES_MAX // 4:
        return text
    return text.encode()[:WORD_BYTES_MAX].decode(errors="ignore")
