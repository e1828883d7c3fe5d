"""Which coding a client takes, and what is kept compressed."""

from __future__ import annotations

import pytest

from deploy.edge.content_coding import CODINGS, CompressedBodies, coding_for
from tests.edge.decoders import DECODERS

BODY = b'{"title":"A mug"}' * 500


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("zstd;q=0, br;q=0, gzip", "gzip"),
        ("gzip;q=0", None),
        ("*", "zstd"),
        ("*;q=0.1, gzip;q=0.2", "gzip"),
        ("*;q=0", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("deflate, sdch", None),
        ("gzip;q=2", None),
        ("gzip;level=9", None),
        (" gzip ; q=0.3 ", "gzip"),
        ("gzip," * 100, None),
        ("\xff, gzip", "gzip"),
    ],
)
def test_the_coding_is_what_the_client_likes_best(header: str | None, coding: str | None) -> None:
    assert coding_for(header) == coding


@pytest.mark.parametrize("coding", CODINGS)
def test_every_coding_gives_the_body_back(coding: str) -> None:
    compressed = CompressedBodies().compressed(BODY, '"tag"', coding)
    assert len(compressed) < len(BODY) / 10
    assert DECODERS[coding](compressed) == BODY


def test_a_body_is_compressed_once_while_there_is_room() -> None:
    bodies = CompressedBodies(bytes_max=60)
    first = bodies.compressed(BODY, '"1"', "zstd")
    assert bodies.compressed(BODY, '"1"', "zstd") is first
    assert len(first) < 60 < 2 * len(first)
    bodies.compressed(BODY, '"2"', "zstd")
    assert bodies.compressed(BODY, '"1"', "zstd") is not first
