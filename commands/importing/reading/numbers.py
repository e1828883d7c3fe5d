"""Whether a file's numbers have decimal commas, as a spreadsheet of most countries writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from commands.importing.online_retail.columns import CUSTOMER, PRICE, QUANTITY

_COMMA = re.compile(r"-?\d{1,9},(?:\d{1,2}|\d{4,6})", re.ASCII)  # three digits may be thousands


@dataclass(slots=True)
class NumberEvidence:
    """A file's decimal sign: a comma is decimal where some price shows it, and none has a point."""

    comma: bool = False
    point: bool = False

    def see(self, price: str) -> None:
        """Takes a line's price."""
        if "." in price:
            self.point = True
        elif not self.comma and "," in price:
            self.comma = _COMMA.fullmatch(price) is not None

    @property
    def decimal_comma(self) -> bool:
        """Whether the file has them."""
        return self.comma and not self.point


def with_points(record: Sequence[str]) -> list[str]:
    """A record of a file with decimal commas, its numbers written with points."""
    result = list(record)
    for place in (QUANTITY, PRICE, CUSTOMER):
        if result[place].count(",") == 1:
            result[place] = result[place].replace(",", ".")
    return result
