"""Holds the whole log against every rule that it must keep, and reports each one broken.

Nothing is written and nothing is skipped: an event that cannot be decoded is a finding, and so is a
position at which nothing stands.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, get_args

import msgspec

from aggregates.cart.events import CartEvent
from aggregates.catalog.events import CatalogEvent
from aggregates.event_types import EVENT_TYPES
from aggregates.inventory.events import InventoryEvent
from aggregates.orders.events import CreditNoteIssued, OrderEvent
from aggregates.payments.events import PaymentEvent, PaymentRefunded, ProcessEvent
from event_store.codec import Codec
from event_store.errors import DecodingFailed, UnknownEvent
from event_store.records import EventReader, RecordedEvent
from replays.checks.commands import CommandCheck
from replays.checks.inventory import InventoryCheck
from replays.checks.log import LogCheck
from replays.checks.orders import OrdersCheck
from replays.checks.payments import PaymentsCheck
from replays.checks.personal import PERSONAL_TYPES, PersonalCheck
from replays.findings import Finding, Report, at
from replays.reading import pages

Progress = Callable[[int, int], None]
"""Called with the position reached and the head."""

Check = Callable[[RecordedEvent, Any], None]


class Verified(msgspec.Struct, frozen=True):
    """What was looked at."""

    head: int
    events: int
    streams: int
    findings: int
    seconds: float


_STREAM_OF: dict[type, tuple[str, str]] = {
    **dict.fromkeys(get_args(CatalogEvent), ("product-", "sku")),
    **dict.fromkeys(get_args(InventoryEvent), ("stock-", "sku")),
    **dict.fromkeys(get_args(CartEvent), ("cart-", "cart_id")),
    **dict.fromkeys(get_args(OrderEvent), ("order-", "order_id")),
    CreditNoteIssued: ("credit_note-", "credit_note_id"),
    **dict.fromkeys(get_args(PaymentEvent), ("payment-", "order_id")),
    **dict.fromkeys(get_args(ProcessEvent), ("checkout-", "order_id")),
}
"""What an event's stream is called: a prefix, and the field that says the rest."""


def verify(
    log: EventReader,
    codec: Codec,
    *,
    report: Report,
    progress: Progress = lambda _position, _head: None,
) -> Verified:
    """Reads the log from 1 to the head as it stands now, and reports every finding as it is met.

    Memory grows with streams, SKUs and orders, not with events. Raises StoreUnavailable.
    """
    return _Verification(log, codec, report).run(progress)


class _Verification:
    def __init__(self, log: EventReader, codec: Codec, report: Report) -> None:
        self._log = log
        self._codec = codec
        self._reported = report
        self._findings = 0
        self._places = LogCheck(log, self._report)
        self._commands = CommandCheck(self._report)
        self._personal = PersonalCheck(log, codec, self._report)
        self._checks = self._checks_by_type()

    def run(self, progress: Progress) -> Verified:
        """Every event once."""
        started = monotonic()
        head = self._log.head()
        events = 0
        known_types = {event_type.name for event_type in EVENT_TYPES}
        for page in pages(self._log, head=head, known_types=known_types, report=self._report):
            for recorded in page:
                self._see(recorded)
            self._personal.check_page()
            self._personal.check_page()
            self._places.check_journal()
            events += len(page)
            progress(page[-1].position, head)
        self._commands.end()
        self._places.check_journal(all_seen=True)
        self._places.check_end()
        return Verified(
            head=head,
            events=events,
            streams=self._places.streams,
            findings=self._findings,
            seconds=round(monotonic() - started, 3),
        )

    def _see(self, recorded: RecordedEvent) -> None:
        if self._places.see(recorded):
            self._commands.begin(recorded)
        try:
            event = self._codec.decode(recorded)
        except (DecodingFailed, UnknownEvent) as error:
            self._report(at(recorded, "decoding", str(error)))
            return
        prefix, field = _STREAM_OF[type(event)]
        if recorded.stream != prefix + getattr(event, field):
            self._report(at(recorded, "stream", f"it is about {prefix}{getattr(event, field)}"))
        for check in self._checks.get(type(event), ()):
            check(recorded, event)

    def _checks_by_type(self) -> dict[type, tuple[Check, ...]]:
        stock = InventoryCheck(self._report)
        orders = OrdersCheck(self._report)
        payments = PaymentsCheck(self._report, orders.total_of)
        command = self._commands
        personal = self._personal.see
        checks: dict[type, tuple[Check, ...]] = {
            **dict.fromkeys(get_args(InventoryEvent), (stock.see, command.see_stock)),
            **dict.fromkeys(get_args(OrderEvent), (orders.see, command.see_order)),
            CreditNoteIssued: (orders.see_credit_note, command.see_credit_note),
            **dict.fromkeys(get_args(PaymentEvent), (payments.see,)),
            PaymentRefunded: (payments.see, command.see_payment),
        }
        return checks | {cls: (*checks.get(cls, ()), personal) for cls in PERSONAL_TYPES}

    def _report(self, finding: Finding) -> None:
        self._findings += 1
        self._reported(finding)
