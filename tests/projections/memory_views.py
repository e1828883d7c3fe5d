"""Views built in memory from a shop's log."""

from __future__ import annotations

from typing import Any

import msgspec

from projections.check import MemoryView
from projections.views.view import View
from tests.shop.log import Shop, decoded


def built(shop: Shop, view: View) -> MemoryView:
    shop.flush()
    view_built = MemoryView(view)
    view_built.apply(decoded(shop.log))
    return view_built


def document(shop: Shop, view: View, key: str) -> Any:
    return msgspec.json.decode(built(shop, view).documents[key])
