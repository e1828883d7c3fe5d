"""A small shop's books, written event by event, for the replays to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from aggregates.cart.events import CartCheckedOut, CartOpened, ItemAdded
from aggregates.event_types import EVENT_TYPES
from aggregates.inventory.events import (
    ReservationConfirmed,
    StockDispatched,
    StockReceived,
    StockReserved,
    StockRestocked,
)
from aggregates.kernel import LINE_HALF_EVEN, MAIN, Money, UnitPrice
from aggregates.orders.events import (
    Address,
    Charge,
    CreditNoteIssued,
    CreditNoteLine,
    LineQuantity,
    LinesFulfilled,
    LinesReturned,
    OrderConfirmed,
    OrderLine,
    OrderPlaced,
    OrderRefunded,
    RefundedLine,
)
from aggregates.payments.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentRequested,
    ProcessStarted,
    StepBegun,
    StepEnded,
)
from event_store.codec import Codec
from event_store.keys import new_subject_key
from event_store.records import Appended, Entry, EventLog

CODEC = Codec(EVENT_TYPES)
MUG, TEAPOT = "MUG-1", "TEAPOT-1"
ANNA = "a" * 32  # orders
BORIS = "b" * 32
CART = "c" * 32
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = date(2026, 3, 1)
EMAIL = "anna@example.org"


@dataclass
class Shop:
    """Appends commands to a log and knows the versions of its streams."""

    log: EventLog
    versions: dict[str, int] = field(default_factory=dict)
    appended: list[Appended] = field(default_factory=list)

    def write(
        self,
        name: str,
        *events: tuple[str, Any],
        actor: str = "anonymous:",
        channel: str = "web",
        valid_at: datetime | None = None,
        keys: dict[str, bytes] | None = None,
    ) -> UUID:
        """One command; `events` are pairs of stream and event."""
        command_id = uuid4()
        reads = {stream: self.versions.get(stream, 0) for stream, _ in events}
        entry = Entry(
            command_id=command_id,
            name=name,
            verdict="accepted",
            reads=reads,
            events=[
                CODEC.encode(stream, event, keys or {}, version=reads[stream] + 1) for stream, event in events
            ],
            actor=actor,
            channel=channel,
            correlation="0af7651916cd43dd8448eb211c80319c",
            valid_at=valid_at,
            new_subject_keys=keys or {},
        )
        (outcome,) = self.log.append([entry])
        assert isinstance(outcome, Appended), outcome
        for stream, _ in events:
            self.versions[stream] = self.versions.get(stream, 0) + 1
        self.appended.append(outcome)
        return command_id

    def receive(self, sku: str = MUG, quantity: int = 10) -> None:
        """Goods come in."""
        event = StockReceived(sku=sku, location=MAIN, quantity=quantity, reason="delivery")
        self.write("receive_stock", (f"stock-{sku}", event), actor="operator:token", channel="api")

    def check_out(self, order_id: str = ANNA, cart_id: str = CART, *, quantity: int = 2) -> None:
        """A cart of mugs becomes an order that waits for its payment."""
        cart, order = f"cart-{cart_id}", f"order-{order_id}"
        price = UnitPrice(Decimal("12.99"), "GBP")
        added = ItemAdded(
            cart_id=cart_id, line_id="1", sku=MUG, title="Mug", quantity=quantity, unit_price=price
        )
        self.write("open_cart", (cart, CartOpened(cart_id=cart_id, currency="GBP")))
        self.write("add_item", (cart, added))
        placed = order_placed(order_id, cart_id=cart_id, quantity=quantity)
        self.write(
            "place_order",
            (cart, CartCheckedOut(cart_id=cart_id, order_id=order_id)),
            (order, placed),
            (
                f"stock-{MUG}",
                StockReserved(sku=MUG, location=MAIN, order_id=order_id, quantity=quantity, expires_at=NOON),
            ),
            (
                f"payment-{order_id}",
                PaymentRequested(
                    order_id=order_id, method="pm_card_visa", amount=placed.total, capture="fulfilment"
                ),
            ),
            (f"checkout-{order_id}", ProcessStarted(order_id=order_id, kind="checkout")),
            (
                f"checkout-{order_id}",
                StepBegun(order_id=order_id, step=1, call="authorize", amount=placed.total),
            ),
            keys={f"order-{order_id}": new_subject_key()},
        )

    def authorize(self, order_id: str = ANNA, *, quantity: int = 2) -> None:
        """The bank says yes."""
        self.write(
            "record_outcome",
            (f"checkout-{order_id}", StepEnded(order_id=order_id, step=1, outcome="authorized")),
            (
                f"payment-{order_id}",
                PaymentAuthorized(order_id=order_id, amount=total_of(quantity), gateway_reference="pi_1"),
            ),
            (f"order-{order_id}", OrderConfirmed(order_id=order_id)),
            (
                f"stock-{MUG}",
                ReservationConfirmed(sku=MUG, location=MAIN, order_id=order_id, quantity=quantity),
            ),
            actor="process:checkout",
            channel="process",
        )

    def fulfil(self, order_id: str = ANNA, *, quantity: int = 2) -> None:
        """All of it is sent, then the money is taken."""
        lines = (LineQuantity(line_id="1", sku=MUG, quantity=quantity),)
        self.write(
            "fulfil_order",
            (
                f"order-{order_id}",
                LinesFulfilled(order_id=order_id, fulfilment_id="f1", lines=lines),
            ),
            (
                f"stock-{MUG}",
                StockDispatched(
                    sku=MUG, location=MAIN, order_id=order_id, quantity=quantity, from_reservation=quantity
                ),
            ),
            actor="operator:token",
            channel="api",
        )
        captured = PaymentCaptured(order_id=order_id, amount=total_of(quantity), source="gateway")
        self.write("record_outcome", (f"payment-{order_id}", captured), actor="process:checkout")

    def take_back_one(self, order_id: str = ANNA) -> None:
        """One mug comes back to the shelf and is refunded."""
        lines = (LineQuantity(line_id="1", sku=MUG, quantity=1),)
        returned = LinesReturned(order_id=order_id, return_id="r1", lines=lines, restock=True)
        restocked = StockRestocked(sku=MUG, location=MAIN, order_id=order_id, return_id="r1", quantity=1)
        self.write("return_lines", (f"order-{order_id}", returned), (f"stock-{MUG}", restocked))
        self.refund(order_id, Money(1299, "GBP"))

    def refund(self, order_id: str, amount: Money, *, note: str = "n1") -> None:
        """Money goes back for one unit, with its credit note."""
        refunded = (RefundedLine(line_id="1", quantity=1, amount=amount, withdrawn=0),)
        credited = (CreditNoteLine(sku=MUG, title="Mug", quantity=1, amount=amount),)
        self.write(
            "record_outcome",
            (
                f"payment-{order_id}",
                PaymentRefunded(order_id=order_id, amount=amount, credit_note_id=note),
            ),
            (
                f"order-{order_id}",
                OrderRefunded(order_id=order_id, credit_note_id=note, amount=amount, lines=refunded),
            ),
            (
                f"credit_note-{note}",
                CreditNoteIssued(
                    credit_note_id=note,
                    number=f"C-{note}",
                    currency="GBP",
                    amount=amount,
                    lines=credited,
                    charges=(),
                    issued_on=DAY,
                    order_id=order_id,
                ),
            ),
        )

    def whole_story(self) -> None:
        """From the delivery to the refund, with another order's units in the same stock."""
        self.receive()
        self.check_out()
        self.check_out(BORIS, "d" * 32, quantity=3)
        self.authorize()
        self.fulfil()
        self.take_back_one()


