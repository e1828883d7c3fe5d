"""The view `search`: every SKU's product page as the index keeps it, from the fold that builds the page; and
how many units of it were ordered, which ranks products that have the words alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from aggregates.catalog.events import ProductListed
from aggregates.orders.events import OrderCanceled, OrderPlaced
from event_store.records import RecordedEvent
from projections.documents.search import POPULARITY_MAX
from projections.documents.shapes import ProductDocument
from projections.documents.words.lexicon import Lexicon
from projections.views import bestsellers, catalog
from projections.views.bestsellers import Ordered

MODEL = 9
"""The number of this read model: another shape, fold or index field (a currency is one) is another number."""


def model_of(lexicon: Lexicon) -> int:
    """The number of this read model with this lexicon: a changed one is built anew, beside the live one."""
    return MODEL + (lexicon.fingerprint << 16)


EVENTS = catalog.VIEW.events | {OrderPlaced, OrderCanceled}
"""The classes of the events that it folds."""


class IndexedProduct(msgspec.Struct):
    """What the index keeps of a SKU: its product page, the position at which it was last listed, the units
    ordered less those of canceled orders, and the position of the last event of any of it."""

    page: ProductDocument
    listed: int = 0
    units: int = 0
    position: int = 0

    @property
    def is_on_sale(self) -> bool:
        """Whether shoppers find it."""
        return self.page.status == catalog.LISTED

    @property
    def popularity(self) -> int:
        """0 to POPULARITY_MAX."""
        return min(max(self.units, 0).bit_length(), POPULARITY_MAX)


def facts(event: Any, recorded: RecordedEvent) -> Sequence[tuple[str, Any]]:
    """The SKUs whose product changes, each with what the event says of it."""
    if type(event) in catalog.VIEW.events:
        return catalog.facts(event, recorded)
    return bestsellers.facts(event, recorded) if type(event) in EVENTS else ()


def evolve(sku: str, product: IndexedProduct | None, fact: Any, recorded: RecordedEvent) -> IndexedProduct:
    """The product after the fact; what it has counted already changes nothing."""
    if product is not None and recorded.position <= product.position:
        return product
    if isinstance(fact, Ordered):
        product = product or IndexedProduct(catalog.unlisted(sku, recorded))
        product.units += fact.units
    else:
        page = catalog.evolve(sku, product.page if product else None, fact, recorded)
        page.position = recorded.position
        product = product or IndexedProduct(page)
        if isinstance(fact, ProductListed):
            product.listed = recorded.position
    product.position = recorded.position
    return product
