"""The view `coupon`: one coupon and its uses; and `batch_coupons`: per batch its codes, by the position of
issue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, get_args

from aggregates.promotions.events import (
    CouponClaimed,
    CouponEvent,
    CouponIssued,
    CouponReleased,
    CouponRevoked,
)
from event_store.records import RecordedEvent
from projections.documents.shapes import CouponDocument
from projections.views.view import DocumentView, EntriesView, Entry


def facts(event: CouponEvent, recorded: RecordedEvent) -> Sequence[tuple[str, CouponEvent]]:
    """The event, for its code."""
    return ((event.code, event),)


def evolve(
    key: str, document: CouponDocument | None, event: CouponEvent, recorded: RecordedEvent
) -> CouponDocument:
    """The coupon after the event. The first event of a code issues it."""
    if isinstance(event, CouponIssued):
        return CouponDocument(
            code=key,
            promotion_id=event.promotion_id,
            batch_id=event.batch_id,
            uses_max=event.uses_max,
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            uses=0,
            revoked=False,
            position=recorded.position,
        )
    if document is None:
        raise ValueError(f"position {recorded.position}: coupon {key} was never issued")
    match event:
        case CouponClaimed():
            document.uses += 1
        case CouponReleased():
            document.uses -= 1
        case CouponRevoked():
            document.revoked = True
        case _:
            assert_never(event)
    return document


def entry(event: CouponIssued, recorded: RecordedEvent) -> Entry | None:
    """The code in its batch's list; a coupon by itself is in none."""
    return None if event.batch_id is None else Entry(event.batch_id, event.code, recorded.position)


VIEW = DocumentView(
    name="coupon",
    model=1,
    shape=CouponDocument,
    events=frozenset(get_args(CouponEvent)),
    facts=facts,
    evolve=evolve,
)
BATCH_VIEW = EntriesView(name="batch_coupons", model=1, events=frozenset({CouponIssued}), entry=entry)
