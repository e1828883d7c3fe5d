"""What a shop sets of its language: word forms, synonyms, the words that its compounds are made of."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import msgspec
import Stemmer

NO_LANGUAGE = "none"
LANGUAGES = (NO_LANGUAGE, *Stemmer.algorithms())
"""The languages whose word forms are known; `none`: each word is its only form."""

_LINES_MAX = 200_000

LITTLE_WORDS = {
    "english": "a an and are as at be but by for if in into is it no not of on or such that the their then"
    " there these they this to was will with",
    "german": "am an auf aus bei bis das dem den der des die ein eine einem einen einer eines es für im in"
    " ist mit nach oder ohne um und von vom zu zum zur",
    "french": "à au aux avec d dans de des du en est et l la le les ou par pour sans sur un une",
    "spanish": "a al con de del e el en es la las lo los o para por sin su un una y",
    "italian": "a al alla con d da dal dei del della di e ed gli i il in l la le lo o per su un una",
    "dutch": "aan de den der die een en het in is met naar of om op te tot uit van voor zonder",
    "portuguese": "a ao as com da das de do dos e em na no o os ou para por sem um uma",
    "swedish": "av den det en ett för från i med och om på som till utan",
}
"""Words that say little: found where they are, but not demanded."""


class LexiconError(ValueError):
    """A file of the lexicon, or the language, cannot be used; the message says why, in one line."""


class Lexicon(msgspec.Struct, frozen=True):
    """Stored with each version of an index, so that what is typed is read as that version was written.

    `compounds`: words that longer words are made of. `synonyms`: of each, the phrase typed and one that finds
    the same.
    """

    language: str = "english"
    compounds: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, str], ...] = ()

    @property
    def fingerprint(self) -> int:
        """0 for the default, else a number of 32 bits that another lexicon hardly has."""
        return 0 if self == Lexicon() else crc32(msgspec.json.encode(self)) or 1


def read_lexicon(language: str, synonyms: Path | None, compounds: Path | None) -> Lexicon:
    """The lexicon of these settings.

    Synonyms: a line `sofa, couch, settee` makes all of them alike; `mug => cup` finds cups too for who types
    mug. Compounds: a word a line. `#` begins a comment. Raises LexiconError.
    """
    if language not in LANGUAGES:
        raise LexiconError(f"the language {language!r} is none of: {', '.join(LANGUAGES)}")
    pairs = [pair for number, line in _lines(synonyms) for pair in _synonyms(synonyms, number, line)]
    words = dict.fromkeys(line.casefold() for _, line in _lines(compounds))
    return Lexicon(language, tuple(words), tuple(dict.fromkeys(pairs)))


def _lines(path: Path | None) -> list[tuple[int, str]]:
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LexiconError(f"{path} cannot be read: {error}") from error
    lines = [
        (number, line.partition("#")[0].strip()) for number, line in enumerate(text.splitlines(), start=1)
    ]
    if len(lines) > _LINES_MAX:
        raise LexiconError(f"{path} has more than {_LINES_MAX:,} lines")
    return [(number, line) for number, line in lines if line]


def _synonyms(path: Path | None, number: int, line: str) -> list[tuple[str, str]]:
    typed, arrow, found = line.partition("=>")
    left = [phrase.strip() for phrase in typed.split(",")]
    right = [phrase.strip() for phrase in found.split(",")] if arrow else left
    if not all((*left, *right)) or (not arrow and len(left) < 2):
        raise LexiconError(f"{path}, line {number}: write `sofa, couch` or `mug => cup`")
    return [(one, other) for one in left for other in right if one != other]
