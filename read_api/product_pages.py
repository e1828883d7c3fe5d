"""Pages of several products: of those that are on sale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from read_api.market_prices import in_main_market
from read_api.stores import Stores


class Pages(NamedTuple):
    """A page for each SKU, None where it is not on sale; and where the view stood."""

    pages: list[bytes | None]
    position: int


class _Standing(msgspec.Struct):
    status: str


_standing = msgspec.json.Decoder(_Standing).decode


async def pages_on_sale(stores: Stores, skus: Sequence[str]) -> Pages:
    """The products' pages, read at once."""
    found = await stores.documents.documents("product", skus)
    pages = {
        sku: page
        for sku, page in zip(skus, found.documents, strict=True)
        if page is not None and _standing(page).status == "listed"
    }
    pages = dict(zip(pages, await in_main_market(stores, list(pages.values())), strict=True))
    return Pages([pages.get(sku) for sku in skus], found.position)
