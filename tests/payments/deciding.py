"""An order's money, decided by the real handlers on states in memory: thousands of histories a minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from aggregates.catalog.events import ProductListed
from aggregates.inventory import stock
from aggregates.kernel import Money, UnitPrice
from aggregates.orders import order
from aggregates.orders.order import Order
from aggregates.payments import gateway, payment, process
from aggregates.payments.events import Call, CaptureWhen, StepBegun
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process
from aggregates.payments.standing import Standing
from commands.handlers import cart, catalog, inventory, orders
from commands.handlers.credit import IssueGiftCard, NamedCredit
from commands.handlers.payments import RecordGatewayNews, RecordGatewayOutcome
from commands.handlers.registry import HANDLERS
from commands.loop.decision import Actor, Decision
from commands.loop.state_cache import Missing, StateCache
from event_store.records import RecordedEvent
from tests.shop.facts import ADDING, ADDRESS, CODEC, EMAIL, PLACING

ORDER = "d" * 32
PI = "pi_1"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
TODAY = NOON.date()
OPERATOR = Actor("operator", "test")
_WRITER = UUID(int=0)


class Desk:
    """Commands in, events out, on a log that is no more than a list; `history` is what was before."""

    def __init__(
        self, order_id: str = ORDER, history: Mapping[str, Sequence[RecordedEvent]] | None = None
    ) -> None:
        self.order_id = order_id
        self._history = history or {}
        self.cache = StateCache(CODEC)
        self.handlers = HANDLERS
        self.events: list[tuple[str, Any]] = []
        self.decisions: list[tuple[str, Decision]] = []  # each with its command's name
        self._news = 0

    def do(self, command: Any) -> Decision:
        """Decides a command and folds what it decided. Raises Rejected."""
        while True:
            self.cache.begin(OPERATOR)
            try:
                decision = self.handlers[type(command)](self.cache, command)
            except Missing as missing:
                for stream in missing.streams:
                    self._load(stream)
                continue
            break
        for index, (stream, event) in enumerate(decision.events):
            if self.cache.get(stream) is None:
                self._load(stream)
            self.cache.evolve(stream, event, writer=_WRITER, index=index)
            self.events.append((stream, event))
        self.decisions.append((command.name, decision))
        return decision

    def place(
        self,
        total: int = 1299,
        capture: CaptureWhen = "checkout",
        units: int = 1,
        method: str = "pm_card_visa",
        gift: int = 0,
    ) -> None:
        """An order of `units` of one thing, `total` in all, of which the account `gift` pays so much; the
        authorization of the rest is step 1."""
        price = UnitPrice(Decimal(total) / 100 / units, "EUR")
        self.do(
            catalog.ListProduct(
                product=ProductListed(
                    sku="TEA",
                    title="Tea",
                    description="",
                    category="Kitchen",
                    attributes={},
                    price=price,
                    seller="shop",
                )
            )
        )
        self.do(inventory.ReceiveStock(sku="TEA", quantity=units, reason="", source="first"))
        named: tuple[NamedCredit, ...] = ()
        if gift:
            worth = Money(gift, "EUR")
            self.do(IssueGiftCard(account_id="gift", amount=worth, expires_on=None, today=TODAY))
            named = (NamedCredit(account_id="gift", by_code=True),)
        self.do(cart.OpenCart(cart_id=ORDER, currency="EUR"))
        self.do(cart.AddItem(cart_id=ORDER, sku="TEA", quantity=units, **ADDING))
        self.do(
            orders.PlaceOrder(
                **PLACING,
                cart_id=ORDER,
                order_id=ORDER,
                email=EMAIL,
                shipping_address=ADDRESS,
                payment_method=method,
                capture=capture,
                expires_at=NOON + timedelta(minutes=15),
                credits=named,
            )
        )

    def news(self, standing: Standing, event_id: str | None = None, *, on: date = TODAY) -> None:
        """The gateway tells a part of what it knows."""
        self._news += 1
        self.do(
            RecordGatewayNews(
                event_id=event_id or f"evt_{self._news}",
                kind="test",
                created=NOON,
                received_on=on,
                reference=standing.reference,
                standing=standing,
            )
        )

    def answer(self, step: int, standing: Standing) -> None:
        """The gateway answers a step."""
        self.do(
            RecordGatewayOutcome(
                order_id=self.order_id, step=step, outcome="done", answered_on=TODAY, standing=standing
            )
        )

    def refuse(self, step: int, code: str = "no") -> None:
        """The gateway will never do a step."""
        self.do(
            RecordGatewayOutcome(
                order_id=self.order_id, step=step, outcome="refused", answered_on=TODAY, code=code
            )
        )

    def steps(self, *calls: Call) -> list[StepBegun]:
        """Every such step that was ever begun."""
        return [event for _, event in self.events if isinstance(event, StepBegun) and event.call in calls]

    @property
    def order(self) -> Order:
        """As it stands."""
        return self.state(order.stream(self.order_id))

    @property
    def payment(self) -> Payment:
        """As it stands."""
        return self.state(payment.stream(self.order_id))

    @property
    def process(self) -> Process:
        """As it stands."""
        return self.state(process.stream(self.order_id))

    @property
    def reserved(self) -> int:
        """Units of what was ordered that are set aside."""
        skus = {line.ordered.sku for line in self.order.lines.values()}
        return sum(int(self.state(stock.stream(sku)).reserved) for sku in skus)

    def owed(self) -> tuple[int, int, tuple[str, ...], tuple[str, ...]]:
        """To the shop, to the customer, stuck, concerns."""
        owed = self.process.owed
        if owed is None:
            return (0, 0, (), ())
        return (owed.to_shop.amount, owed.to_customer.amount, owed.stuck, owed.concerns)

    def end(self) -> tuple[Any, ...]:
        """Order · payment · captured, held, back, disputed · credit notes · owed · open steps."""
        paid = self.payment
        return (
            self.order.status,
            paid.status,
            (paid.captured, paid.held, paid.returned, paid.disputed),
            self.order.refunded_amount,
            self.owed(),
            sorted(self.process.open_steps),
        )

    def linked(self, reference: str = PI) -> Any:
        """Whose payment it is."""
        return self.state(gateway.payment_stream(reference))

    def state(self, stream: str) -> Any:
        """The stream's, as it stands."""
        if self.cache.get(stream) is None:
            self._load(stream)
        kept = self.cache.get(stream)
        assert kept is not None
        return kept.state

    def _load(self, stream: str) -> None:
        self.cache.load(stream, self._history.get(stream, ()))


def standing(**parts: Any) -> Standing:
    """A part of what the gateway knows of the order's payment."""
    return Standing(**({"reference": PI, "currency": "EUR", "order_id": ORDER} | parts))


def drain(desk: Desk, truth: Standing, calls: Iterable[Call] = ("capture", "look", "void")) -> None:
    """Answers every step that is open with all that is true by now."""
    for _ in range(20):
        open_steps = desk.process.open_steps
        if not open_steps:
            return
        number, begun = next(iter(open_steps.items()))
        assert begun.call in calls, begun
        desk.answer(number, truth)
    raise AssertionError(f"no end: {desk.process.open_steps}")
