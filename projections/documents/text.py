"""Text normalized for lookups, so that what looks alike is found."""

from __future__ import annotations

import re
import unicodedata

_SPACE = re.compile(r"[\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs of their own that show nothing


def normalized(text: str) -> str:
    """Normalized (NFC), every space a plain one, none around it."""
    if text.isascii():
        return text.strip(" ")
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip(" ")


def has_control_characters(text: str) -> bool:
    """Whether it has a control character."""
    return _CONTROL.search(text) is not None


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: spaces, what controls or joins, marks without a letter."""
    return all(unicodedata.category(one)[0] in "ZCM" or one in _FILLERS for one in text)
