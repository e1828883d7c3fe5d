"""What visitors looked at, and what is bought together."""

from __future__ import annotations

import msgspec


class RecentDocument(msgspec.Struct):
    """The products that a visit looked at last, each once, newest first. `seen`: when the last view was
    recorded, seconds since 1970."""

    visit_id: str
    skus: list[str]
    position: int
    seen: int = 0


class AlsoBoughtDocument(msgspec.Struct):
    """By SKU, how many orders had it beside this product; the one ordered last comes last."""

    sku: str
    orders: dict[str, int]
    position: int

    def best_first(self) -> list[str]:
        """The SKUs by how many orders had them; of equals, what was ordered last comes first."""
        return sorted(self.orders, key=self.orders.__getitem__)[::-1]


class ConversionDocument(msgspec.Struct):
    """A day's visits that began, carts taken, and orders placed of carts; the document key is the day."""

    date: str  # YYYY-MM-DD, of the shop's zone
    visits: int
    carts: int
    orders: int
    position: int
