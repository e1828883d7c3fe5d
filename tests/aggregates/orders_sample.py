"""An order of three mugs and one pan, with postage and a discount: what the order tests begin with."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from aggregates.kernel import LINE_HALF_EVEN, Money, UnitPrice
from aggregates.orders.events import (
    Charge,
    LineQuantity,
    LinesFulfilled,
    LinesReturned,
    OrderCanceled,
    OrderConfirmed,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    RefundedCharge,
    RefundedLine,
    SaleParts,
    Tender,
)
from aggregates.orders.fulfilment import fulfil, return_lines
from aggregates.orders.order import Purchase
from aggregates.orders.refund import plan_refund
from aggregates.orders.refund_booking import book_refund

ORDER = "d" * 32
PLACED_AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
DAY = PLACED_AT.date()
POSTAGE = Charge(kind="shipping", label="Postage", amount=Money(450, "GBP"))
DISCOUNT = Charge(kind="discount", label="Spring", amount=Money(-100, "GBP"))
MUGS = {"line_id": "1", "sku": "MUG", "title": "Mug", "seller": "shop", "quantity": 3}
PAN = {"line_id": "2", "sku": "PAN", "title": "Pan", "seller": "shop", "quantity": 1}
MUG_PRICE = UnitPrice(Decimal("3.335"), "GBP")  # 3 units: 1000.5 pence → 1000
PAN_PRICE = UnitPrice(Decimal("20.00"), "GBP")


def plain(pence):
    nothing, total = Money(0, "GBP"), Money(pence, "GBP")
    return {"line_total": total, "discount": nothing, "tax": nothing, "paid": total}


PURCHASES = (Purchase(**MUGS, unit_price=MUG_PRICE), Purchase(**PAN, unit_price=PAN_PRICE))

PLACED = OrderPlaced(
    order_id=ORDER,
    number="D-1",
    channel="web",
    currency="GBP",
    lines=(
        OrderLine(**MUGS, unit_price=MUG_PRICE, **plain(1000)),
        OrderLine(**PAN, unit_price=PAN_PRICE, **plain(2000)),
    ),
    charges=(POSTAGE, DISCOUNT),
    total=Money(3350, "GBP"),
    rounding=LINE_HALF_EVEN,
    placed_on=DAY,
    placed_at=PLACED_AT,
    customer_id="anna",
    tenders=(Tender(kind="card", amount=Money(3350, "GBP")),),
)
PARTS = SaleParts(discounts=100, shipping=450)
CONFIRMED = OrderConfirmed(order_id=ORDER, customer_id="anna")


def pounds(minor):
    return Money(minor, "GBP")


def quantities(units):
    return tuple(
        LineQuantity(line_id=line_id, sku={"1": "MUG", "2": "PAN"}[line_id], quantity=quantity)
        for line_id, quantity in units.items()
    )


def canceled(cause="canceled", *, credited=0, reason=None, parts=PARTS):
    return OrderCanceled(
        order_id=ORDER,
        cause=cause,
        credited=pounds(credited),
        reason=reason,
        placed_on=DAY,
        placed_at=PLACED_AT,
        currency="GBP",
        total=pounds(3350),
        lines=quantities({"1": 3, "2": 1}),
        parts=parts,
        customer_id="anna",
    )


def fulfilled(fulfilment_id, units):
    return LinesFulfilled(
        order_id=ORDER, fulfilment_id=fulfilment_id, lines=quantities(units), customer_id="anna"
    )


def returned(return_id, units):
    return LinesReturned(
        order_id=ORDER,
        return_id=return_id,
        lines=quantities(units),
        restock=True,
        reason="too small",
        customer_id="anna",
    )


def line_refund(line_id, quantity, amount, *, withdrawn=...):
    """Units refunded, by default such as were not sent; `withdrawn` None as it was stored before."""
    return RefundedLine(
        line_id=line_id,
        quantity=quantity,
        amount=pounds(amount),
        withdrawn=quantity if withdrawn is ... else withdrawn,
    )


def refunded(credit_note_id, amount, *lines, reason="too small"):
    """As it is booked of an order that no rule priced."""
    beside = amount - sum(line.amount.amount for line in lines)
    charge = RefundedCharge(kind="manual", amount=pounds(beside), tax=pounds(0))
    return OrderRefunded(
        order_id=ORDER,
        credit_note_id=credit_note_id,
        amount=pounds(amount),
        lines=tuple(replace(line, tax=pounds(0)) for line in lines),
        charges=(charge,) if beside else (),
        tenders=(Tender(kind="card", amount=pounds(amount)),),
        reason=reason,
        customer_id="anna",
    )


HAPPENINGS = ("send", "return", "refund", "all")


def decided(state, what, units, name):
    """What one of HAPPENINGS makes of the order: `units` mugs, or a refund of all. Raises Rejected."""
    if what == "send":
        return fulfil(state, order_id=ORDER, fulfilment_id=name, lines={"1": units})
    if what == "return":
        return return_lines(state, order_id=ORDER, return_id=name, lines={"1": units}, restock=True)
    lines = {"1": units} if what == "refund" else None
    planned = plan_refund(state, order_id=ORDER, lines=lines)
    return book_refund(state, order_id=ORDER, credit_note_id=name, refund=planned)
