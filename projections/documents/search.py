"""The search index as readers know it: its fields, queries and results.

Nothing here knows which engine holds the index. The document key is the SKU; sort keys are one unsigned
number and the SKU breaks ties, in the order of its UTF-8 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from projections.documents.text import normalized

VIEW = "search"

Sort = Literal["relevance", "sku", "price_asc", "price_desc", "newest"]

DEPTH_MAX = 1_000
"""How deep pages by relevance go, where their list ends: design page, law 7."""

FACET_VALUES_MAX = 100
"""Values returned per facet, the most frequent first."""

CATEGORY_SEPARATOR = ">"

ATTRIBUTE_SEPARATOR = "\x1f"
"""Between an attribute's name and its value in the facet field; no typed text has it."""

POPULARITY_MAX = 16
"""The highest level of popularity: a level more for every doubling of the units ordered."""


class ProductQuery(msgspec.Struct, frozen=True):
    """What a shopper asks for. Every filter that is None leaves everything in.

    `words` is what was typed, taken as plain words: no operator is known. A category includes those
    below it. `currency` leaves products that have a price in it; price bounds, in minor units and both
    included, and an order by price are of that price.
    """

    words: str | None = None
    category: str | None = None
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool | None = None
    sort: Sort = "sku"
    attributes: tuple[tuple[str, str], ...] = ()  # name and value; all of them are demanded
    currency: str | None = None

    @property
    def bounds_price(self) -> bool:
        """Whether there is a bound of the price."""
        return self.price_min is not None or self.price_max is not None

    @property
    def compares_prices(self) -> bool:
        """Whether a bound or the order is by price, which has a meaning in one currency alone."""
        return self.bounds_price or self.sort in ("price_asc", "price_desc")


class After(msgspec.Struct, frozen=True, tag="after"):
    """A place in a sorted listing: behind the product with this sort key and SKU, in this tier of what the
    words find."""

    key: int
    sku: str
    tier: int = 0


class Offset(msgspec.Struct, frozen=True, tag="offset"):
    """A place in hits by relevance: so many were seen, in this generation of the index."""

    offset: int
    generation: str


Place = After | Offset


class FacetValue(msgspec.Struct, frozen=True):
    """How many of the products found have this value."""

    value: str
    count: int


class Page(msgspec.Struct, frozen=True):
    """Products found, each as the bytes of its product page, and where the next page begins."""

    items: list[bytes]
    total: int
    facets: dict[str, list[FacetValue]]
    next: Place | None
    position: int  # where the index stood
    highlights: list[dict[str, str]]  # of each item: see words/highlights.py
    facets_cut: list[str]  # facets that have more values than are shown
    relaxed: list[str]  # words that fell away, as typed
    did_you_mean: str | None


class Suggestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a shopper may mean: words to search for, a category's path, or a product's title."""

    text: str
    kind: Literal["query", "product", "category"]
    sku: str | None = None


class Suggestions(msgspec.Struct, frozen=True):
    """What a shopper may mean, the likeliest of each kind first; and where the index stood."""

    items: list[Suggestion]
    position: int


class Described(msgspec.Struct, frozen=True):
    """What a product's document says of it in words."""

    title: str
    description: str = ""
    category: str = ""
    attributes: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """Its title, category and attributes: all but the description."""
        return [self.title, self.category, *self.attributes.values()]


class CurrencyNeededError(Exception):
    """Prices are compared, and the shop has several currencies."""

    def __init__(self, currencies: Sequence[str]) -> None:
        super().__init__(", ".join(currencies))
        self.currencies = tuple(currencies)


class PlaceExpiredError(Exception):
    """The place's generation of the index is gone: ask from the start."""


def category_levels(category: str) -> list[str]:
    """The category and those above it: "Kitchen > Mugs" gives "Kitchen" and "Kitchen > Mugs"."""
    names = [normalized(name) for name in category.split(CATEGORY_SEPARATOR)]
    names = [name for name in names if name]
    joint = f" {CATEGORY_SEPARATOR} "
    return [joint.join(names[: depth + 1]) for depth in range(len(names))]


def sku_numbers(sku: str) -> tuple[int, int]:
    """The first 16 bytes of a SKU as two numbers that sort as it does; what is equal there may differ."""
    key = sku.encode()[:16].ljust(16, b"\0")
    return int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
