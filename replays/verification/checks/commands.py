"""What one command wrote agrees with itself: the order's units are the stock's, one refund is one amount."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aggregates.inventory.events import InventoryEvent, StockDispatched, StockReserved, StockRestocked
from aggregates.kernel import Money, OrderId, Sku
from aggregates.orders.events import (
    CreditNoteIssued,
    LineQuantity,
    LinesFulfilled,
    LinesReturned,
    OrderEvent,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
)
from aggregates.payments.events import PaymentRefunded, StepBegun
from event_store.records import RecordedEvent
from replays.verification.findings import Finding, Report

Units = Counter[tuple[str, OrderId, Sku]]


class CommandCheck:
    """Sums an order's events and its stock's or payment's, over one command, and compares them at its end."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._first: RecordedEvent | None = None
        self._ordered: Units = Counter()
        self._moved: Units = Counter()
        self._refunded: Counter[str] = Counter()
        self._by_credit: Counter[str] = Counter()  # of what is refunded
        self._paid_back: Counter[str] = Counter()
        self._credited: dict[str, Money] = {}
        self._released: dict[str, int] = {}  # by credit note, of refunds that the gateway paid back in part

    def begin(self, first: RecordedEvent) -> None:
        """Compares what the command before wrote; `first` is the next one's first event."""
        self.end()
        self._first = first

    def see_stock(self, _recorded: RecordedEvent, event: InventoryEvent) -> None:
        """Counts a movement of stock for an order."""
        match event:
            case StockDispatched(order_id=order_id, sku=sku, quantity=quantity):
                self._moved["sent", order_id, sku] += quantity
            case StockReserved(order_id=order_id, sku=sku, quantity=quantity):
                self._moved["set aside", order_id, sku] += quantity
            case StockRestocked(order_id=order_id, sku=sku, quantity=quantity):
                self._moved["restocked", order_id, sku] += quantity

    def see_order(self, _recorded: RecordedEvent, event: OrderEvent) -> None:
        """Counts the units that an order's event moved, and what it refunded."""
        match event:
            case LinesFulfilled(order_id=order_id, lines=lines):
                self._count("sent", order_id, lines)
            case LinesReturned(order_id=order_id, lines=lines, restock=True):
                self._count("restocked", order_id, lines)
            case OrderPlaced(order_id=order_id, lines=ordered, cart_id=str()):
                self._count("set aside", order_id, ordered)  # What comes without a cart was never set aside.
            case OrderRefunded(credit_note_id=credit_note_id, amount=amount, tenders=tenders):
                self._refunded[credit_note_id] += amount.amount
                self._by_credit[credit_note_id] += sum(
                    one.amount.amount for one in tenders or () if one.kind != "card"
                )

    def see_payment(self, _recorded: RecordedEvent, event: PaymentRefunded) -> None:
        """Counts what was paid back by a credit note; a canceled sale is undone without one."""
        if event.credit_note_id is not None:
            self._paid_back[event.credit_note_id] += event.amount.amount

    def see_step(self, _recorded: RecordedEvent, event: StepBegun) -> None:
        """Notes what a refund asked of the gateway leaves untaken, beside what is to be paid back."""
        if event.refund is not None and event.refund.released:
            self._released[event.refund.credit_note_id] = event.refund.released

    def see_credit_note(self, _recorded: RecordedEvent, event: CreditNoteIssued) -> None:
        """Counts a credit note for an order; one that stands alone pays nothing back here."""
        if event.order_id is not None:
            self._credited[event.credit_note_id] = event.amount

    def end(self) -> None:
        """Compares what the command wrote, and forgets it."""
        if self._ordered or self._moved:
            self._compare_units()
        if self._refunded or self._paid_back or self._credited:
            self._compare_refunds()

    def _count(self, what: str, order_id: OrderId, lines: Iterable[OrderLine | LineQuantity]) -> None:
        for line in lines:
            self._ordered[what, order_id, line.sku] += line.quantity

    def _compare_units(self) -> None:
        if self._ordered != self._moved:
            for what, order_id, sku in sorted({*self._ordered, *self._moved}):
                ordered, moved = self._ordered[what, order_id, sku], self._moved[what, order_id, sku]
                if ordered != moved:
                    wrong = f"{what}: {ordered} of {sku} by order {order_id}, {moved} by the stock"
                    self._report(self._finding(wrong))
        self._ordered.clear()
        self._moved.clear()

    def _compare_refunds(self) -> None:
        for note in sorted({*self._refunded, *self._paid_back, *self._credited}):
            credited = self._credited.get(note)
            amounts = {self._refunded[note], -1 if credited is None else credited.amount}
            if note in self._paid_back:  # Money that was never taken is not paid back: the hold is voided.
                by_credit = self._by_credit[note]  # the gateway had no part in what credit paid alone
                beside = 0 if by_credit == self._refunded[note] else by_credit
                amounts.add(self._paid_back[note] + self._released.get(note, 0) + beside)
            if len(amounts) > 1:
                wrong = (
                    f"credit note {note}: over {credited.amount if credited else 'nothing'},"
                    f" {self._refunded[note]} refunded, {self._paid_back[note]} paid back"
                )
                self._report(self._finding(wrong))
        self._refunded.clear()
        self._by_credit.clear()
        self._paid_back.clear()
        self._credited.clear()

    def _finding(self, wrong: str) -> Finding:
        first = self._first
        return Finding(rule="command", wrong=wrong, position=None if first is None else first.position)
