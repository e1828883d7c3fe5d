"""The view `recent`: the products that a visit looked at last, each once, newest first; ranking `seen`.

Event: product viewed. Key: the visit's id. At most `SKUS_MAX` SKUs, on sale or not: the query leaves out what
was delisted meanwhile. Whose visit it is the document does not have. It is gone once the log has gone on for
so many days after its last view; a visit that looks at something again begins anew. The number of days is a
part of the read model: another one is built anew. As stale as the projector is behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from aggregates.visits.events import ProductViewed
from event_store.records import RecordedEvent
from projections.documents.shapes import RecentDocument
from projections.views.view import DocumentView, Ranking, second_of

MODEL = 2
"""The number of this read model, whatever the days."""

SKUS_MAX = 20

SEEN = "seen"
"""The ranking of all visits by the second in which their last view was recorded."""

DAYS_DEFAULT = 30

_DAY_SECONDS = 86_400


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
    document.seen = second_of(recorded)
    return document


def view(days: int) -> DocumentView[RecentDocument]:
    """The view of a shop that shows a visit for so many days after its last view."""
    return DocumentView(
        name="recent",
        model=MODEL + (days << 16),
        shape=RecentDocument,
        events=frozenset({ProductViewed}),
        facts=facts,
        evolve=evolve,
        ranking=Ranking(SEEN, lambda document: document.seen),
        kept_seconds=days * _DAY_SECONDS,
    )
