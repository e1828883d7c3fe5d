"""What was sold through the import and can still come back: where a cancellation finds its order lines.

Cancellations name no invoice. Their lines are matched to earlier sales (valid time) of the same stock code to
the same customer, the latest first, as far as units are left; a line may match several, and in part. What a
line credits per unit may differ from what was paid: no order line gives back more than it cost and no order
more than its total; the rest stands alone, so that sums stay to the penny.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from aggregates.kernel import LineId, OrderId, Sku
from aggregates.orders.events import LinesReturned, OrderPlaced, OrderRefunded
from commands.importing.online_retail.recording import RecordSale
from commands.importing.online_retail.records import Line

Sequenced = tuple[datetime, int]


@dataclass(slots=True, eq=False)
class Sale:
    """An order as far as money can go back for it."""

    order_id: OrderId
    sequence: Sequenced
    money_left: int  # pence


@dataclass(slots=True, eq=False)
class SoldLine:
    """An order line: units that can come back, those not refunded yet, and pence that can be given back."""

    sale: Sale
    sequence: tuple[datetime, int, int]  # earlier sales first, of one sale the earlier line
    units_left: int
    units_unrefunded: int
    money_left: int

    @property
    def line_id(self) -> LineId:
        """As the import numbers them."""
        return str(self.sequence[2])


@dataclass(frozen=True, slots=True)
class Piece:
    """Units of a cancellation's line borne by one order line, or by none; `amount` in pence.

    `refunded` of the units count as refunded by it; fewer than all where an operator refunded some before.
    """

    sold: SoldLine | None
    quantity: int
    refunded: int
    amount: int


@dataclass(slots=True)
class Sold:
    """Every line sold to a known customer, by customer and stock code, in order of time."""

    _by_buyer: dict[tuple[str, Sku], list[SoldLine]] = field(default_factory=dict)
    _by_order: dict[OrderId, list[SoldLine]] = field(default_factory=dict)

    def place(self, sequence: Sequenced, placed: OrderPlaced) -> None:
        """Takes an order of the log in, unless it is known or its buyer is not."""
        if placed.customer_id is not None:
            lines = [(line.sku, line.quantity, line.line_total.amount) for line in placed.lines]
            self._add(Sale(placed.order_id, sequence, placed.total.amount), placed.customer_id, lines)

    def record(self, sequence: Sequenced, sale: RecordSale) -> None:
        """Takes an order in that is about to be written."""
        if sale.customer_id is not None:
            lines = [
                (line.sku, line.quantity, line.unit_price.times(line.quantity).amount) for line in sale.lines
            ]
            total = sum(amount for _, _, amount in lines) + sum(
                charge.amount.amount for charge in sale.charges
            )
            self._add(Sale(sale.order_id, sequence, total), sale.customer_id, lines)

    def _add(self, sale: Sale, customer_id: str, lines: Sequence[tuple[Sku, int, int]]) -> None:
        if sale.order_id in self._by_order:
            return
        sold_lines = self._by_order[sale.order_id] = []
        for nth, (sku, quantity, amount) in enumerate(lines, 1):
            line = SoldLine(sale, (*sale.sequence, nth), quantity, quantity, amount)
            sold_lines.append(line)
            insort(self._by_buyer.setdefault((customer_id, sku), []), line, key=attrgetter("sequence"))

    def take_back(self, event: LinesReturned | OrderRefunded) -> None:
        """Counts as gone what came back, or was refunded, of an imported order."""
        lines = {line.line_id: line for line in self._by_order.get(event.order_id, ())}
        if not lines:
            return
        if isinstance(event, LinesReturned):
            for part in event.lines:
                lines[part.line_id].units_left -= part.quantity
            return
        next(iter(lines.values())).sale.money_left -= event.amount.amount
        for refund in event.lines:
            lines[refund.line_id].money_left -= refund.amount.amount
            lines[refund.line_id].units_unrefunded -= refund.quantity

    def forget(self, order_id: OrderId) -> None:
        """Drops an order whose state is no longer sure, to be folded anew."""
        dropped = {id(line) for line in self._by_order.pop(order_id, ())}
        for lines in self._by_buyer.values():
            lines[:] = [line for line in lines if id(line) not in dropped]

    def take(self, line: Line, before: Sequenced) -> Sequence[Piece]:
        """Matches a cancellation's line, and counts what it matched as gone.

        The pieces' quantities sum to the line's, their amounts to its amount. Money that no order can give
        back is in the last piece, which has no order line; it may then be of 0 units.
        """
        pieces: list[Piece] = []
        wanted, taken, excess = -line.quantity, 0, 0
        for candidate in self._candidates(line, before):
            units = min(candidate.units_left, wanted - taken)
            share = _up_to(line, taken + units) - _up_to(line, taken)
            refund = min(share, candidate.money_left, candidate.sale.money_left)
            refunded = min(units, candidate.units_unrefunded) if refund else 0
            candidate.units_left -= units
            candidate.units_unrefunded -= refunded
            candidate.money_left -= refund
            candidate.sale.money_left -= refund
            pieces.append(Piece(candidate, units, refunded, refund))
            excess += share - refund
            taken += units
            if taken == wanted:
                break
        alone = _up_to(line, wanted) - _up_to(line, taken) + excess
        if wanted > taken or alone:
            pieces.append(Piece(None, wanted - taken, 0, alone))
        return pieces

    def _candidates(self, line: Line, before: Sequenced) -> Iterator[SoldLine]:
        if line.customer_id is None:
            return
        for candidate in reversed(self._by_buyer.get((line.customer_id, line.code), ())):
            if candidate.units_left > 0 and candidate.sale.sequence < before:
                yield candidate


def _up_to(line: Line, units: int) -> int:
    """Pence for a line's first units: always counted from the start, so that parts sum to the total."""
    return line.price.times(units).amount
