"""The view `search`: every SKU's product page as the index keeps it, from the fold that builds the page."""

from __future__ import annotations

from typing import Any

import msgspec

from aggregates.catalog.events import ProductListed
from event_store.records import RecordedEvent
from projections.documents.shapes import ProductDocument
from projections.documents.words.lexicon import Lexicon
from projections.views import catalog

MODEL = 6
"""The number of this read model: another shape, fold or index field is another number."""


def model_of(lexicon: Lexicon) -> int:
    """The number of this read model with this lexicon: a changed one is built anew, beside the live one."""
    return MODEL + (lexicon.fingerprint << 16)


class IndexedProduct(msgspec.Struct):
    """What the index keeps of a SKU: its product page, and the position at which it was last listed."""

    page: ProductDocument
    listed: int = 0

    @property
    def is_on_sale(self) -> bool:
        """Whether shoppers find it."""
        return self.page.status == catalog.LISTED


def sku_of(event: Any) -> str | None:
    """The SKU whose product changes; None for events that concern no product."""
    return str(event.sku) if type(event) in catalog.VIEW.events else None


def evolve(product: IndexedProduct | None, event: Any, recorded: RecordedEvent) -> IndexedProduct:
    """The product after the event; what it has counted already changes nothing."""
    if product is not None and recorded.position <= product.page.position:
        return product
    page = catalog.evolve(event.sku, product.page if product else None, event, recorded)
    page.position = recorded.position
    product = product or IndexedProduct(page)
    if isinstance(event, ProductListed):
        product.listed = recorded.position
    return product
