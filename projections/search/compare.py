"""Compares two versions of the search index by digests of ranges of SKUs, in memory that does not grow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from zlib import crc32

from projections.engine.build import Candidates

Stored = Callable[[], Iterator[tuple[str, bytes]]]
"""Every SKU of an index once, and the bytes it has of it; each call begins anew."""

_RANGES = 4_096


def candidates(ours: Stored, theirs: Stored) -> Candidates:
    """The SKUs of either index; those that may differ, since both may be written meanwhile."""
    (_, one), (documents, other) = _digests(ours), _digests(theirs)
    ranges = {index for index in range(_RANGES) if one[index] != other[index]}
    if not ranges:
        return Candidates(documents, [])
    here, there = _of_ranges(ours, ranges), _of_ranges(theirs, ranges)
    only_here = len(here.keys() - there.keys())
    differing = (sku for sku in here.keys() | there.keys() if here.get(sku) != there.get(sku))
    return Candidates(documents + only_here, sorted(differing))


def _digests(stored: Stored) -> tuple[int, list[int]]:
    """How many SKUs there are, and each range's digest: a sum, since the order is the engine's."""
    documents, digests = 0, [0] * _RANGES
    for sku, content in stored():
        documents += 1
        digests[_range_of(sku)] += int.from_bytes(_digest(sku, content), "big")
    return documents, digests


def _of_ranges(stored: Stored, ranges: set[int]) -> dict[str, bytes]:
    return {sku: _digest(sku, content) for sku, content in stored() if _range_of(sku) in ranges}


def _range_of(sku: str) -> int:
    return crc32(sku.encode()) % _RANGES


def _digest(sku: str, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16, key=sku.encode()[:64]).digest()
