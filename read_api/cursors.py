"""Cursors: where the next page begins, as text that only this API reads.

A cursor is base64url of JSON: a check of the query it belongs to, and a place. It holds nothing secret and
is not signed: a forged one shows what anyone may see.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Annotated, Any, TypeVar
from zlib import crc32

import msgspec

from deploy.edge.problems import ProblemError
from projections.documents.search import After, Offset, Place
from read_api.problems import INVALID_CURSOR

LENGTH_MAX = 512

_Key = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Sku = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class _ProductPlace(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    check: int
    key: _Key
    sku: _Sku
    tier: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0


class _HitsPlace(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    check: int
    offset: _Key
    generation: Annotated[str, msgspec.Meta(max_length=64)]


class _Rank(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    check: int
    rank: _Key


class _Id(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    check: int
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class _Entry(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    check: int
    score: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
    member: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


_Cursor = TypeVar("_Cursor", _ProductPlace, _HitsPlace, _Rank, _Id, _Entry)


def cursor_of_place(place: Place | None, query: Any) -> str | None:
    """The cursor for a place among the products found by `query`."""
    match place:
        case After(key=key, sku=sku, tier=tier):
            return _text(_ProductPlace(_check(query), key, sku, tier))
        case Offset(offset=offset, generation=generation):
            return _text(_HitsPlace(_check(query), offset, generation))
        case None:
            return None


def place_of_cursor(cursor: str | None, query: Any, *, by_relevance: bool) -> Place | None:
    """The place in a cursor. Raises invalid-cursor where it is not one of this query's."""
    if cursor is None:
        return None
    if by_relevance:
        hits = _read(cursor, query, _HitsPlace)
        return Offset(hits.offset, hits.generation)
    product = _read(cursor, query, _ProductPlace)
    return After(product.key, product.sku, product.tier)


def cursor_of_rank(rank: int | None, query: Any) -> str | None:
    """The cursor for a rank in a ranking or list: so many were seen."""
    return None if rank is None else _text(_Rank(_check(query), rank))


def rank_of_cursor(cursor: str | None, query: Any) -> int:
    """The rank in a cursor, 0 without one. Raises invalid-cursor where it is not this query's."""
    return 0 if cursor is None else _read(cursor, query, _Rank).rank


def cursor_of_id(last: str | None, query: Any) -> str | None:
    """The cursor for what comes after an id in a list by ids."""
    return None if last is None else _text(_Id(_check(query), last))


def id_of_cursor(cursor: str | None, query: Any) -> str:
    """The id in a cursor, "" without one. Raises invalid-cursor where it is not this query's."""
    return "" if cursor is None else _read(cursor, query, _Id).id


def cursor_of_entry(last: tuple[int, str] | None, query: Any) -> str | None:
    """The cursor for what comes after a score and member in a ranking that rises."""
    return None if last is None else _text(_Entry(_check(query), *last))


def entry_of_cursor(cursor: str | None, query: Any) -> tuple[int, str] | None:
    """The score and member in a cursor. Raises invalid-cursor where it is not this query's."""
    if cursor is None:
        return None
    entry = _read(cursor, query, _Entry)
    return entry.score, entry.member


def _check(query: Any) -> int:
    return crc32(msgspec.json.encode(query))


def _text(cursor: msgspec.Struct) -> str:
    return urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def _read(text: str, query: Any, kind: type[_Cursor]) -> _Cursor:
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        cursor = msgspec.json.decode(raw, type=kind)
    except (NotBase64, UnicodeError, msgspec.DecodeError) as error:
        raise ProblemError(INVALID_CURSOR) from error
    if cursor.check != _check(query):
        raise ProblemError(INVALID_CURSOR, "The cursor belongs to another query: start that one anew.")
    return cursor
