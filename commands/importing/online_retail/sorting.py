"""What each line of an invoice means to the books: every rule of the import on one screen.

| the line | on a sale invoice | on a cancellation (C) |
| --- | --- | --- |
| a product at a price | an order line | returned and refunded where it matches a sale, else credited alone |
| a product at 0 | an order line at 0, or a stock adjustment (below) | returned, nothing refunded |
| POST, DOT, C2 | a shipping charge of the order | credited, standing alone |
| M, m | a manual charge of the order | credited, standing alone |
| D | a discount, negative | credited, standing alone |
| BANK CHARGES, AMAZONFEE; CRUK; S; B | rejected: fees, charity, samples, bad debt | rejected likewise |

Products at 0 adjust stock by their quantity on an invoice without customer whose lines all cost 0, and
wherever the quantity is negative. Rejected too: every line of an A invoice (bad debt); charges on an invoice
that adjusts stock; and what contradicts itself: a negative quantity at a price on a sale, a positive one on
a cancellation, a negative price, a discount that adds. Where discounts exceed all else, the order is refused
and its lines are rejected. Any other code is a product: gift vouchers, DCGS codes and PADS too; codes that
differ only in case are two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from aggregates.orders.events import ChargeKind
from commands.importing.online_retail.invoices import Invoice
from commands.importing.online_retail.records import Line


class Kind(Enum):
    """What lines are called in the table at the end; those from FEES on are rejects, which get no event."""

    SOLD = "products sold"
    FREE = "products given free"
    SHIPPING = "shipping charges"
    MANUAL = "manual charges"
    DISCOUNT = "discounts"
    RETURNED = "products returned"
    SHIPPING_CREDITED = "shipping credited"
    MANUAL_CREDITED = "manual charges credited"
    DISCOUNT_CREDITED = "discounts credited"
    ADJUSTMENT = "stock adjustments"
    FEES = "fees"
    BAD_DEBT = "bad debt"
    CHARITY = "charity"
    SAMPLES = "samples"
    NO_STOCK_KEPT = "no stock is kept of it"
    CONTRADICTORY = "contradictory"
    REFUSED = "refused"
    REPEATED = "repeated"
    DAMAGED = "damaged"


CHARGES = {
    "POST": Kind.SHIPPING,
    "DOT": Kind.SHIPPING,
    "C2": Kind.SHIPPING,
    "M": Kind.MANUAL,
    "m": Kind.MANUAL,
    "D": Kind.DISCOUNT,
}
OUTSIDE = {
    "BANK CHARGES": (Kind.FEES, "a fee of the bank"),
    "AMAZONFEE": (Kind.FEES, "a fee of the marketplace"),
    "CRUK": (Kind.CHARITY, "a commission passed on to a charity"),
    "S": (Kind.SAMPLES, "samples sent out or taken back"),
    "B": (Kind.BAD_DEBT, "a bad debt adjusted"),
}
CREDITED = {
    Kind.SHIPPING: Kind.SHIPPING_CREDITED,
    Kind.MANUAL: Kind.MANUAL_CREDITED,
    Kind.DISCOUNT: Kind.DISCOUNT_CREDITED,
}
CHARGE_KINDS: dict[Kind, ChargeKind] = {
    Kind.SHIPPING: "shipping",
    Kind.MANUAL: "manual",
    Kind.DISCOUNT: "discount",
}
"""What an order or a credit note calls the charge."""
ORDERED = {Kind.SOLD, Kind.FREE, Kind.SHIPPING, Kind.MANUAL, Kind.DISCOUNT}


@dataclass(frozen=True, slots=True)
class Meaning:
    """A line's kind; `reason` where it is rejected."""

    kind: Kind
    reason: str | None = None


@dataclass(slots=True)
class SortedInvoice:
    """An invoice with every line's kind. `nth` is the line's place within the invoice, from 1."""

    invoice: Invoice
    meanings: list[tuple[int, Line, Meaning]] = field(default_factory=list)

    def of(self, *kinds: Kind) -> list[tuple[int, Line, Kind]]:
        """The lines of these kinds, in order."""
        return [(nth, line, meaning.kind) for nth, line, meaning in self.meanings if meaning.kind in kinds]

    @property
    def rejects(self) -> Iterable[tuple[Line, Kind, str]]:
        """The lines that get no event, and why."""
        for _, line, meaning in self.meanings:
            if meaning.reason is not None:
                yield line, meaning.kind, meaning.reason


def sort_invoice(invoice: Invoice) -> SortedInvoice:
    """Every line's meaning; the order is refused where its total would be negative."""
    stock_only = (
        not invoice.is_cancellation
        and invoice.customer_id is None
        and not any(line.price.exact for line in invoice.lines)
    )
    result = SortedInvoice(invoice)
    for nth, line in enumerate(invoice.lines, 1):
        result.meanings.append((nth, line, _meaning(line, invoice, stock_only=stock_only)))
    ordered = sum(line.amount for _, line, meaning in result.meanings if meaning.kind in ORDERED)
    if ordered < 0:
        refused = Meaning(Kind.REFUSED, "the discounts of its invoice exceed what was ordered")
        result.meanings = [
            (nth, line, refused if meaning.kind in ORDERED else meaning)
            for nth, line, meaning in result.meanings
        ]
    return result


def _meaning(line: Line, invoice: Invoice, *, stock_only: bool) -> Meaning:
    if invoice.is_bad_debt:
        return Meaning(Kind.BAD_DEBT, "a bad debt adjusted")
    if line.code in OUTSIDE:
        return Meaning(*OUTSIDE[line.code])
    if line.price.exact.is_signed():
        return Meaning(Kind.CONTRADICTORY, "a negative price")
    charge = CHARGES.get(line.code)
    if invoice.is_cancellation:
        if line.quantity > 0:
            return Meaning(Kind.CONTRADICTORY, "a positive quantity on a cancellation")
        return Meaning(Kind.RETURNED if charge is None else CREDITED[charge])
    return (
        _on_sale(line, stock_only=stock_only)
        if charge is None
        else _charge(line, charge, stock_only=stock_only)
    )


def _charge(line: Line, charge: Kind, *, stock_only: bool) -> Meaning:
    if stock_only:
        return Meaning(Kind.NO_STOCK_KEPT, "a charge on an invoice that adjusts stock")
    if charge is Kind.DISCOUNT and line.amount > 0:
        return Meaning(Kind.CONTRADICTORY, "a discount that adds")
    return Meaning(charge)


def _on_sale(line: Line, *, stock_only: bool) -> Meaning:
    if not line.price.exact:
        return Meaning(Kind.ADJUSTMENT if stock_only or line.quantity < 0 else Kind.FREE)
    if line.quantity < 0:
        return Meaning(Kind.CONTRADICTORY, "a negative quantity at a price on a sale")
    return Meaning(Kind.SOLD)
