"""A shop's life in a log, without a command process: decided by the aggregates, and appended."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from aggregates.cart import cart, items
from aggregates.catalog import product
from aggregates.folds import kind_of
from aggregates.inventory import stock
from aggregates.kernel import Money, UnitPrice
from aggregates.orders import cancellation, credit_note, fulfilment, order, refund, refund_booking
from aggregates.orders.events import Charge
from aggregates.payments import payment
from aggregates.payments.observation import observe
from aggregates.payments.standing import RefundStanding, Standing
from aggregates.terms.terms import MAIN_TERMS
from commands.quoting import offered
from event_store.keys import new_subject_key
from event_store.records import Appended, Entry, EventLog, EventReader, NewEvent
from projections.engine.follower import Decoded
from tests.shop.facts import ADDRESS, CODEC, EMAIL, LIMITS, LOCKED_UNTIL, NOON, stream_decided, stream_of
from tests.shop.facts import listed as listed_product

FIRST_DAY = NOON.replace(hour=9)
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Shop:
    """Decides on the states that its own events made; what is recorded is appended by the next `flush`."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.states: dict[str, Any] = {}
        self.keys: dict[str, bytes] = {}
        self.versions: Counter[str] = Counter()
        self._entries: list[Entry] = []

    def state(self, stream: str) -> Any:
        """The stream's, before the first event too."""
        return self.states.setdefault(stream, kind_of(stream).initial())

    def decide(self, decision: Callable[..., Any], **arguments: Any) -> Any:
        """The decision on the stream that its arguments name."""
        return decision(self.state(stream_decided(decision, arguments)), **arguments)

    def record(
        self,
        *decisions: Iterable[Any],
        name: str = "test",
        actor: str = "system:test",
        channel: str = "test",
        valid_at: datetime | None = None,
        elsewhere: Mapping[str, Any] | None = None,
    ) -> None:
        """One command of these decisions and of `elsewhere`: by stream, events that do not say theirs."""
        reads: dict[str, int] = {}
        encoded, new_keys = [], {}
        events = [(stream_of(event), event) for decision in decisions for event in decision]
        for stream, event in [*(elsewhere or {}).items(), *events]:
            if getattr(event, "email", None) and stream not in self.keys:
                self.keys[stream] = new_keys[stream] = new_subject_key()
            reads.setdefault(stream, self.versions[stream])
            self.versions[stream] += 1
            encoded.append(CODEC.encode(stream, event, self.keys, version=self.versions[stream]))
            self.states[stream] = kind_of(stream).evolve(self.state(stream), event)
        if encoded:
            self._entries.append(
                Entry(
                    command_id=uuid4(),
                    name=name,
                    verdict="accepted",
                    reads=reads,
                    events=encoded,
                    actor=actor,
                    channel=channel,
                    correlation=TRACE,
                    valid_at=valid_at,
                    new_subject_keys=new_keys,
                )
            )

    def records_raw(self, event: NewEvent) -> None:
        """An event that no aggregate knows, the first of its stream."""
        self._entries.append(
            Entry(
                command_id=uuid4(),
                name="test",
                verdict="accepted",
                reads={event.stream: 0},
                events=[event],
                actor="system:test",
                channel="test",
            )
        )

    def flush(self) -> int:
        """Appends what was recorded; gives the head."""
        for start in range(0, len(self._entries), 500):
            for outcome in self.log.append(self._entries[start : start + 500]):
                assert isinstance(outcome, Appended), outcome
        self._entries.clear()
        return self.log.head()

    def take(self) -> list[Entry]:
        """What was recorded, to be appended by the caller."""
        entries, self._entries = self._entries, []
        return entries

    def lists(self, sku: str, *, price: str = "12.99", units: int = 1_000) -> None:
        """A product on sale, with stock."""
        listed = (listed_product(sku, price=price, description="Holds tea", color="red"),)
        self.record(listed, self.decide(stock.receive, sku=sku, quantity=units, reason="delivery"))

    def ordered(
        self,
        order_id: str,
        lines: Mapping[str, int],
        *,
        price: str = "12.99",
        charges: tuple[int, ...] = (),
        placed_at: datetime = FIRST_DAY,
        currency: str = "GBP",
        email: str | None = None,
        **facts: Any,
    ) -> tuple[Any, ...]:
        """An order of so many units by SKU, alone."""
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
        decided: tuple[Any, ...] = self.decide(
            order.place,
            order_id=order_id,
            number=f"N-{order_id}",
            channel="web",
            currency=currency,
            lines=purchases,
            charges=[
                Charge(kind="shipping", label="Postage", amount=Money(amount, currency)) for amount in charges
            ],
            placed_at=placed_at,
            email=email,
            shipping_address=ADDRESS if email else None,
            **facts,
        )
        return decided

    def placing(
        self, order_id: str, lines: Mapping[str, int], *, placed_at: datetime = FIRST_DAY, **facts: Any
    ) -> list[Any]:
        """An order with its stock reserved and its payment asked for."""
        placed = self.ordered(order_id, lines, placed_at=placed_at, **facts)
        return [
            placed,
            *(
                self.decide(
                    stock.reserve,
                    sku=sku,
                    order_id=order_id,
                    quantity=quantity,
                    expires_at=placed_at + timedelta(minutes=15),
                )
                for sku, quantity in lines.items()
            ),
            self.decide(
                payment.request,
                order_id=order_id,
                method="pm_card_visa",
                amount=placed[0].total,
                capture="fulfilment",
            ),
        ]

    def places(
        self, order_id: str, lines: Mapping[str, int], *, placed_at: datetime = FIRST_DAY, **facts: Any
    ) -> None:
        """The same, recorded as of then."""
        self.record(*self.placing(order_id, lines, placed_at=placed_at, **facts), valid_at=placed_at)

    def confirming(self, order_id: str) -> list[Any]:
        """The bank holds the money."""
        total = self.state(payment.stream(order_id)).amount.amount
        return [self.learning(order_id, authorized=total), self.decide(order.confirm, order_id=order_id)]

    def learning(self, order_id: str, **parts: Any) -> Any:
        """The payment hears what the gateway knows."""
        amount = self.state(payment.stream(order_id)).amount
        known = Standing(reference=f"pi_{order_id}", currency=amount.currency, **parts)
        return self.decide(observe, order_id=order_id, standing=known)

    def confirms(self, order_id: str) -> None:
        """The same, recorded."""
        self.record(*self.confirming(order_id))

    def cancels(self, order_id: str, *, code: str | None = None) -> None:
        """The card is declined (with a code), or the order is given up."""
        cause = "canceled" if code is None else "declined"
        self.record(
            self.learning(order_id, closed="canceled")
            if code is None
            else self.decide(payment.decline, order_id=order_id, code=code),
            self.decide(cancellation.cancel, order_id=order_id, cause=cause),
            *(
                self.decide(stock.release, sku=line.sku, order_id=order_id, cause="canceled")
                for line in self.state(order.stream(order_id)).placed.lines
            ),
        )

    def sending(self, order_id: str, fulfilment_id: str, lines: Mapping[str, int] | None = None) -> list[Any]:
        """Lines are fulfilled and dispatched."""
        sent = self.decide(fulfilment.fulfil, order_id=order_id, fulfilment_id=fulfilment_id, lines=lines)
        return [
            sent,
            *(
                self.decide(stock.dispatch, sku=line.sku, order_id=order_id, quantity=line.quantity)
                for line in sent[0].lines
            ),
        ]

    def capturing(self, order_id: str) -> Any:
        """The bank hands the money over, once."""
        total = self.state(payment.stream(order_id)).amount.amount
        return self.learning(order_id, captured=total, closed="captured")

    def sends(self, order_id: str, fulfilment_id: str, lines: Mapping[str, int] | None = None) -> None:
        """Lines are fulfilled and dispatched; the money is captured the first time."""
        self.record(*self.sending(order_id, fulfilment_id, lines), self.capturing(order_id))

    def returning(self, order_id: str, return_id: str, lines: Mapping[str, int] | None = None) -> list[Any]:
        """Lines come back and go on the shelf."""
        returned = self.decide(
            fulfilment.return_lines, order_id=order_id, return_id=return_id, lines=lines, restock=True
        )
        return [
            returned,
            *(
                self.decide(
                    stock.restock,
                    sku=line.sku,
                    order_id=order_id,
                    return_id=f"{return_id}.{line.line_id}",
                    quantity=line.quantity,
                )
                for line in returned[0].lines
            ),
        ]

    def refunding(self, order_id: str, note: str, lines: Mapping[str, int]) -> tuple[Any, Any, Any]:
        """Money goes back for units: what the order, the payment and the credit note (two days later) say."""
        planned = self.decide(refund.plan_refund, order_id=order_id, lines=lines)
        amount = planned.amount
        made = RefundStanding(
            reference=f"re_{note}", amount=amount.amount, state="succeeded", credit_note_id=note
        )
        return (
            self.decide(refund_booking.book_refund, order_id=order_id, credit_note_id=note, refund=planned),
            self.learning(order_id, refunds=(made,)),
            self.decide(
                credit_note.issue,
                credit_note_id=note,
                number=note,
                currency=amount.currency,
                lines=credit_note.credited_lines(self.state(order.stream(order_id)), planned.lines),
                issued_on=(FIRST_DAY + timedelta(days=2)).date(),
                order_id=order_id,
                customer_id=self.state(order.stream(order_id)).placed.customer_id,
            ),
        )

    def takes_back(self, order_id: str, return_id: str, lines: Mapping[str, int] | None = None) -> None:
        """Lines come back and go on the shelf; their money goes back."""
        returned = self.returning(order_id, return_id, lines)
        units = {line.line_id: line.quantity for line in returned[0][0].lines}
        self.record(*returned, *self.refunding(order_id, f"note-{return_id}", units))

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
            self._fills_a_cart(order_id, bought, chance)
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

    def _fills_a_cart(self, cart_id: str, bought: Mapping[str, int], chance: random.Random) -> None:
        self.record(self.decide(cart.open_cart, cart_id=cart_id, currency="GBP"))
        for sku, quantity in bought.items():
            self._sets(items.add_item, cart_id, sku, quantity)
        self._sets(items.set_quantity, cart_id, next(iter(bought)), chance.randint(0, 9))

    def _sets(self, decision: Callable[..., Any], cart_id: str, sku: str, quantity: int) -> None:
        offer = self.state(product.stream(sku)).offer
        held = self.state(cart.stream(cart_id))
        offer, price = offered(held, offer, max(1, quantity), self.state(MAIN_TERMS))
        self.record(
            self.decide(
                decision,
                cart_id=cart_id,
                sku=sku,
                quantity=quantity,
                offer=offer,
                price=price,
                locked_until=LOCKED_UNTIL,
                limits=LIMITS,
            )
        )


def decoded(log: EventReader, *kinds: type[Any]) -> list[Decoded]:
    """The whole log, decoded; of these kinds of events only, where there are any."""
    found: list[Decoded] = []
    position = 0
    while page := log.read_all(after=position, limit=5_000):
        position = page[-1].position
        wanted = [event for event in page if not kinds or CODEC.class_of(event.type) in kinds]
        found += [Decoded(event, CODEC.decode(event)) for event in wanted]
    return found


def events(log: EventReader, *types: str) -> list[Any]:
    """Every event of the log; of these stored names only, where there are any."""
    return [event for recorded, event in decoded(log) if not types or recorded.type in types]


def events_of(log: EventReader, kind: type[Any], **fields: Any) -> list[Any]:
    """The log's events of a class whose fields have these values."""
    return [
        event
        for _, event in decoded(log, kind)
        if all(getattr(event, name) == value for name, value in fields.items())
    ]
