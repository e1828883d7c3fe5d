"""Lines that get no event are listed aside, each with its reason, in a CSV file beside the books."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands.importing.online_retail import Damaged, Line
from commands.importing.sorting import Kind

COLUMNS = (
    "line",
    "invoice",
    "code",
    "description",
    "quantity",
    "unit_price",
    "amount_pence",
    "kind",
    "reason",
)


class Aside:
    """The list while it is being written."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def line(self, line: Line, kind: Kind, reason: str) -> None:
        """Lists a line that was understood."""
        self._writer.writerow(
            (
                line.number,
                line.invoice,
                line.code,
                line.description,
                line.quantity,
                line.price.exact,
                line.amount,
                kind.value,
                reason,
            )
        )

    def damaged(self, damaged: Damaged) -> None:
        """Lists a damaged line; what it says is certain of nothing, so it counts for 0 pence."""
        self._writer.writerow(
            (damaged.number, "", "", damaged.text, "", "", 0, Kind.DAMAGED.value, damaged.reason)
        )


@contextmanager
def listing(path: Path) -> Iterator[Aside]:
    """Writes the list anew; it takes its place only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        yield Aside(writer)
    unfinished.replace(path)


def read_back(path: Path) -> Iterator[tuple[Kind, int]]:
    """Kind and pence of every line listed."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Kind(row["kind"]), int(row["amount_pence"])
