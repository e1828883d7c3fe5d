"""What clients do with a body in each coding."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import brotli
import zstandard

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstandard.ZstdDecompressor().decompress,
}
