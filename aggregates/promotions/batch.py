"""A batch of single-use coupons: requested, then issued by and by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import assert_never

from aggregates.kernel import Reason, Rejected, StreamKind
from aggregates.promotions.events import (
    BatchCompleted,
    BatchEvent,
    BatchProgressed,
    BatchRequested,
    CouponIssued,
)


@dataclass(slots=True)
class Batch:
    """`requested` is None for a batch nobody requested; `issued` codes so far."""

    requested: BatchRequested | None = None
    issued: int = 0
    completed: bool = False

    @property
    def missing(self) -> int:
        """Codes that are still to be issued."""
        return 0 if self.requested is None else self.requested.count - self.issued


@dataclass(frozen=True, slots=True)
class UnknownBatch(Reason):
    """No such batch of coupons"""

    batch_id: str


def initial() -> Batch:
    """A batch nobody requested."""
    return Batch()


def evolve(batch: Batch, event: BatchEvent) -> Batch:
    """The batch after the event; changes it in place."""
    match event:
        case BatchRequested():
            batch.requested = event
        case BatchProgressed(issued=issued):
            batch.issued = issued
        case BatchCompleted():
            batch.completed = True
        case _:
            assert_never(event)
    return batch


stream = StreamKind("coupon_batch", initial, evolve)


def request(batch: Batch, *, requested: BatchRequested) -> tuple[BatchEvent, ...]:
    """Requests the codes."""
    if batch.requested is not None:
        return ()
    return (requested,)


def coupons(batch: Batch, *, batch_id: str, suffixes: Iterable[str]) -> list[CouponIssued]:
    """The batch's coupons with these ends of their codes; no more of them than codes are missing."""
    requested = batch.requested
    if requested is None:
        raise Rejected(UnknownBatch(batch_id))
    return [
        CouponIssued(
            code=requested.prefix + suffix,
            promotion_id=requested.promotion_id,
            batch_id=batch_id,
            uses_max=1,
            ends_at=requested.ends_at,
        )
        for suffix in islice(suffixes, batch.missing)
    ]


def progress(batch: Batch, *, batch_id: str, more: int) -> tuple[BatchEvent, ...]:
    """Counts codes that are issued in the same command; the last of them complete the batch."""
    if not 0 <= more <= batch.missing:
        raise ValueError(f"{more} of {batch.missing} missing codes")
    issued = batch.issued + more
    events: tuple[BatchEvent, ...] = (BatchProgressed(batch_id=batch_id, issued=issued),) if more else ()
    if more == batch.missing and not batch.completed:
        events += (BatchCompleted(batch_id=batch_id),)
    return events
