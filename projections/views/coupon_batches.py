"""The view `coupon_batches`: one batch, and how many of its codes are issued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, get_args

from aggregates.promotions.events import BatchCompleted, BatchEvent, BatchProgressed, BatchRequested
from event_store.records import RecordedEvent
from projections.documents.shapes import CouponBatchDocument
from projections.views.view import DocumentView


def facts(event: BatchEvent, recorded: RecordedEvent) -> Sequence[tuple[str, BatchEvent]]:
    """The event, for its batch."""
    return ((event.batch_id, event),)


def evolve(
    key: str, document: CouponBatchDocument | None, event: BatchEvent, recorded: RecordedEvent
) -> CouponBatchDocument:
    """The batch after the event. Its first event requests it."""
    if isinstance(event, BatchRequested):
        return CouponBatchDocument(
            id=key,
            promotion_id=event.promotion_id,
            prefix=event.prefix,
            ends_at=event.ends_at,
            count=event.count,
            issued=0,
            completed=False,
            position=recorded.position,
        )
    if document is None:
        raise ValueError(f"position {recorded.position}: batch {key} was never requested")
    match event:
        case BatchProgressed(issued=issued):
            document.issued = issued
        case BatchCompleted():
            document.completed = True
        case _:
            assert_never(event)
    return document


VIEW = DocumentView(
    name="coupon_batches",
    model=1,
    shape=CouponBatchDocument,
    events=frozenset(get_args(BatchEvent)),
    facts=facts,
    evolve=evolve,
)
