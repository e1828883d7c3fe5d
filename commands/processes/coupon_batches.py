"""Batches of coupons: their codes are issued, so many in one command, until none is missing."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from aggregates.promotions.events import BatchCompleted, BatchProgressed, BatchRequested
from commands.handlers.promotions import IssueCodes
from commands.processes.kind import Change, Closed, Due, Opened
from event_store.records import EventLog, RecordedEvent

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter that is taken for a digit, or for another letter."""
SUFFIX_CHARACTERS = 12  # 60 bits: nobody guesses one
CODES_AT_ONCE = 1_000
"""In one command, which other commands wait for: well below a tenth of a second."""


class CouponBatches:
    """See ProcessKind. One piece of work a batch, opened anew by each part of it, closed by the last."""

    name = "coupon_batches"
    event_names = ("promotions.batch_requested", "promotions.batch_progressed", "promotions.batch_completed")
    at_once_max = 1  # between two parts, other commands have their turn
    round_seconds = 0.2

    def starts_at(self, log: EventLog) -> int:
        """The log's start: whatever was requested is owed."""
        return 0

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """A batch has codes missing until it is completed."""
        match event:
            case BatchRequested(batch_id=batch_id) | BatchProgressed(batch_id=batch_id):
                yield Opened(batch_id)
            case BatchCompleted(batch_id=batch_id):
                yield Closed(batch_id)

    async def do(self, due: Due) -> IssueCodes:
        """New codes each time. Those of a command of which nobody knows whether it was written count all the
        same where it was: no more are issued than are missing."""
        return IssueCodes(batch_id=due.event.batch_id, suffixes=new_suffixes(CODES_AT_ONCE))


def new_suffixes(count: int) -> tuple[str, ...]:
    """Random ends of codes, each once."""
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(secrets.choice(ALPHABET) for _ in range(SUFFIX_CHARACTERS))] = None
    return tuple(found)
