"""Stock."""

from __future__ import annotations

import msgspec


class InventoryDocument(msgspec.Struct):
    """The stock of one SKU: available = on_hand - reserved."""

    sku: str
    on_hand: int
    reserved: int
    available: int
    locations: dict[str, int]  # on hand by location
    position: int
