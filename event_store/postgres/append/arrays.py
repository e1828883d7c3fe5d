"""Rows and arrays in PostgreSQL's binary form.

A batch goes to the server as a few arrays. Callers make the items, in their own threads; who sends a batch
only joins them, which is several times faster than the driver's adaptation of lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from struct import Struct
from uuid import UUID

BOOLEAN_OID, BYTEA_OID, BIGINT_OID, INTEGER_OID, TEXT_OID = 16, 17, 20, 23, 25
TIMESTAMPTZ_OID, RECORD_OID, UUID_OID = 1184, 2249, 2950

NULL = b"\xff\xff\xff\xff"
_length = Struct("!i").pack
_uuid_prefix = _length(16)
_header = Struct("!5i").pack
_type_and_length = Struct("!ii").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

integer_item = partial(Struct("!ii").pack, 4)
bigint_item = partial(Struct("!iq").pack, 8)

integer_field = partial(Struct("!iii").pack, INTEGER_OID, 4)
bigint_field = partial(Struct("!iiq").pack, BIGINT_OID, 8)
blob_prefix = partial(_type_and_length, BYTEA_OID)  # of a field with so many bytes
text_prefix = partial(_type_and_length, TEXT_OID)
uuid_prefix = _type_and_length(UUID_OID, 16)
row_prefix = Struct("!ii").pack  # of an item that is a row: its bytes without the first four, its fields

NULL_BLOB = blob_prefix(-1)
NULL_TEXT = text_prefix(-1)
NULL_TIME = _type_and_length(TIMESTAMPTZ_OID, -1)


def text_item(text: str) -> bytes:
    """UnicodeEncodeError for what is no Unicode text."""
    data = text.encode()
    return _length(len(data)) + data


recurring_text_item = lru_cache(maxsize=4096)(text_item)
"""The same, for texts that come again and again."""


def text_field(text: str | None) -> bytes:
    """A text as a row's field."""
    if text is None:
        return NULL_TEXT
    data = text.encode()
    return text_prefix(len(data)) + data


def blob_field(data: bytes | None) -> bytes:
    """Bytes as a row's field."""
    return NULL_BLOB if data is None else blob_prefix(len(data)) + data


def time_field(time: datetime | None) -> bytes:
    """A moment as a row's field."""
    if time is None:
        return NULL_TIME
    return _type_and_length(TIMESTAMPTZ_OID, 8) + time_value(time)


def time_value(time: datetime) -> bytes:
    return ((time - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True)


def bytes_item(data: bytes | None) -> bytes:
    return NULL if data is None else _length(len(data)) + data


def uuid_item(value: UUID) -> bytes:
    return _uuid_prefix + value.bytes


def boolean_item(value: bool) -> bytes:
    return b"\x00\x00\x00\x01\x01" if value else b"\x00\x00\x00\x01\x00"


def array(oid: int, items: Sequence[bytes]) -> bytes | None:
    """The array of these items; NULL where there are none, which the functions take for empty."""
    return joined_array(oid, len(items), items)


def joined_array(oid: int, length: int, pieces: Iterable[bytes]) -> bytes | None:
    """The same, of items that come in pieces."""
    if not length:
        return None
    return b"".join((_header(1, 0, oid, length, 1), *pieces))


def integers(values: Iterable[int]) -> bytes | None:
    return array(INTEGER_OID, [integer_item(value) for value in values])


def bigints(values: Iterable[int]) -> bytes | None:
    return array(BIGINT_OID, [bigint_item(value) for value in values])


def boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def read_bigint(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def read_boolean(data: bytes) -> bool:
    return data != b"\x00"


def read_row(data: bytes) -> list[bytes | None]:
    """A row's fields, each in binary form."""
    fields: list[bytes | None] = []
    at = 4
    for _ in range(int.from_bytes(data[:4], "big")):
        length = int.from_bytes(data[at + 4 : at + 8], "big", signed=True)
        at += 8
        fields.append(None if length < 0 else data[at : at + length])
        at += max(0, length)
    return fields


def read_time(data: bytes) -> datetime:
    return _EPOCH + read_bigint(data) * _MICROSECOND


def read_integers(data: bytes) -> list[int]:
    """A binary array of integers without nulls."""
    return [int.from_bytes(data[at + 4 : at + 8], "big", signed=True) for at in range(20, len(data), 8)]
