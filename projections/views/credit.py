"""The view `credit`: one account, and all that changed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, get_args

from aggregates.credit.events import (
    AccountBlocked,
    AccountExpired,
    AccountOpened,
    Credited,
    CreditEvent,
    Debited,
    DebitReleased,
    Redeemed,
    RedemptionReleased,
)
from event_store.records import RecordedEvent
from projections.documents.shapes import CreditDocument, CreditMovement
from projections.views.view import DocumentView


def facts(event: CreditEvent, recorded: RecordedEvent) -> Sequence[tuple[str, CreditEvent]]:
    """The event, for its account."""
    return ((event.account_id, event),)


def evolve(
    key: str, document: CreditDocument | None, event: CreditEvent, recorded: RecordedEvent
) -> CreditDocument:
    """The account after the event, which the first one opens."""
    if isinstance(event, AccountOpened):
        return CreditDocument(
            id=key,
            kind=event.kind,
            currency=event.currency,
            customer_id=event.customer_id,
            expires_on=event.expires_on,
            balance=0,
            blocked=False,
            expired=False,
            movements=[],
            position=recorded.position,
        )
    if document is None:
        raise ValueError(f"position {recorded.position}: account {key} was never opened")
    order_id: str | None = None
    match event:
        case Credited(cause=cause, order_id=order_id):
            what, change = str(cause), event.amount.amount
        case Redeemed(order_id=order_id):
            what, change = "redeemed", -event.amount.amount
        case RedemptionReleased(order_id=order_id):
            what, change = "released", event.amount.amount
        case Debited(order_id=order_id):
            what, change = "debited", -event.amount.amount
        case DebitReleased(order_id=order_id):
            what, change = "debit_released", event.amount.amount
        case AccountBlocked():
            what, change = "blocked", 0
            document.blocked = True
        case AccountExpired():
            what, change = "expired", -event.amount.amount
            document.expired = True
        case _:
            assert_never(event)
    document.balance += change
    document.movements.insert(0, CreditMovement(recorded.recorded_at, what, change, order_id))
    return document


VIEW = DocumentView(
    name="credit",
    model=2,
    shape=CreditDocument,
    events=frozenset(get_args(CreditEvent)),
    facts=facts,
    evolve=evolve,
)
