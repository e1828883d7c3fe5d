"""What goes back for each line, for shipping and to each tender is never more than was paid there, nor is its
tax; a canceled order takes back the parts of its sale that its explanation has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from aggregates.kernel import OrderId
from aggregates.orders import order
from aggregates.orders.events import OrderCanceled, OrderPlaced, OrderRefunded, SaleParts, parts_of
from aggregates.pricing.explanation import StepKind
from aggregates.pricing.rules import SHIPPING
from event_store.codec import Codec
from event_store.errors import DecodingFailed, LogUnreadable, UnknownEvent
from event_store.records import EventReader, RecordedEvent
from replays.verification.findings import Report, at

ORDERS_AT_ONCE = 200
CARD = "card"
WITH_PARTS = 4
"""The number of `order_canceled` from which it has the parts of the sale."""
DISCOUNTS: frozenset[StepKind] = frozenset({"line_promotion", "cart_promotion", "gift", "shipping_promotion"})


@dataclass(slots=True)
class _Paid:
    """What an order's targets and tenders gave, and got back so far, in minor units."""

    priced: bool  # by rules of sale: lines and shipping bear all of the total
    paid: dict[str, int]
    tax: dict[str, int]
    gave: dict[str, int]
    parts: SaleParts
    total: int
    refunded: Counter[str] = field(default_factory=Counter)
    tax_refunded: Counter[str] = field(default_factory=Counter)
    given_back: Counter[str] = field(default_factory=Counter)
    taxed: bool = True  # each refund of it says its tax


class RefundsCheck:
    """Orders with refunds, or canceled, are read again at the end: they are few, and what every line cost is
    much to remember."""

    def __init__(self, log: EventReader, codec: Codec, report: Report) -> None:
        self._log = log
        self._codec = codec
        self._report = report
        self._orders: dict[OrderId, None] = {}

    def see(self, _recorded: RecordedEvent, event: OrderRefunded | OrderCanceled) -> None:
        """Notes that the order is to be looked at."""
        self._orders[event.order_id] = None

    def check_end(self, head: int) -> None:
        """Holds every refund, and every cancellation, against its order and the refunds before it."""
        noted = list(self._orders)
        for first in range(0, len(noted), ORDERS_AT_ONCE):
            page = noted[first : first + ORDERS_AT_ONCE]
            for history in self._log.read_streams([order.stream(one) for one in page]).values():
                self._check(one for one in history if one.position <= head)

    def _check(self, history: Iterator[RecordedEvent]) -> None:
        known: _Paid | None = None
        for recorded in history:
            try:
                event = self._codec.decode(recorded)
            except (DecodingFailed, UnknownEvent, LogUnreadable):
                return  # A finding of its own: what comes after cannot be held against it.
            if isinstance(event, OrderPlaced):
                known = _paid(event)
            elif isinstance(event, OrderRefunded) and known is not None:
                for wrong in _against(known, event):
                    self._report(at(recorded, "refund", wrong))
            elif isinstance(event, OrderCanceled) and known is not None:
                back = known.parts.less(sum(known.given_back.values()), known.total)
                if recorded.schema_number >= WITH_PARTS and event.parts != back:
                    wrong = (
                        f"it takes {_in_words(event.parts)} back, of which the order has {_in_words(back)}"
                    )
                    self._report(at(recorded, "refund", wrong))


def _paid(placed: OrderPlaced) -> _Paid:
    paid = {line.line_id: line.paid.amount for line in placed.lines}
    tax = {line.line_id: line.tax.amount for line in placed.lines}
    if placed.shipping is not None:
        paid[SHIPPING], tax[SHIPPING] = placed.shipping.paid, placed.shipping.tax
    gave: Counter[str] = Counter()
    for tender in placed.tenders:
        gave[tender.key] += tender.amount.amount
    return _Paid(
        priced=placed.explanation is not None,
        paid=paid,
        tax=tax,
        gave=dict(gave),
        parts=_parts(placed),
        total=placed.total.amount,
    )


def _parts(placed: OrderPlaced) -> SaleParts:
    """By the steps of its explanation; where no rule had a part in it, by its charges."""
    if placed.explanation is None:
        return parts_of(placed)
    discounts = shipping = tax = 0
    for step in placed.explanation.steps:
        if step.step in DISCOUNTS:
            discounts -= step.amount
        elif step.step == "shipping":
            shipping += step.amount
        elif step.step == "tax":
            tax += step.amount
    return SaleParts(discounts=discounts, shipping=shipping, tax=tax)


def _in_words(parts: SaleParts) -> str:
    return f"discounts of {parts.discounts}, shipping of {parts.shipping} and tax of {parts.tax}"


def _against(known: _Paid, event: OrderRefunded) -> Iterator[str]:
    """Counts the refund, and what is wrong with it."""
    amount = event.amount.amount
    lines = sum(part.amount.amount for part in event.lines)
    sums = {}
    if event.charges is not None:
        sums["lines and charges"] = lines + sum(one.amount.amount for one in event.charges)
    if event.tenders is not None:
        sums["tenders"] = sum(one.amount.amount for one in event.tenders)
    for what, made in sums.items():
        if made != amount:
            yield f"its {what} make {made}, it is a refund of {amount}"
    parts = {part.line_id: part.amount.amount for part in event.lines}
    taxes = {part.line_id: None if part.tax is None else part.tax.amount for part in event.lines}
    if amount != lines:
        charged = event.charges
        parts[SHIPPING] = amount - lines
        taxes[SHIPPING] = None if charged is None else sum(one.tax.amount for one in charged)
    if known.priced:
        for target, part in parts.items():
            yield from _of_target(known, target, part, taxes[target])
    to = {CARD: amount} if event.tenders is None else {one.key: one.amount.amount for one in event.tenders}
    for tender, part in to.items():
        known.given_back[tender] += part
        back, gave = known.given_back[tender], known.gave.get(tender, 0)
        if part < 0 or back > gave:
            yield f"{back} back to tender {tender}, which gave {gave}"


def _of_target(known: _Paid, target: str, part: int, tax: int | None) -> Iterator[str]:
    known.refunded[target] += part
    known.tax_refunded[target] += tax or 0
    known.taxed &= tax is not None
    paid, due = known.paid.get(target, 0), known.tax.get(target, 0)
    refunded, tax_refunded = known.refunded[target], known.tax_refunded[target]
    if part < 0 or refunded > paid:
        yield f"{refunded} refunded for {target}, for which {paid} was paid"
    if (tax or 0) * due < 0 or abs(tax_refunded) > abs(due):
        yield f"{tax_refunded} of tax refunded for {target}, in which {due} was"
    elif refunded == paid and known.taxed and tax_refunded != due:
        yield f"all of {target} refunded with {tax_refunded} of tax, in which {due} was"
