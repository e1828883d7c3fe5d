"""Rejects: lines that get no event, each listed with its reason in a CSV file of the data folder."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands.importing.online_retail.accounts import Counts, counts
from commands.importing.online_retail.records import Line
from commands.importing.online_retail.sorting import Kind
from commands.importing.reading.refusals import Damaged

HEADER = "line,invoice,code,description,quantity,unit_price,amount_pence,kind,reason"


class Rejects:
    """The list while it is being written; without a `writer` it only counts."""

    def __init__(self, place: Callable[[int], str], writer: Any = None) -> None:
        """`place` names a line of the file by its number."""
        self._place = place
        self._writer = writer
        self.counted = counts()

    def add(self, line: Line, kind: Kind, reason: str) -> None:
        """Lists a line that was understood."""
        self._list(
            line.number,
            line.invoice,
            line.code,
            line.description,
            line.quantity,
            line.price.exact,
            line.amount,
            kind,
            reason,
        )

    def add_damaged(self, damaged: Damaged) -> None:
        """Lists a damaged line; nothing in it is certain, so it counts for 0 pence."""
        self._list(damaged.number, "", "", damaged.text, "", "", 0, Kind.DAMAGED, damaged.reason)

    def _list(self, number: int, *fields: Any) -> None:
        *_, pence, kind, reason = fields
        self.counted[kind.value].add(pence)
        if self._writer is not None:
            place = self._place(number).removeprefix("line ")
            self._writer.writerow((place, *fields[:-2], kind.value, reason))


@contextmanager
def listing(path: Path, place: Callable[[int], str]) -> Iterator[Rejects]:
    """Writes the list anew; it takes the place of the one before when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER.split(","))
        yield Rejects(place, writer)
    unfinished.replace(path)


def read_back(path: Path) -> Counts:
    """Lines and pence of every kind listed."""
    result = counts()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            result[Kind(row["kind"]).value].add(int(row["amount_pence"]))
    return result
