"""A shop whose commands are handled: the real loop, log and sandbox ledger, and a clock set by hand."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from aggregates.catalog.events import ProductListed
from aggregates.folds import kind_of
from aggregates.inventory import stock
from aggregates.kernel import Money, UnitPrice
from aggregates.orders import order
from aggregates.payments import payment, process
from commands.gateways.gateway import Gateway
from commands.gateways.sandbox import VISA, SandboxGateway
from commands.handlers import cart, catalog, inventory, orders
from commands.handlers.credit import IssueGiftCard, NamedCredit
from commands.handlers.registry import HANDLERS
from commands.loop.decision import Actor, Answer, Context
from commands.loop.handling import Handling
from commands.processes.following import checkpoint_of
from commands.processes.kind import AT_ONCE, ProcessKind
from commands.processes.manager import ProcessManagers, all_kinds
from commands.processes.payment import Payment
from commands.processes.reservation_expiry import ReservationExpiry
from event_store.codec import Codec
from event_store.records import EventLog
from event_store.retries import RetryPolicy
from tests.shop.facts import ADDING, ADDRESS, CODEC, EMAIL, NOON, PLACING
from tests.shop.log import decoded
from tests.waiting import SECONDS_MAX

ORDER = "d" * 32
TRACE = "ab" * 16
KEPT = timedelta(minutes=15)
SHORT = RetryPolicy(pause_first=0.01, pause_max=0.05)


@dataclass
class Shop:
    """Everything but the process managers, which each test starts and stops as it needs."""

    log: EventLog
    gateway: SandboxGateway
    codec: Codec = CODEC
    now: datetime = NOON
    handling: Handling = field(init=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Shop]:
        """A command process's handling loop; another `open` on the same log is another process."""
        shop = Shop(self.log, self.gateway, now=self.now)
        shop.handling = Handling(self.log, self.codec, HANDLERS)
        async with shop.handling:
            yield shop

    def managers(
        self,
        gateway: Gateway | None = None,
        retry_policy: RetryPolicy = SHORT,
        clock: Callable[[], datetime] | None = None,
        kinds: Sequence[ProcessKind] | None = None,
    ) -> ProcessManagers:
        """The process managers of this process; their clock is the shop's unless given."""
        clock = clock or (lambda: self.now)
        return ProcessManagers(
            self.log,
            self.codec,
            self.handling,
            all_kinds(gateway or self.gateway, self.log, clock=clock) if kinds is None else kinds,
            clock=clock,
            retry_policy=retry_policy,
            failed=lambda name, error: None,
        )

    def checkpoints(self) -> tuple[int | None, int | None]:
        """Of payment and of expiry."""
        return self.log.tracked(checkpoint_of(Payment)), self.log.tracked(checkpoint_of(ReservationExpiry))

    def open_work(self) -> list[tuple[str, int]]:
        """What is stored for the process that follows next."""
        return [
            (work.queue, work.number)
            for kind in (Payment, ReservationExpiry)
            for work in self.log.open_work(
                checkpoint_of(kind), due_from=AT_ONCE, due_before=NOON + timedelta(days=365)
            )
        ]

    async def do(self, command: Any) -> Answer:
        """Has a command of the API handled."""
        context = Context(actor=Actor("operator", "test"), channel="web", correlation=TRACE)
        return await self.handling.handle(command, context)

    async def sell(
        self,
        order_id: str = ORDER,
        method: str = VISA,
        capture: Any = "fulfilment",
        units: int = 10,
        kept: timedelta = KEPT,
        gift: int = 0,
    ) -> None:
        """An order of two mugs and one pan, 29.00 in all, of which the account `gift` pays so much; so many
        units of each are in stock at first."""
        for sku, price in (("MUG", "4.50"), ("PAN", "20.00")):
            await self.do(
                catalog.ListProduct(
                    product=ProductListed(
                        sku=sku,
                        title=sku.title(),
                        description="",
                        category="Kitchen",
                        attributes={},
                        price=UnitPrice(Decimal(price), "GBP"),
                        seller="shop",
                    )
                )
            )
            await self.do(inventory.ReceiveStock(sku=sku, quantity=units, reason="", source="first"))
        named: tuple[NamedCredit, ...] = ()
        if gift:
            issue = {"amount": Money(gift, "GBP"), "expires_on": None, "today": self.now.date()}
            await self.do(IssueGiftCard(account_id="gift", **issue))
            named = (NamedCredit(account_id="gift", by_code=True),)
        await self.do(cart.OpenCart(cart_id=order_id, currency="GBP"))
        for sku, quantity in (("MUG", 2), ("PAN", 1)):
            await self.do(
                cart.AddItem(
                    cart_id=order_id,
                    sku=sku,
                    quantity=quantity,
                    **ADDING,
                )
            )
        await self.do(
            orders.PlaceOrder(
                **PLACING,
                cart_id=order_id,
                order_id=order_id,
                email=EMAIL,
                shipping_address=ADDRESS,
                payment_method=method,
                capture=capture,
                expires_at=self.now + kept,
                credits=named,
            )
        )

    def state(self, stream: str) -> Any:
        """The stream's state as the log has it."""
        kind = kind_of(stream)
        return kind.fold(kind.initial(), map(self.codec.decode, self.log.read_stream(stream)))

    def statuses(self, order_id: str = ORDER) -> tuple[str, str]:
        """Of the order and of its payment."""
        return self.state(order.stream(order_id)).status, self.state(payment.stream(order_id)).status

    def stock(self, sku: str = "MUG") -> tuple[int, int]:
        """On hand and reserved."""
        state: stock.Stock = self.state(stock.stream(sku))
        return state.on_hand, state.reserved

    def story(self) -> dict[str, list[Any]]:
        """Every stream's events."""
        events: dict[str, list[Any]] = {}
        for recorded, event in decoded(self.log):
            events.setdefault(recorded.stream, []).append(event)
        return events

    def names(self, *, after: int = 0) -> list[str]:
        """What happened, in order, by stored names."""
        return [recorded.type for recorded in self.log.read_all(after=after, limit=10_000)]

    def charged(self) -> list[tuple[str, int, int]]:
        """The ledger: status, captured and refunded of every charge."""
        return [(charge.status, charge.captured, charge.refunded) for charge in self.gateway.charges()]

    async def until(
        self, *statuses: str, order_id: str = ORDER, unless: threading.Event | None = None
    ) -> None:
        """Waits for the order and its payment to stand so, or for what happens instead."""
        await eventually(
            lambda: self.statuses(order_id) == statuses or (unless is not None and unless.is_set()),
            lambda: self.statuses(order_id),
        )

    async def settled(self) -> None:
        """Waits until no step is open."""
        await eventually(lambda: not self.open_steps(), self.open_steps)

    def open_steps(self, order_id: str = ORDER) -> Any:
        """Calls without an answer."""
        return self.state(process.stream(order_id)).open_steps


async def eventually(
    holds: Callable[[], bool], seen: Callable[[], Any], *, seconds: float = SECONDS_MAX
) -> None:
    """Waits until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"still {seen()}"
        await asyncio.sleep(0.01)


class DyingHandling:
    """A handling loop that receives commands and never answers, as one that dies with them."""

    def __init__(self) -> None:
        self.received = asyncio.Event()

    async def handle(self, command: Any, context: Context) -> Answer:
        self.received.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody is answered")

    async def prepare(self, streams: Iterable[str]) -> None:
        pass
