"""Compressed bodies: the coding that a client takes (RFC 9110, `Accept-Encoding`), and bodies kept in it."""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

import brotli
import zstandard

WORTH_BYTES = 1_000
"""A smaller body fits a packet either way."""

KEPT_BYTES_MAX = 32 * 2**20

_HEADER_LENGTH_MAX = 200  # Browsers send 30 characters.
_LEVEL_ZSTD, _LEVEL_BROTLI, _LEVEL_GZIP = 3, 4, 5
_GZIP_WINDOW = 31  # 2**15 bytes, and the format of gzip
_WEIGHT = r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?"
_ITEM = re.compile(rf"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;\s*[qQ]\s*=\s*({_WEIGHT})\s*)?")


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL_GZIP, wbits=_GZIP_WINDOW)
    return compressor.compress(body) + compressor.flush()


def _brotli(body: bytes) -> bytes:
    return bytes(brotli.compress(body, quality=_LEVEL_BROTLI))


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": zstandard.ZstdCompressor(level=_LEVEL_ZSTD).compress,
    "br": _brotli,
    "gzip": _gzip,
}
"""In the order in which they are chosen where a client takes several alike: the quickest first."""


def coding_for(accept_encoding: str | None) -> str | None:
    """The coding that the client likes best of ours; None: the body as it is."""
    if not accept_encoding or len(accept_encoding) > _HEADER_LENGTH_MAX:
        return None
    return _coding_for(accept_encoding)


@lru_cache(maxsize=256)
def _coding_for(accept_encoding: str) -> str | None:
    wanted: dict[str, float] = {}
    for item in accept_encoding.split(","):
        if match := _ITEM.fullmatch(item):
            wanted[match[1].lower()] = float(match[2] or 1)
    others = wanted.get("*", 0.0)
    weights = {coding: wanted.get(coding, others) for coding in CODINGS}
    best = max(weights, key=lambda coding: weights[coding])
    return best if weights[best] > 0 and weights[best] >= wanted.get("identity", 0.0) else None


class CompressedBodies:
    """Compresses a body once, as long as it is remembered. All calls come from one thread."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        """The least recently used are let go where all together are larger."""
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def compressed(self, body: bytes, tag: str, coding: str) -> bytes:
        """The body in this coding; `tag` names its bytes."""
        key = (tag, coding)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        made = self._kept[key] = CODINGS[coding](body)
        self._bytes += len(made)
        while self._bytes > self._bytes_max:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone)
        return made
