"""A batch of single-use coupons: requested, then issued by and by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from aggregates.kernel import Reason, Rejected, StreamKind
from aggregates.promotions.events import BatchEvent, BatchProgressed, BatchRequested


@dataclass(slots=True)
class Batch:
    """`requested` is None for a batch nobody asked for; `issued` codes so far."""

    requested: BatchRequested | None = None
    issued: int = 0

    @property
    def missing(self) -> int:
        """Codes that are still to be issued."""
        return 0 if self.requested is None else self.requested.count - self.issued


@dataclass(frozen=True, slots=True)
class UnknownBatch(Reason):
    """No such batch of coupons"""

    batch_id: str


def initial() -> Batch:
    """A batch nobody asked for."""
    return Batch()


def evolve(batch: Batch, event: BatchEvent) -> Batch:
    """The batch after the event; changes it in place."""
    match event:
        case BatchRequested():
            batch.requested = event
        case BatchProgressed(issued=issued):
            batch.issued = issued
        case _:
            assert_never(event)
    return batch


stream = StreamKind("coupon_batch", initial, evolve)


def request(batch: Batch, *, requested: BatchRequested) -> tuple[BatchEvent, ...]:
    """Asks for the codes."""
    if batch.requested is not None:
        return ()
    return (requested,)


def progress(batch: Batch, *, batch_id: str, more: int) -> tuple[BatchEvent, ...]:
    """Counts codes that are issued in the same command; never more than were asked for."""
    if batch.requested is None:
        raise Rejected(UnknownBatch(batch_id))
    if not 0 < more <= batch.missing:
        raise ValueError(f"{more} of {batch.missing} missing codes")
    return (BatchProgressed(batch_id=batch_id, issued=batch.issued + more),)
