"""What the gateway sends, once for ever, and whose its payments are.

Streams: `gateway_event-<event id>`, `gateway_payment-<reference>`, `gateway_news-<gateway>`,
`reconciliation-<gateway>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from aggregates.kernel import OrderId, StreamKind
from aggregates.payments.events import (
    BalanceReconciled,
    Concern,
    GatewayNewsFetched,
    GatewayNewsParked,
    GatewayNewsReceived,
    GatewayPaymentForeign,
    GatewayPaymentLinked,
)
from aggregates.payments.standing import Standing


@dataclass(slots=True)
class NewsReceipt:
    """One piece of news, by its id."""

    received: bool = False


@dataclass(slots=True)
class GatewayPayment:
    """A payment of the gateway's: whose it is, and what waits until that is known."""

    order_id: OrderId | None = None
    foreign: bool = False
    parked: list[GatewayNewsParked] = field(default_factory=list)


@dataclass(slots=True)
class GatewayNews:
    """How far a gateway's news were asked for."""

    up_to: datetime | None = None


@dataclass(slots=True)
class Reconciliation:
    """Up to when a gateway's balance reports were held against our payments."""

    until: datetime | None = None


def evolve_event(state: NewsReceipt, event: GatewayNewsReceived) -> NewsReceipt:
    """The news after the event; changes it in place."""
    state.received = True
    return state


def evolve_payment(
    state: GatewayPayment, event: GatewayPaymentLinked | GatewayNewsParked | GatewayPaymentForeign
) -> GatewayPayment:
    """The payment after the event; changes it in place."""
    match event:
        case GatewayPaymentLinked(order_id=order_id):
            state.order_id = order_id
            state.parked.clear()
        case GatewayNewsParked():
            state.parked.append(event)
        case GatewayPaymentForeign():
            state.foreign = True
            state.parked.clear()
        case _:
            assert_never(event)
    return state


def evolve_news(state: GatewayNews, event: GatewayNewsFetched) -> GatewayNews:
    """The news after the event; changes it in place."""
    state.up_to = event.up_to
    return state


def evolve_reconciliation(state: Reconciliation, event: BalanceReconciled) -> Reconciliation:
    """The reconciliation after the event; changes it in place. One that begins later leaves a gap."""
    if event.failure is None and (state.until is None or event.since <= state.until < event.until):
        state.until = event.until
    return state


event_stream = StreamKind("gateway_event", NewsReceipt, evolve_event)
payment_stream = StreamKind("gateway_payment", GatewayPayment, evolve_payment)
news_stream = StreamKind("gateway_news", GatewayNews, evolve_news)
reconciliation_stream = StreamKind("reconciliation", Reconciliation, evolve_reconciliation)


def receive(
    state: NewsReceipt,
    *,
    event_id: str,
    kind: str,
    created: datetime,
    gateway_reference: str | None,
    order_id: OrderId | None,
) -> tuple[GatewayNewsReceived, ...]:
    """The news came in, once."""
    if state.received:
        return ()
    return (
        GatewayNewsReceived(
            event_id=event_id,
            kind=kind,
            created=created,
            gateway_reference=gateway_reference,
            order_id=order_id,
        ),
    )


def link(
    state: GatewayPayment, *, gateway_reference: str, order_id: OrderId
) -> tuple[GatewayPaymentLinked, ...]:
    """The payment is this order's."""
    if state.order_id is not None:
        return ()
    return (GatewayPaymentLinked(gateway_reference=gateway_reference, order_id=order_id),)


def park(
    state: GatewayPayment, *, gateway_reference: str, standing: Standing | None, concern: Concern | None
) -> tuple[GatewayNewsParked, ...]:
    """Keeps what was told until somebody knows whose it is; of what is none of ours, nothing."""
    if state.foreign or state.order_id is not None:
        return ()
    return (GatewayNewsParked(gateway_reference=gateway_reference, standing=standing, concern=concern),)


def close_foreign(state: GatewayPayment, *, gateway_reference: str) -> tuple[GatewayPaymentForeign, ...]:
    """The payment is none of ours."""
    if state.foreign or state.order_id is not None:
        return ()
    return (GatewayPaymentForeign(gateway_reference=gateway_reference),)


def fetch(state: GatewayNews, *, gateway: str, up_to: datetime) -> tuple[GatewayNewsFetched, ...]:
    """The news up to this moment were asked for."""
    if state.up_to is not None and up_to <= state.up_to:
        return ()
    return (GatewayNewsFetched(gateway=gateway, up_to=up_to),)
