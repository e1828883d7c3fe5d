"""Words without their accents, beside the words themselves."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]")
"""Marks that readers leave out: of Latin, Greek and Cyrillic letters, of Hebrew and Arabic ones. Marks of
other scripts make another letter, and stay."""

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ŧ": "t"}
)


@lru_cache(maxsize=32_768)
def without_accents(word: str) -> str:
    """The word without its accents."""
    if word.isascii():
        return word
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", word.translate(_LETTERS)))
    return unicodedata.normalize("NFC", bare) or word
