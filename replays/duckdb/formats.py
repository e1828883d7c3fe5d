"""An answer as text or bytes: a table for people, CSV, JSON, Parquet."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from replays.duckdb.questions import Rows

ROWS_SHOWN = 200
"""Of a table for people; the other formats have all."""
WIDTH_SHOWN = 60

_encode = msgspec.json.Encoder(decimal_format="number").encode


def write_table(answer: Rows, out: BinaryIO) -> None:
    """Columns under each other, numbers to the right; at most ROWS_SHOWN rows, long texts cut.

    A plan (EXPLAIN) is printed as it was drawn.
    """
    names = answer.schema.names
    if names == ["explain_key", "explain_value"]:
        out.write("".join(f"{drawn}\n" for _, drawn in _rows(answer)).encode())
        return
    right = [_is_number(field.type) for field in answer.schema]
    rows: list[list[str]] = []
    count = 0
    for values in _rows(answer):
        count += 1
        if count <= ROWS_SHOWN:
            rows.append([_shown(value) for value in values])
    widths = [max([_width(name), *(_width(row[at]) for row in rows)]) for at, name in enumerate(names)]
    lines = [_line(names, widths, right), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, right) for row in rows]
    more = f", {ROWS_SHOWN} of them shown: --format csv has all" if count > ROWS_SHOWN else ""
    lines.append(f"({count:,} {'row' if count == 1 else 'rows'}{more})")
    out.write("".join(f"{line.rstrip()}\n" for line in lines).encode())


def write_csv(answer: Rows, out: BinaryIO) -> None:
    """RFC 4180 with a header; null is empty, values with parts are JSON, moments RFC 3339."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(answer.schema.names)
    for values in _rows(answer):
        writer.writerow([_in_a_cell(value) for value in values])
        if text.tell() > 2**16:
            _flush(text, out)
    _flush(text, out)


def write_json(answer: Rows, out: BinaryIO) -> None:
    """An array with an object for each row, one a line. Decimals are numbers with all their digits."""
    names = answer.schema.names
    start = b"["
    for values in _rows(answer):
        out.write(start + b"\n" + _encode(dict(zip(names, values, strict=True))))
        start = b","
    out.write(b"[]\n" if start == b"[" else b"\n]\n")


def write_parquet(answer: Rows, out: BinaryIO) -> None:
    """A file, zstd-compressed, of the types that the answer has."""
    with pq.ParquetWriter(out, answer.schema, compression="zstd") as writer:
        for batch in answer:
            writer.write_batch(batch)


FORMATS: dict[str, Callable[[Rows, BinaryIO], None]] = {
    "table": write_table,
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
}


def _rows(answer: Rows) -> Iterator[tuple[Any, ...]]:
    """Values as Python has them, maps as dicts."""
    maps = [_has_map(field.type) for field in answer.schema]
    for batch in answer:
        columns = [
            column.to_pylist(maps_as_pydicts="strict") if has else column.to_pylist()
            for column, has in zip(batch.columns, maps, strict=True)
        ]
        yield from zip(*columns, strict=True)


def _has_map(kind: pa.DataType) -> bool:
    return pa.types.is_map(kind) or any(_has_map(kind.field(at).type) for at in range(kind.num_fields))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _text(value: Any) -> str:
    """As JSON has it, without the quotes around a text."""
    return value if isinstance(value, str) else _encode(value).decode().strip('"')


def _in_a_cell(value: Any) -> str:
    return "" if value is None else _text(value)


def _shown(value: Any) -> str:
    """In one line, nothing in it that a terminal would obey."""
    text = _in_a_cell(value)
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= WIDTH_SHOWN else text[: WIDTH_SHOWN - 1] + "…"


def _line(cells: list[str], widths: list[int], right: list[bool]) -> str:
    padded = []
    for cell, width, to_the_right in zip(cells, widths, right, strict=True):
        space = " " * (width - _width(cell))
        padded.append(space + cell if to_the_right else cell + space)
    return "  ".join(padded)


def _width(text: str) -> int:
    """Places on a terminal: letters of East Asian scripts take two, marks on others none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _flush(text: io.StringIO, out: BinaryIO) -> None:
    out.write(text.getvalue().encode())
    text.seek(0)
    text.truncate()