def total_of(quantity: int) -> Money:
    """Mugs at 12.99 and 4.00 of postage."""
    return Money(1299 * quantity + 400, "GBP")


def order_placed(
    order_id: str, *, cart_id: str | None = CART, quantity: int = 2, lines: Sequence[OrderLine] = ()
) -> OrderPlaced:
    """A guest's order of mugs with postage."""
    mugs = OrderLine(
        line_id="1",
        sku=MUG,
        title="Mug",
        seller="main",
        quantity=quantity,
        unit_price=UnitPrice(Decimal("12.99"), "GBP"),
        line_total=Money(1299 * quantity, "GBP"),
    )
    postage = Charge(kind="shipping", label="Royal Mail", amount=Money(400, "GBP"))
    return OrderPlaced(
        order_id=order_id,
        number=f"100-2000-{order_id[:4]}",
        channel="web",
        currency="GBP",
        lines=(mugs, *lines),
        charges=(postage,),
        total=total_of(quantity) + Money.sum((line.line_total for line in lines), "GBP"),
        rounding=LINE_HALF_EVEN,
        placed_on=DAY,
        cart_id=cart_id,
        email=EMAIL,
        shipping_address=Address(
            name="Anna", line1="1 High St", city="Leeds", postal_code="LS1", country="GB"
        ),
    )
