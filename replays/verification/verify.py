"""Checks all of the log against the rules that it must keep, and reports each one broken.

Nothing is written and nothing is skipped: an event that cannot be decoded is a finding, and so is a
position at which nothing stands. So is a table that is missing, or is not as this code knows it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, TypeVar, get_args

import msgspec

from aggregates.cart import cart
from aggregates.cart.events import CartEvent
from aggregates.catalog import product
from aggregates.catalog.events import CatalogEvent
from aggregates.credit import account
from aggregates.credit.events import CreditEvent
from aggregates.customers import shopper
from aggregates.customers.events import ShopperEvent
from aggregates.event_types import EVENT_TYPES
from aggregates.inventory import stock
from aggregates.inventory.events import InventoryEvent
from aggregates.kernel import StreamKind
from aggregates.orders import credit_note, order
from aggregates.orders.events import (
    CreditNoteIssued,
    NumberEvent,
    OrderCanceled,
    OrderEvent,
    OrderPlaced,
    OrderRefunded,
)
from aggregates.payments import gateway, payment, process
from aggregates.payments.events import (
    BalanceReconciled,
    GatewayEvent,
    GatewayNewsFetched,
    GatewayNewsParked,
    GatewayNewsReceived,
    GatewayPaymentForeign,
    GatewayPaymentLinked,
    PaymentEvent,
    PaymentRefunded,
    ProcessEvent,
    StepBegun,
)
from aggregates.promotions import coupon, uses
from aggregates.promotions.events import CouponEvent, UseEvent
from aggregates.terms.events import TermsEvent
from event_store.codec import Codec
from event_store.errors import DecodingFailed, LogUnreadable, UnknownEvent
from event_store.records import EventReader, RecordedEvent
from replays.verification.checks.claims import ClaimsCheck
from replays.verification.checks.commands import CommandCheck
from replays.verification.checks.credit import CreditCheck
from replays.verification.checks.gateway import GatewayCheck
from replays.verification.checks.inventory import InventoryCheck
from replays.verification.checks.log import LogCheck
from replays.verification.checks.orders import OrdersCheck
from replays.verification.checks.payments import PaymentsCheck
from replays.verification.checks.personal import PERSONAL_TYPES, PersonalCheck
from replays.verification.checks.prices import PricesCheck, RulesOfSale
from replays.verification.checks.refunds import RefundsCheck
from replays.verification.findings import Finding, Report, at
from replays.verification.reading import pages, read_ahead

Progress = Callable[[int, int], None]
"""Called with the position reached and the head."""

Read = TypeVar("Read")
Check = Callable[[RecordedEvent, Any], None]


class Verified(msgspec.Struct, frozen=True):
    """What was looked at."""

    head: int
    events: int
    streams: int
    findings: int
    seconds: float


_STREAM_OF: dict[type, tuple[StreamKind, str]] = {
    **dict.fromkeys(get_args(CatalogEvent), (product.stream, "sku")),
    **dict.fromkeys(get_args(InventoryEvent), (stock.stream, "sku")),
    **dict.fromkeys(get_args(CartEvent), (cart.stream, "cart_id")),
    **dict.fromkeys(get_args(OrderEvent), (order.stream, "order_id")),
    CreditNoteIssued: (credit_note.stream, "credit_note_id"),
    **dict.fromkeys(get_args(PaymentEvent), (payment.stream, "order_id")),
    **dict.fromkeys(get_args(ProcessEvent), (process.stream, "order_id")),
    GatewayNewsReceived: (gateway.event_stream, "event_id"),
    GatewayPaymentLinked: (gateway.payment_stream, "gateway_reference"),
    GatewayNewsParked: (gateway.payment_stream, "gateway_reference"),
    GatewayPaymentForeign: (gateway.payment_stream, "gateway_reference"),
    GatewayNewsFetched: (gateway.news_stream, "gateway"),
    BalanceReconciled: (gateway.reconciliation_stream, "gateway"),
    **dict.fromkeys(get_args(CouponEvent), (coupon.stream, "code")),
    **dict.fromkeys(get_args(UseEvent), (uses.stream, "promotion_id")),
    **dict.fromkeys(get_args(ShopperEvent), (shopper.stream, "shopper")),
    **dict.fromkeys(get_args(CreditEvent), (account.stream, "account_id")),
}
"""The kind of an event's stream, and the field that names it there; a number's event has no such field."""


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
        self._events = 0
        self._unreadable: set[str] = set()  # tables
        self._log_check = LogCheck(log, self._report)
        self._commands = CommandCheck(self._report)
        self._personal = PersonalCheck(log, codec, self._report)
        self._stock = InventoryCheck(self._report)
        self._orders = OrdersCheck(self._report)
        self._payments = PaymentsCheck(self._report, self._orders, log, codec)
        self._rules_of_sale = RulesOfSale(self._report)
        self._claims = ClaimsCheck(self._rules_of_sale, self._report)
        self._credit = CreditCheck(self._report)
        self._refunds = RefundsCheck(log, codec, self._report)
        self._prices = PricesCheck(log, codec, self._rules_of_sale, self._claims.is_limited, self._report)
        self._rules = self._rules_by_type()

    def run(self, progress: Progress) -> Verified:
        """Every event once."""
        started = monotonic()
        self._reading("log", self._log.log_id)
        head = self._reading("events", self._log.head) or 0
        self._reading("events", lambda: self._read(head, progress))
        self._commands.end()
        self._claims.end()
        self._credit.end()
        if self._events == head:  # Of a log cut short, sums over its streams prove nothing.
            self._check_reserved()
            self._reading("events", partial(self._payments.check_end, head))
            self._reading("events", partial(self._refunds.check_end, head))
        self._reading("commands", self._log_check.check_end)
        return Verified(
            head=head,
            events=self._events,
            streams=self._log_check.streams,
            findings=self._findings,
            seconds=round(monotonic() - started, 3),
        )

    def _read(self, head: int, progress: Progress) -> None:
        known_types = {event_type.name for event_type in EVENT_TYPES}
        for page in read_ahead(pages(self._log, head=head, known_types=known_types)):
            if isinstance(page, Finding):
                self._report(page)
                continue
            for recorded in page.events:
                self._see(recorded)
            self._reading("subject_keys", self._personal.check_page)
            self._reading("events", self._prices.check_page)
            self._reading("commands", partial(self._log_check.check_journal, page.journal))
            self._events += len(page.events)
            progress(page.events[-1].position, head)

    def _reading(self, table: str, read: Callable[[], Read]) -> Read | None:
        """What `read` gives; None where the table cannot be read, which is a finding, once."""
        try:
            return read()
        except LogUnreadable as error:
            if table not in self._unreadable:
                self._unreadable.add(table)
                self._report(Finding(rule="table", wrong=f"{table} cannot be read: {error}"))
            return None

    def _see(self, recorded: RecordedEvent) -> None:
        try:
            if self._log_check.see(recorded):
                self._commands.begin(recorded)
                self._claims.begin(recorded)
                self._credit.begin(recorded)
            event = self._codec.decode(recorded)
            kind, field, checks = self._rules[type(event)]
            if kind is not None and recorded.stream != (named := kind(getattr(event, field))):
                self._report(at(recorded, "stream", f"it is about {named}"))
            for check in checks:
                check(recorded, event)
        except (DecodingFailed, UnknownEvent) as error:
            self._report(at(recorded, "decoding", str(error)))
        except (TypeError, AttributeError) as error:  # A column of another type, say.
            self._report(at(recorded, "decoding", f"its row has a value of another kind: {error}"))

    def _rules_by_type(self) -> dict[type, tuple[StreamKind | None, str, tuple[Check, ...]]]:
        """By class of events: how its stream is named, and what else is checked of it."""
        orders, payments, command, claims = self._orders, self._payments, self._commands, self._claims
        from_gateway = GatewayCheck(self._report)
        personal = self._personal.see
        credit = self._credit
        checks: dict[type, tuple[Check, ...]] = {
            **dict.fromkeys(get_args(InventoryEvent), (self._stock.see, command.see_stock)),
            **dict.fromkeys(get_args(OrderEvent), (orders.see, command.see_order)),
            OrderPlaced: (
                orders.see,
                command.see_order,
                self._prices.see,
                claims.see_placed,
                self._credit.see_placed,
            ),
            OrderCanceled: (
                orders.see,
                command.see_order,
                claims.see_canceled,
                credit.see_canceled,
                self._refunds.see,
            ),
            OrderRefunded: (orders.see, command.see_order, self._refunds.see, credit.see_refunded),
            CreditNoteIssued: (orders.see_credit_note, command.see_credit_note),
            **dict.fromkeys(get_args(NumberEvent), (orders.see_number,)),
            **dict.fromkeys(get_args(PaymentEvent), (payments.see, from_gateway.see_payment)),
            PaymentRefunded: (payments.see, from_gateway.see_payment, command.see_payment),
            **dict.fromkeys(get_args(ProcessEvent), (payments.see_process,)),
            StepBegun: (payments.see_process, command.see_step),
            **dict.fromkeys(get_args(GatewayEvent), (from_gateway.see,)),
            **dict.fromkeys(get_args(TermsEvent), (self._rules_of_sale.see,)),
            **dict.fromkeys(get_args(CouponEvent), (claims.see_coupon,)),
            **dict.fromkeys(get_args(UseEvent), (claims.see_use,)),
            **dict.fromkeys(get_args(ShopperEvent), (claims.see_shopper,)),
            **dict.fromkeys(get_args(CreditEvent), (credit.see,)),
        }
        checks |= {cls: (*checks.get(cls, ()), personal) for cls in PERSONAL_TYPES}
        classes = [event_type.cls for event_type in EVENT_TYPES]
        return {cls: (*_STREAM_OF.get(cls, (None, "")), checks.get(cls, ())) for cls in classes}

    def _check_reserved(self) -> None:
        """At the head, what is set aside for an order is what it can still send."""
        for sku, order_id, units in self._stock.reserved_for_orders():
            unsent = self._orders.unsent(order_id, sku)
            if units > unsent:
                wrong = f"{units} set aside for order {order_id}, which can send {unsent}"
                self._report(Finding(rule="stock", wrong=wrong, stream=stock.stream(sku)))

    def _report(self, finding: Finding) -> None:
        self._findings += 1
        self._reported(finding)
