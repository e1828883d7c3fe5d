"""Text from outside, normalized: one form of each letter, plain spaces, nothing invisible around it."""

from __future__ import annotations

import unicodedata

from aggregates.text import is_blank

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d"
    "\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u2800\u3164\ufeff\uffa0"
)
"""Characters that show as nothing and are no spaces to Unicode."""


def clean(text: str) -> str:
    """The text in NFC, each run of spaces of any kind and line breaks one space; blank where it looks so."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        normalized = " ".join(text.split()).strip(f" {INVISIBLE}")
        return "" if is_blank(normalized) else normalized
    return " ".join(text.split())


def is_shown(text: str) -> bool:
    """Whether it has letters, signs and spaces alone, joiners and marks of direction among them."""
    return text.isprintable() or all(c.isprintable() or unicodedata.category(c) == "Cf" for c in text)
