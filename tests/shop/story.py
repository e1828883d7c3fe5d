"""One order's story in a log, from the delivery to a refund, as auditors read it."""

from __future__ import annotations

from typing import Any

from aggregates.cart.events import CartCheckedOut
from aggregates.inventory import stock
from aggregates.payments import process
from aggregates.payments.steps import begin_authorize
from tests.shop.facts import CART, EMAIL, NOON, added, opened, received
from tests.shop.log import Shop

MUG = "MUG-1"
ANNA = "a" * 32  # orders
BORIS = "b" * 32


class Story(Shop):
    """Anna's order, command by command, each appended at once."""

    def write(
        self, name: str, *events: Any, actor: str = "anonymous:", channel: str = "web", **more: Any
    ) -> None:
        """One command, of events and decisions."""
        decisions = [event if isinstance(event, tuple) else (event,) for event in events]
        self.record(*decisions, name=name, actor=actor, channel=channel, **more)
        self.flush()

    def receive(self, sku: str = MUG, quantity: int = 10) -> None:
        """Goods come in."""
        self.write("receive_stock", received(sku, quantity), actor="operator:token", channel="api")

    def check_out(self, order_id: str = ANNA, cart_id: str = CART, *, quantity: int = 2) -> None:
        """A cart of mugs becomes an order that waits for its payment."""
        self.write("open_cart", opened(cart_id))
        self.write("add_item", added(MUG, quantity, cart_id))
        placed = self.placing(
            order_id, {MUG: quantity}, charges=(400,), placed_at=NOON, email=EMAIL, cart_id=cart_id
        )
        amount = placed[0][0].total
        started = self.decide(process.start, order_id=order_id)
        begun = self.decide(begin_authorize, order_id=order_id, method="pm_card_visa", amount=amount)
        self.write("place_order", CartCheckedOut(cart_id=cart_id, order_id=order_id), *placed, started, begun)

    def authorize(self) -> None:
        """The bank holds the money of Anna's order."""
        self.write(
            "record_outcome",
            self.decide(process.end_step, order_id=ANNA, step=1, outcome="authorized"),
            *self.confirming(ANNA),
            self.decide(stock.confirm, sku=MUG, order_id=ANNA),
            actor="process:checkout",
            channel="process",
        )

    def whole_story(self) -> None:
        """From the delivery to the refund of one of two mugs; another order's units are in the same stock."""
        self.receive()
        self.check_out()
        self.check_out(BORIS, "d" * 32, quantity=3)
        self.authorize()
        self.write("fulfil_order", *self.sending(ANNA, "f1"), actor="operator:token", channel="api")
        self.write("record_outcome", self.capturing(ANNA), actor="process:checkout")
        self.write("return_lines", *self.returning(ANNA, "r1", {"1": 1}))
        booked, paid_back, note = self.refunding(ANNA, "n1", {"1": 1})
        self.write("record_outcome", paid_back, booked, note)
