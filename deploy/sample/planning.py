"""From the sample's products and orders to the commands that write them down."""

from __future__ import annotations

from typing import Any

from aggregates.kernel import Money, UnitPrice
from aggregates.orders.events import Charge
from aggregates.orders.order import Order, Purchase
from commands.handlers.fulfilment import ReturnLines
from commands.handlers.refunds import RefundOrder
from commands.importing.online_retail.identity import Identity
from commands.importing.online_retail.recording import ListIfNew, RecordSale
from deploy.sample.orders import SampleOrder
from deploy.sample.products import SampleProduct
from deploy.sample.unpaid import RecordLapse, RecordUnpaidOrder

CURRENCY = "GBP"
SELLER = "main"
FIRST_NUMBER = 10_000


def number_of(nth: int) -> str:
    """The number of the sample's nth order."""
    return f"S-{FIRST_NUMBER + nth}"


def listing(product: SampleProduct) -> ListIfNew:
    """Puts the product on sale."""
    return ListIfNew(
        sku=product.sku,
        title=product.title,
        description=product.description,
        category=product.category,
        attributes=product.attributes,
        price=UnitPrice.of(Money(product.pence, CURRENCY)),
        seller=SELLER,
        tax_category=product.tax_category,
    )


def record(order: SampleOrder, identity: Identity) -> RecordSale | RecordUnpaidOrder:
    """Writes the order down: paid and sent, or waiting for its money."""
    number = number_of(order.nth)
    content: dict[str, Any] = {
        "order_id": identity.order(number),
        "number": number,
        "customer_id": order.customer_id,
        "currency": CURRENCY,
        "lines": [
            Purchase(
                line_id=str(nth),
                sku=product.sku,
                title=product.title,
                seller=SELLER,
                quantity=quantity,
                unit_price=UnitPrice.of(Money(product.pence, CURRENCY)),
            )
            for nth, (product, quantity) in enumerate(order.lines, 1)
        ],
        "charges": _charges(order),
        "placed_at": order.placed_at,
    }
    if order.ending == "canceled":
        return RecordUnpaidOrder(**content)
    return RecordSale(**content, fulfilment_id=identity.fulfilment(number), top_up_source=f"sample:{number}")


def undo(order: SampleOrder, identity: Identity, state: Order) -> list[Any]:
    """What takes the order back, or a part of it, where that is not done; what an operator did stands."""
    assert order.ended_at is not None
    number = number_of(order.nth)
    order_id, note_id = identity.order(number), identity.credit_note(number, 1)
    return_id = identity.goods_return(number, 1)
    day = order.ended_at.date()
    if state.canceled or state.refunds or state.returns - {return_id}:
        return []
    if order.ending == "canceled":
        return [RecordLapse(order_id=order_id, reason="not paid within a week")]
    if order.ending == "refunded in part":
        worth = Money(max(1, order.goods_pence // 5), CURRENCY)
        reason = "arrived late; a fifth given back"
        return [
            RefundOrder(order_id=order_id, credit_note_id=note_id, reason=reason, issued_on=day, amount=worth)
        ]
    entire = order.ending == "returned" or len(order.lines) == 1
    lines = None if entire else {"1": order.lines[0][1]}
    reason = "changed their mind" if entire else "not as expected"
    refunded = RefundOrder(
        order_id=order_id, credit_note_id=note_id, reason=reason, issued_on=day, lines=lines
    )
    if return_id in state.returns:
        return [refunded]
    returned = ReturnLines(order_id=order_id, return_id=return_id, restock=True, reason=reason, lines=lines)
    return [returned, refunded]


def _charges(order: SampleOrder) -> list[Charge]:
    charges = []
    if order.shipping_pence:
        charges.append(_charge("shipping", "Standard delivery", order.shipping_pence))
    if order.discount_pence:
        charges.append(_charge("discount", "Welcome, 10 % off", -order.discount_pence))
    return charges


def _charge(kind: Any, label: str, pence: int) -> Charge:
    return Charge(kind=kind, label=label, amount=Money(pence, CURRENCY))
