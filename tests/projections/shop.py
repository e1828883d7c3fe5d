"""What happens in a shop, decided by the aggregates themselves."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from aggregates.cart import cart
from aggregates.catalog import product
from aggregates.inventory import stock
from aggregates.kernel import Money, UnitPrice
from aggregates.orders import cancellation, credit_note, fulfilment, order, refund
from aggregates.orders.events import Address, Charge
from aggregates.payments import payment
from tests.projections.books import EMAIL, FIRST_DAY, Books


class Shop(Books):
    """A shop's life, command by command."""

    def lists(self, sku: str, *, price: str = "12.99", units: int = 1_000) -> None:
        """A product on sale, with stock."""
        listed = product.list_product(
            self.state(f"product-{sku}"),
            sku=sku,
            title=f"Mug {sku}",
            description="Holds tea",
            category="Kitchen > Mugs",
            attributes={"color": "red"},
            price=UnitPrice(Decimal(price), "GBP"),
            seller="house",
        )
        received = stock.receive(self.state(f"stock-{sku}"), sku=sku, quantity=units, reason="delivery")
        self.record((f"product-{sku}", listed), (f"stock-{sku}", received))

    def places(
        self,
        order_id: str,
        lines: dict[str, int],
        *,
        customer_id: str | None = None,
        price: str = "12.99",
        charges: tuple[int, ...] = (),
        placed_at: datetime = FIRST_DAY,
        currency: str = "GBP",
        email: str | None = None,
    ) -> None:
        """An order with its stock reserved and its payment asked for."""
        purchases = [
            order.Purchase(
                line_id=str(number),
                sku=sku,
                title=f"Mug {sku}",
                seller="house",
                quantity=quantity,
                unit_price=UnitPrice(Decimal(price), currency),
            )
            for number, (sku, quantity) in enumerate(lines.items(), start=1)
        ]
        placed = order.place(
            self.state(f"order-{order_id}"),
            order_id=order_id,
            number=f"N-{order_id}",
            channel="web",
            currency=currency,
            lines=purchases,
            charges=[
                Charge(kind="shipping", label="Postage", amount=Money(amount, currency)) for amount in charges
            ],
            placed_on=placed_at.date(),
            customer_id=customer_id,
            email=email,
            shipping_address=None
            if email is None
            else Address(name="Anna", line1="1 Road", city="York", postal_code="Y1", country="GB"),
        )
        total = next(iter(placed)).total
        self.record(
            (f"order-{order_id}", placed),
            *(
                (
                    f"stock-{sku}",
                    stock.reserve(
                        self.state(f"stock-{sku}"),
                        sku=sku,
                        order_id=order_id,
                        quantity=quantity,
                        expires_at=placed_at + timedelta(minutes=15),
                    ),
                )
                for sku, quantity in lines.items()
            ),
            (
                f"payment-{order_id}",
                payment.request(
                    self.state(f"payment-{order_id}"),
                    order_id=order_id,
                    method="pm_card_visa",
                    amount=total,
                    capture="fulfilment",
                ),
            ),
            valid_at=placed_at,
        )

    def confirms(self, order_id: str) -> None:
        """The bank holds the money."""
        paid, ordered = self.state(f"payment-{order_id}"), self.state(f"order-{order_id}")
        self.record(
            (
                f"payment-{order_id}",
                payment.authorize(paid, order_id=order_id, amount=paid.amount, gateway_reference="r"),
            ),
            (f"order-{order_id}", order.confirm(ordered, order_id=order_id)),
        )

    def cancels(self, order_id: str, *, code: str | None = None) -> None:
        """The card is declined (with a code), or the order is given up."""
        ordered, paid = self.state(f"order-{order_id}"), self.state(f"payment-{order_id}")
        ended = (
            payment.decline(paid, order_id=order_id, code=code)
            if code is not None
            else payment.void(paid, order_id=order_id)
        )
        released = [
            (
                f"stock-{line.sku}",
                stock.release(
                    self.state(f"stock-{line.sku}"), sku=line.sku, order_id=order_id, cause="canceled"
                ),
            )
            for line in ordered.placed.lines
        ]
        canceled = cancellation.cancel(
            ordered, order_id=order_id, cause="canceled" if code is None else "declined"
        )
        self.record((f"payment-{order_id}", ended), (f"order-{order_id}", canceled), *released)

    def sends(self, order_id: str, fulfilment_id: str, lines: dict[str, int] | None = None) -> None:
        """Lines are fulfilled and dispatched; the money is captured the first time."""
        ordered, paid = self.state(f"order-{order_id}"), self.state(f"payment-{order_id}")
        sent = fulfilment.fulfil(ordered, order_id=order_id, fulfilment_id=fulfilment_id, lines=lines)
        self.record(
            (f"order-{order_id}", sent),
            (
                f"payment-{order_id}",
                payment.capture(paid, order_id=order_id, amount=paid.amount, source="gateway"),
            ),
            *(
                (
                    f"stock-{line.sku}",
                    stock.dispatch(
                        self.state(f"stock-{line.sku}"),
                        sku=line.sku,
                        order_id=order_id,
                        quantity=line.quantity,
                    ),
                )
                for line in sent[0].lines
            ),
        )

    def takes_back(self, order_id: str, return_id: str, lines: dict[str, int] | None = None) -> None:
        """Lines come back and go on the shelf; their money goes back."""
        ordered, paid = self.state(f"order-{order_id}"), self.state(f"payment-{order_id}")
        returned = fulfilment.return_lines(
            ordered, order_id=order_id, return_id=return_id, lines=lines, restock=True
        )
        planned = refund.plan_refund(
            ordered, order_id=order_id, lines={line.line_id: line.quantity for line in returned[0].lines}
        )
        note = f"note-{return_id}"
        booked = refund.book_refund(ordered, order_id=order_id, credit_note_id=note, refund=planned)
        self.record(
            (f"order-{order_id}", (*returned, *booked)),
            (
                f"payment-{order_id}",
                payment.refund(paid, order_id=order_id, amount=planned.amount, credit_note_id=note),
            ),
            self.credited(note, ordered, planned, order_id),
            *(
                (
                    f"stock-{line.sku}",
                    stock.restock(
                        self.state(f"stock-{line.sku}"),
                        sku=line.sku,
                        order_id=order_id,
                        return_id=f"{return_id}.{line.line_id}",
                        quantity=line.quantity,
                    ),
                )
                for line in returned[0].lines
            ),
        )

    def credited(self, note: str, ordered: Any, planned: Any, order_id: str) -> tuple[str, Any]:
        """The credit note's stream and event, issued two days later."""
        return f"credit_note-{note}", credit_note.issue(
            self.state(f"credit_note-{note}"),
            credit_note_id=note,
            number=note,
            currency=planned.amount.currency,
            lines=refund.credited_lines(ordered, planned),
            issued_on=(FIRST_DAY + timedelta(days=2)).date(),
            order_id=order_id,
        )

    def bustle(self, orders: int, *, seed: int = 1, products: int = 20) -> None:
        """A random but repeatable life: carts, orders, payments, returns, prices, counts."""
        chance = random.Random(seed)
        tag = uuid4().hex[:6]
        skus = [f"{tag}-{number}" for number in range(products)]
        for sku in skus:
            self.lists(sku, price=chance.choice(["1.25", "0.555", "12.99", "3.123"]), units=1_000_000)
        for number in range(orders):
            order_id = f"{tag}{number}"
            bought = {sku: chance.randint(1, 9) for sku in chance.sample(skus, chance.randint(1, 4))}
            self._shops(order_id, bought, chance)
            self.places(
                order_id,
                bought,
                customer_id=chance.choice([None, "c-1", "c-2"]),
                price=chance.choice(["1.25", "0.555"]),
                charges=chance.choice([(), (395,), (395, -50)]),
                placed_at=FIRST_DAY + timedelta(hours=chance.randint(0, 80)),
                currency=chance.choice(["GBP", "GBP", "EUR"]),
                email=chance.choice([None, EMAIL]),
            )
            fate = chance.random()
            if fate < 0.1:
                self.cancels(order_id, code="card_declined")
            elif fate < 0.9:
                self.confirms(order_id)
                if fate < 0.2:
                    self.cancels(order_id)
                elif fate < 0.7:
                    self.sends(order_id, "f1", {"1": 1} if bought[next(iter(bought))] > 1 else None)
                    if fate < 0.5:
                        self.takes_back(order_id, f"{order_id}-r1", {"1": 1})

    def _shops(self, cart_id: str, bought: dict[str, int], chance: random.Random) -> None:
        stream = f"cart-{cart_id}"
        self.record((stream, cart.open_cart(self.state(stream), cart_id=cart_id, currency="GBP")))
        for sku, quantity in bought.items():
            offer = self.state(f"product-{sku}").offer
            added = cart.add_item(
                self.state(stream),
                cart_id=cart_id,
                sku=sku,
                quantity=quantity,
                product=offer,
                lines_max=9,
                quantity_max=99,
            )
            self.record((stream, added))
        changed = cart.set_quantity(
            self.state(stream),
            cart_id=cart_id,
            sku=next(iter(bought)),
            quantity=chance.randint(0, 9),
            product=offer,
            lines_max=9,
            quantity_max=99,
        )
        self.record((stream, changed))
