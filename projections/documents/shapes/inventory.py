"""Stock."""

from __future__ import annotations

import msgspec


class InventoryDocument(msgspec.Struct, omit_defaults=True):
    """The stock of one SKU: available = on_hand - reserved. No `locations`: there never was any.

    `delisted`: the product is not on sale any more.
    """

    sku: str
    on_hand: int
    reserved: int
    available: int
    locations: dict[str, int]  # on hand by location
    position: int
    delisted: bool = False
