"""From a sorted invoice to the commands that write it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aggregates.kernel import Money, Sku
from aggregates.orders.events import Charge, RefundedLine
from aggregates.orders.order import Purchase
from commands.importing.online_retail.adjusted import Adjusted
from commands.importing.online_retail.identity import Identity, top_up_source
from commands.importing.online_retail.recording import (
    Correction,
    Credited,
    OrderCredit,
    RecordAdjustments,
    RecordCancellation,
    RecordSale,
    StandAloneCredit,
)
from commands.importing.online_retail.records import CURRENCY, Line
from commands.importing.online_retail.sold import Piece, Sold
from commands.importing.online_retail.sorting import CHARGE_KINDS, CREDITED, Kind, SortedInvoice

UNCREDITED = {credited: kind for kind, credited in CREDITED.items()}
SELLER = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans for one file: `titles` names products whose line has no description."""

    digest: str
    identity: Identity
    titles: Mapping[Sku, str]

    def sale(self, entry: SortedInvoice) -> RecordSale | None:
        """The order of a sale invoice; None where nothing of it was ordered."""
        products = entry.of(Kind.SOLD, Kind.FREE)
        charges = entry.of(*CHARGE_KINDS)
        if not products and not charges:
            return None
        invoice = entry.invoice
        return RecordSale(
            order_id=self.identity.order(invoice.number),
            number=invoice.number,
            customer_id=invoice.customer_id,
            currency=CURRENCY,
            lines=[
                Purchase(
                    line_id=str(place),
                    sku=line.code,
                    title=self.title(line),
                    seller=SELLER,
                    quantity=line.quantity,
                    unit_price=line.price,
                )
                for place, (_, line, _) in enumerate(products, 1)
            ],
            charges=[_charge(line, kind, line.amount) for _, line, kind in charges],
            placed_at=invoice.at,
            fulfilment_id=self.identity.fulfilment(invoice.number),
            top_up_source=top_up_source(self.digest, invoice.number),
        )

    def adjustments(self, entry: SortedInvoice, adjusted: Adjusted) -> RecordAdjustments | None:
        """The corrections of an invoice not done yet, with the clerk's notes; None where there are none."""
        missing = adjusted.missing(entry)
        if not missing:
            return None
        number = entry.invoice.number
        return RecordAdjustments(
            number=number,
            corrections=[
                Correction(
                    sku=line.code, delta=line.quantity, reason=line.description or "no note", source=source
                )
                for source, line in missing
            ],
            top_up_source=top_up_source(self.digest, number),
        )

    def cancellation(self, entry: SortedInvoice, sold: Sold) -> RecordCancellation | None:
        """What a cancellation gives back, matched to what was `sold`; None where it credits nothing."""
        invoice = entry.invoice
        orders: dict[str, _OrderPart] = {}
        alone: list[Credited] = []
        for nth, line, _ in entry.of(Kind.RETURNED):
            for piece in sold.take(line, invoice.sequence):
                credited = self._credited(nth, line, piece)
                if piece.sold is None:
                    alone.append(credited)
                else:
                    orders.setdefault(piece.sold.sale.order_id, _OrderPart()).add(piece, credited)
        charges = [_charge(line, kind, -line.amount) for _, line, kind in entry.of(*CREDITED.values())]
        if not orders and not alone and not charges:
            return None
        last = len(orders) + 1
        return RecordCancellation(
            number=invoice.number,
            customer_id=invoice.customer_id,
            currency=CURRENCY,
            on_orders=[
                self._order_credit(invoice.number, part, order_id, orders[order_id])
                for part, order_id in enumerate(orders, 1)
            ],
            alone=StandAloneCredit(
                credit_note_id=self.identity.credit_note(invoice.number, last),
                number=part_number(invoice.number, last),
                lines=alone,
                charges=charges,
            )
            if alone or charges
            else None,
            issued_on=invoice.at.date(),
        )

    def title(self, line: Line) -> str:
        """What the line calls the product, else what the file calls it elsewhere."""
        return line.description or self.titles.get(line.code, line.code)

    def _credited(self, nth: int, line: Line, piece: Piece) -> Credited:
        return Credited(
            nth=nth,
            sku=line.code,
            title=self.title(line),
            quantity=piece.quantity,
            amount=Money(piece.amount, CURRENCY),
        )

    def _order_credit(self, number: str, part: int, order_id: str, found: _OrderPart) -> OrderCredit:
        return OrderCredit(
            order_id=order_id,
            return_id=self.identity.goods_return(number, part),
            credit_note_id=self.identity.credit_note(number, part),
            number=part_number(number, part),
            returned=found.returned,
            refunded=[
                RefundedLine(line_id=line_id, quantity=units, amount=Money(amount, CURRENCY))
                for line_id, (units, amount) in found.refunded.items()
            ],
            lines=found.credited,
        )


@dataclass(slots=True)
class _OrderPart:
    """What one order bears of a cancellation; several of its lines may fall on one order line."""

    returned: dict[str, int] = field(default_factory=dict)
    refunded: dict[str, tuple[int, int]] = field(default_factory=dict)
    credited: list[Credited] = field(default_factory=list)

    def add(self, piece: Piece, credited: Credited) -> None:
        assert piece.sold is not None
        line_id = piece.sold.line_id
        self.returned[line_id] = self.returned.get(line_id, 0) + piece.quantity
        if piece.amount:
            units, amount = self.refunded.get(line_id, (0, 0))
            self.refunded[line_id] = (units + piece.refunded, amount + piece.amount)
        self.credited.append(credited)


def part_number(invoice: str, part: int) -> str:
    """The number on a cancellation's nth credit note: its own on the first, `-2` and so on after it."""
    return invoice if part == 1 else f"{invoice}-{part}"


def _charge(line: Line, kind: Kind, amount: int) -> Charge:
    return Charge(
        kind=CHARGE_KINDS[UNCREDITED.get(kind, kind)],
        label=line.description or line.code,
        amount=Money(amount, CURRENCY),
    )
