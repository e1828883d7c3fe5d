"""What a gateway sent counts once, and each of its payments is for one order."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from aggregates.kernel import OrderId
from aggregates.payments.events import (
    BalanceReconciled,
    GatewayEvent,
    GatewayNewsFetched,
    GatewayNewsParked,
    GatewayNewsReceived,
    GatewayPaymentForeign,
    GatewayPaymentLinked,
    PaymentEvent,
)
from event_store.records import RecordedEvent
from replays.verification.findings import Report, at


class GatewayCheck:
    """Remembers whose each of the gateway's payments is."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._orders: dict[str, OrderId] = {}  # by the gateway's reference
        self._linked: set[str] = set()
        self._foreign: set[str] = set()
        self._fetched: dict[str, datetime] = {}

    def see_payment(self, recorded: RecordedEvent, event: PaymentEvent) -> None:
        """The payment that the event names is no other order's."""
        reference: str | None = getattr(event, "gateway_reference", None)
        if reference is not None:
            self._is_for(recorded, reference, event.order_id)

    def see(self, recorded: RecordedEvent, event: GatewayEvent) -> None:
        """Holds what the gateway sent against what it sent before."""
        match event:
            case GatewayNewsReceived(event_id=event_id, gateway_reference=reference, order_id=order_id):
                if recorded.version != 1:
                    self._report(at(recorded, "payment", f"the news {event_id} came before"))
                if reference is not None and order_id is not None and reference in self._orders:
                    self._is_for(recorded, reference, order_id)
            case GatewayPaymentLinked(gateway_reference=reference, order_id=order_id):
                if reference in self._linked:
                    self._report(at(recorded, "payment", f"{reference} was linked before"))
                self._linked.add(reference)
                self._is_for(recorded, reference, order_id)
            case GatewayNewsParked(gateway_reference=reference):
                self._waits_for_its_order(recorded, reference)
            case GatewayPaymentForeign(gateway_reference=reference):
                self._waits_for_its_order(recorded, reference)
                self._foreign.add(reference)
            case GatewayNewsFetched(gateway=gateway, up_to=up_to):
                if up_to <= self._fetched.get(gateway, datetime.min.replace(tzinfo=up_to.tzinfo)):
                    self._report(at(recorded, "payment", f"news up to {up_to} were asked for before"))
                self._fetched[gateway] = up_to
            case BalanceReconciled(since=since, until=until):
                if since >= until:
                    self._report(at(recorded, "payment", f"reconciled from {since} to {until}"))
            case _:
                assert_never(event)

    def _waits_for_its_order(self, recorded: RecordedEvent, reference: str) -> None:
        if reference in self._linked:
            self._report(at(recorded, "payment", f"the order of {reference} is known"))
        if reference in self._foreign:
            self._report(at(recorded, "payment", f"{reference} is none of ours"))

    def _is_for(self, recorded: RecordedEvent, reference: str, order_id: OrderId) -> None:
        if (first := self._orders.setdefault(reference, order_id)) != order_id:
            self._report(at(recorded, "payment", f"{reference} is for order {first} already"))
