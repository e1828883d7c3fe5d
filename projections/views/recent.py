"""The view `recent`: the products that a visit looked at last, each once, newest first.

Event: product viewed. Key: the visit's id. At most `SKUS_MAX` SKUs, on sale or not: the query leaves out what
was delisted meanwhile. Whose visit it is the document does not have. As stale as the projector is behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from aggregates.visits.events import ProductViewed
from event_store.records import RecordedEvent
from projections.documents.shapes import RecentDocument
from projections.views.view import DocumentView

SKUS_MAX = 20


def facts(event: ProductViewed, recorded: RecordedEvent) -> Sequence[tuple[str, ProductViewed]]:
    """The event, for its visit."""
    return ((event.visit_id, event),)


def evolve(
    key: str, document: RecentDocument | None, event: ProductViewed, recorded: RecordedEvent
) -> RecentDocument:
    """The products after the view: its own first."""
    document = document or RecentDocument(visit_id=key, skus=[], position=recorded.position)
    others = (sku for sku in document.skus if sku != event.sku)
    document.skus = [event.sku, *others][:SKUS_MAX]
    return document


VIEW = DocumentView(
    name="recent",
    model=1,
    shape=RecentDocument,
    events=frozenset({ProductViewed}),
    facts=facts,
    evolve=evolve,
)
