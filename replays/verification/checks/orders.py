"""Orders and credit notes add up, and no line is sent, withdrawn, returned or refunded beyond its units.

What a refund withdraws is compared with what is sent, where the event has it; older events do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from sys import intern

from aggregates.kernel import LINE_HALF_EVEN, LineId, Money, OrderId, Sku
from aggregates.orders import number
from aggregates.orders.events import (
    CreditNoteIssued,
    LineQuantity,
    LinesFulfilled,
    LinesReturned,
    NumberEvent,
    OrderCanceled,
    OrderConfirmed,
    OrderEvent,
    OrderNumbered,
    OrderPlaced,
    OrderRefunded,
)
from event_store.records import RecordedEvent
from replays.verification.findings import Report, at


@dataclass(slots=True)
class OrderBook:
    """What must be remembered of an order; a million events have room for few words each."""

    total: Money
    card: Money  # the card's part of the total
    to_send: dict[LineId, int]  # units; a line of which none is left is gone
    sent: dict[LineId, int]  # units that did not come back
    skus: dict[LineId, Sku]  # of an order by cart; no other has anything set aside
    discount: int  # minor units by which the lines come to more than the total
    repeated: bytes  # a hash of each fact that a cancellation repeats
    refunded: int = 0  # minor units
    refunded_by_lines: int = 0  # minor units
    credited: int = 0  # minor units
    confirmed: bool = False
    canceled: bool = False
    sent_any: bool = False  # though it may have come back


_REPEATED: Mapping[str, Callable[[OrderPlaced | OrderCanceled], object]] = {
    "day": lambda event: event.placed_on,
    "moment": lambda event: event.placed_at,
    "cart": lambda event: event.cart_id,
    "customer": lambda event: event.customer_id,
    "list of lines": lambda event: tuple((one.line_id, one.sku, one.quantity) for one in event.lines),
}
"""What a cancellation repeats, so that views take it out where they counted it; null in events of before."""

_HASHES = Struct(f"<{len(_REPEATED)}q")
_ABSENT = 0


def _hashes(event: OrderPlaced | OrderCanceled) -> bytes:
    facts = (fact(event) for fact in _REPEATED.values())
    return _HASHES.pack(*(_ABSENT if fact is None else hash(fact) for fact in facts))


class OrdersCheck:
    """Totals are sums; units and amounts never exceed what they are a part of."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._orders: dict[OrderId, OrderBook] = {}
        self._numbers: dict[str, str] = {}  # by number, the id of the order or credit note that bears it
        self._given: dict[str, str] = {}  # by that id, the stream of the number that was given to it

    def card_of(self, order_id: OrderId) -> Money | None:
        """The card's part of the order's total, once it was placed."""
        order = self._orders.get(order_id)
        return None if order is None else order.card

    def books(self, order_id: OrderId) -> OrderBook | None:
        """What is known of the order, once it was placed."""
        return self._orders.get(order_id)

    def unsent(self, order_id: OrderId, sku: Sku) -> int:
        """Units of the SKU that the order can still send."""
        order = self._orders.get(order_id)
        if order is None or order.canceled:
            return 0
        return sum(order.to_send.get(line_id, 0) for line_id, of in order.skus.items() if of == sku)

    def see(self, recorded: RecordedEvent, event: OrderEvent) -> None:
        """Holds an order's event against what happened to the order before."""
        order = self._orders.get(event.order_id)
        if isinstance(event, OrderPlaced):
            if order is not None:
                self._report(at(recorded, "order", "the order was placed before"))
            self._placed(recorded, event)
            return
        if order is None:
            self._report(at(recorded, "order", "nobody placed the order"))
            return
        match event:
            case OrderConfirmed():
                order.confirmed = True
            case OrderCanceled():
                self._canceled(recorded, event, order)
            case LinesFulfilled(lines=lines):
                if order.canceled or not order.confirmed:
                    self._report(at(recorded, "order", "sent although it was canceled or not confirmed"))
                order.sent_any = True
                self._move(recorded, lines, order.to_send, order.sent, "sent")
            case LinesReturned(lines=lines):
                self._move(recorded, lines, order.sent, None, "came back")
            case OrderRefunded():
                self._refunded(recorded, event, order)

    def see_credit_note(self, recorded: RecordedEvent, event: CreditNoteIssued) -> None:
        """A credit note's amount is the sum of its lines and charges."""
        parts = [*(line.amount for line in event.lines), *(charge.amount for charge in event.charges)]
        self._adds_up(recorded, event.amount, parts, event.currency)
        self._bears(recorded, event.number, event.credit_note_id, number.credit_note_stream(event.number))
        if event.order_id is not None and (order := self._orders.get(event.order_id)) is not None:
            order.credited += event.amount.amount

    def see_number(self, recorded: RecordedEvent, event: NumberEvent) -> None:
        """A number's stream names once whose it is."""
        if recorded.version != 1:
            self._report(at(recorded, "order", "the number is borne already"))
        bearer = event.order_id if isinstance(event, OrderNumbered) else event.credit_note_id
        self._given[bearer] = recorded.stream

    def _placed(self, recorded: RecordedEvent, event: OrderPlaced) -> None:
        parts = [*(line.line_total for line in event.lines), *(charge.amount for charge in event.charges)]
        self._adds_up(recorded, event.total, parts, event.currency)
        if event.rounding == LINE_HALF_EVEN:
            for line in event.lines:
                if line.unit_price.times(line.quantity) != line.line_total:
                    price = f"{line.quantity} × {line.unit_price.exact}"
                    wrong = f"line {line.line_id}: {price} is not {line.line_total}"
                    self._report(at(recorded, "order", wrong))
        digits = event.number.replace("-", "")
        self._bears(recorded, event.number, event.order_id, number.order_stream(digits))
        self._orders[event.order_id] = OrderBook(
            total=event.total,
            card=_card(event),
            repeated=_hashes(event),
            discount=max(0, sum(line.paid.amount for line in event.lines) - event.total.amount),
            to_send={intern(line.line_id): line.quantity for line in event.lines},
            sent={},
            skus={intern(line.line_id): intern(line.sku) for line in event.lines if event.cart_id},
        )

    def _canceled(self, recorded: RecordedEvent, event: OrderCanceled, order: OrderBook) -> None:
        if event.total != order.total:
            self._report(at(recorded, "order", f"{event.total} canceled, {order.total} placed"))
        if event.credited.amount != order.credited:
            wrong = f"canceled with {event.credited.amount} credited, credit notes say {order.credited}"
            self._report(at(recorded, "order", wrong))
        placed, given_up = _HASHES.unpack(order.repeated), _HASHES.unpack(_hashes(event))
        for name, one, other in zip(_REPEATED, placed, given_up, strict=True):
            if other not in (_ABSENT, one):
                self._report(at(recorded, "order", f"canceled with another {name} than was placed"))
        order.canceled = True

    def _refunded(self, recorded: RecordedEvent, event: OrderRefunded, order: OrderBook) -> None:
        amount = event.amount
        withdrawn = [
            LineQuantity(line_id=part.line_id, sku="", quantity=part.withdrawn)
            for part in event.lines
            if part.withdrawn
        ]
        self._move(recorded, withdrawn, order.to_send, None, "withdrawn")
        order.refunded += amount.amount
        if order.refunded > order.total.amount or amount.currency != order.total.currency:
            wrong = f"{order.refunded} {amount.currency} refunded in all, of a total of {order.total}"
            self._report(at(recorded, "order", wrong))
        if amount.amount <= 0:
            self._report(at(recorded, "order", f"a refund of {amount.amount}"))
        order.refunded_by_lines += sum(line.amount.amount for line in event.lines)
        if order.refunded_by_lines > order.refunded + order.discount:
            wrong = f"{order.refunded_by_lines} refunded for lines, of {order.refunded} in all"
            self._report(at(recorded, "order", wrong))

    def _bears(self, recorded: RecordedEvent, number: str, bearer: str, stream: str) -> None:
        """Nobody else bears the number, and it is the one that was given; of before, none was."""
        if (given := self._given.pop(bearer, stream)) != stream:
            self._report(at(recorded, "order", f"number {number}, but {given} was given"))
        if (first := self._numbers.setdefault(number, bearer)) != bearer:
            self._report(at(recorded, "order", f"number {number} is borne by {first} already"))

    def _adds_up(self, recorded: RecordedEvent, total: Money, parts: Sequence[Money], currency: str) -> None:
        if any(part.currency != currency for part in (total, *parts)):
            self._report(at(recorded, "order", "amounts of several currencies"))
        summed = sum(part.amount for part in parts)
        if summed != total.amount:
            self._report(
                at(recorded, "order", f"its lines and charges make {summed}, its total is {total.amount}")
            )

    def _move(
        self,
        recorded: RecordedEvent,
        lines: Sequence[LineQuantity],
        taken_from: dict[LineId, int],
        put_into: dict[LineId, int] | None,
        verb: str,
    ) -> None:
        for line in lines:
            line_id = intern(line.line_id)
            left = taken_from.pop(line_id, 0) - line.quantity
            if left < 0 or line.quantity < 1:
                wrong = f"line {line_id}: {line.quantity} {verb}, there were {left + line.quantity}"
                self._report(at(recorded, "order", wrong))
            if left > 0:
                taken_from[line_id] = left
            if put_into is not None:
                put_into[line_id] = put_into.get(line_id, 0) + line.quantity


def _card(event: OrderPlaced) -> Money:
    """The card's part of the total; all of it where the order's amounts are in several currencies."""
    currencies = {event.total.currency, *(tender.amount.currency for tender in event.tenders)}
    return event.card if currencies == {event.currency} else event.total
