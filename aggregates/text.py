"""Text as the shop keeps it, wherever it comes from: one spelling for what looks alike, and nothing unseen.

Normalized (NFC); every space of Unicode's is a plain one; no character that controls; and where something has
to be said, something that can be seen.
"""

from __future__ import annotations

import re
import unicodedata

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_SPACES = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNSEEN = (  # fillers, joiners, marks of direction; marks that combine with what is not there; selectors
    r"\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u061c"
    r"\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u115f\u1160"
    r"\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff"
    r"\u2800\u302a-\u302f\u3099\u309a\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff0-\ufffb"
)
_VISIBLE = rf"[^{_CONTROLS}{_SPACES}{_UNSEEN}]"

LINE = rf"^[^{_CONTROLS}]*{_VISIBLE}[^{_CONTROLS}]*$"
"""A line that `line` takes, as a regular expression that every language reads the same."""

_LEVEL = rf"[^{_CONTROLS}{_SPACES}{_UNSEEN}>](?:[^{_CONTROLS}>]*[^{_CONTROLS}{_SPACES}>])?"
LEVELS_MAX = 8

CATEGORY = rf"^[{_SPACES}]*{_LEVEL}(?:[{_SPACES}]>[{_SPACES}]{_LEVEL}){{0,{LEVELS_MAX - 1}}}[{_SPACES}]*$"
"""A category that `category` takes: levels joined by ` > `."""

PROSE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
"""Text that `prose` takes."""

_visible, _category, _prose = re.compile(_VISIBLE), re.compile(CATEGORY), re.compile(PROSE)
_control = re.compile(rf"[{_CONTROLS}]")
_unseen_beyond = re.compile(r"[\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")
_odd_space = re.compile(rf"[{_SPACES}]")
_line_break = re.compile(r"\r\n?|[\u2028\u2029]")


def line(text: str) -> str:
    """One line, without the spaces around it. ValueError where it controls, or nothing of it can be seen."""
    normalized = _odd_space.sub(" ", _normalized(text)).strip(" ")
    if _control.search(normalized):
        raise ValueError("has a control character")
    if is_blank(normalized):
        raise ValueError("is blank")
    return normalized


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen."""
    return _visible.search(_unseen_beyond.sub("", text)) is None


def category(text: str) -> str:
    """Levels from the root, joined by ` > `: each a line. ValueError where it is not that."""
    normalized = line(text)
    if not _category.fullmatch(normalized) or any(map(is_blank, normalized.split(" > "))):
        raise ValueError(f"is not 1 to {LEVELS_MAX} levels joined by ' > '")
    return normalized


def prose(text: str) -> str:
    """Lines, also none. Its breaks are line feeds, and tabs stay. ValueError for other controls."""
    normalized = _odd_space.sub(" ", _line_break.sub("\n", _normalized(text)))
    if not _prose.fullmatch(normalized):
        raise ValueError("has a control character")
    return normalized


def _normalized(text: str) -> str:
    if text.isascii():
        return text
    text.encode()  # UnicodeEncodeError, which is a ValueError, for half of a surrogate pair
    return unicodedata.normalize("NFC", text)
