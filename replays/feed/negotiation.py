"""Which form of an answer the asker wants (RFC 9110, `Accept`)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_RANGE = re.compile(rf"({_TOKEN})/({_TOKEN})")
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def negotiated(accept: str, offered: Sequence[str]) -> str | None:
    """The media type that the asker likes best; None where none of them will do.

    Of what is liked alike, the one named first, or else offered first. Without `Accept` it is the first.
    Parameters other than the weight say nothing about these types, and what is malformed is passed over.
    """
    if not accept.strip():
        return offered[0]
    ranges = [found for item in accept.split(",") if (found := _range(item.strip().lower()))]
    best: tuple[float, int, int] | None = None
    chosen = None
    for media_type in offered:
        liked = _liked(media_type, ranges)
        if liked is not None and (best is None or liked > best):
            best, chosen = liked, media_type
    return chosen


def _range(item: str) -> tuple[str, float] | None:
    name, *parameters = [part.strip() for part in item.split(";")]
    if not _RANGE.fullmatch(name):
        return None
    weights = [match[1] for one in parameters if (match := _WEIGHT.fullmatch(one.replace(" ", "")))]
    return name, float(weights[0]) if weights else 1.0


def _liked(media_type: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int, int] | None:
    """How much: the weight, then how exactly and how early it was named. None where it is not acceptable."""
    names = [name for name, _ in ranges]
    patterns = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    for breadth, name in enumerate(patterns):  # The narrowest one counts.
        if name in names:
            place = names.index(name)
            weight = ranges[place][1]
            return (weight, -breadth, -place) if weight > 0 else None
    return None
