"""SKUs and model codes: letters and digits only, so that hyphens, spaces and case make no difference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

CODE_MAX = 64
"""Characters of the longest code."""

_PART_MIN = 2
_END_MIN = 3  # shorter ends are many products'
_RUN_MAX = 6  # words that may be one code
_OTHERS = re.compile(r"[^a-z0-9]+")


def codes_in(sku: str) -> Iterator[str]:
    """The SKU's letters and digits; none where it has none."""
    code = _OTHERS.sub("", sku.lower())[:CODE_MAX]
    if code:
        yield code


def code_typed(text: str, *, least: int = 3) -> str | None:
    """What was typed as a code, of at least so many letters and digits; None where it can be none."""
    code = text.replace(".", "")
    if not least <= len(code) <= CODE_MAX or not code.isascii() or not code.isalnum():
        return None
    if least > 2 and (code.isalpha() or code.isdecimal()):
        return None
    return code


def code_parts(sku: str, codes: Iterable[str]) -> list[str]:
    """Beginnings and ends of the codes, and the parts of the SKU between its hyphens."""
    found: dict[str, None] = {}
    for code in codes:
        for length in range(_PART_MIN, len(code)):
            found[code[:length]] = None
            if length >= _END_MIN:
                found[code[-length:]] = None
    for part in _OTHERS.split(sku.lower()):
        if len(part) >= _PART_MIN:
            found[part] = None
    return list(found)


def runs_with_digits(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where neighbours may be one code: each word alone, and runs of them that have a digit."""
    for start in range(len(words)):
        yield start, start + 1
        for end in range(start + 2, min(start + _RUN_MAX, len(words)) + 1):
            run = words[start:end]
            if sum(map(len, run)) > CODE_MAX:
                break
            if any(letter.isdigit() for word in run for letter in word):
                yield start, end
