"""A shop, its gateway, shoppers, banks and a bad network: whatever happens, money ends where it belongs."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aggregates.kernel import Money, Rejected
from aggregates.orders.events import OrderPlaced, OrderRefunded
from aggregates.payments import payment, process
from commands.gateways.gateway import Gateway, GatewayRefusal
from commands.gateways.sandbox import Books, SandboxGateway
from commands.gateways.sandbox.balance_report import report_lines
from commands.gateways.stripe_events import API_VERSION, news_of
from commands.handlers.cancel_order import CancelOrder
from commands.handlers.fulfilment import FulfilOrder
from commands.handlers.payments import ExpireOrder, RecordGatewayNews, RetryPayment
from commands.handlers.refunds import RefundOrder
from commands.processes.gateway_news import command_of
from commands.processes.kind import AT_ONCE, Due, NotYet
from commands.processes.payment import Payment as PaymentKind
from commands.reconciliation.books import payments_of
from commands.reconciliation.matching import Report, Window, compare_all
from event_store.progress import OpenWork
from replays.verification.verify import verify
from tests.payments.deciding import NOON, ORDER, Desk
from tests.payments.stored import stored
from tests.shop.facts import CODEC

TOTAL = 1200
UNITS = 3
OPERATIONS = (
    "payment_intents.create",
    "payment_intents.capture",
    "payment_intents.cancel",
    "payment_intents.retrieve",
    "refunds.create",
)
FAULTS = ("lost_before", "lost_after", "500", "500_done", "429", "409", "reset", "garbled")


class World:
    """One order's life. Each action does what can be done at this moment, or nothing."""

    def __init__(self, folder: Path, *, method: str, capture: Any) -> None:
        self.now = NOON
        self.books = Books(folder / "ledger.sqlite", clock=lambda: self.now)
        self.use(SandboxGateway(self.books))
        self.desk = Desk()
        self.place(method, capture)
        self.begun_at: dict[int, datetime] = {}
        self.delivered: set[str] = set()
        self.attempts_asked_for = 1
        self.hears = True
        self.doubled = False
        self._notes = 0

    def place(self, method: str, capture: Any) -> None:
        """The order."""
        self.desk.place(total=TOTAL, capture=capture, units=UNITS, method=method)

    @property
    def placed(self) -> OrderPlaced:
        """The order as it was placed."""
        placed = self.desk.order.placed
        assert placed is not None
        return placed

    def use(self, gateway: Gateway) -> None:
        """Has this gateway called from now on; it is to end at the world's books."""
        self.gateway = gateway
        self.payment_kind = PaymentKind(gateway, clock=lambda: self.now)

    async def aclose(self) -> None:
        """Closes the books."""
        await self.gateway.aclose()
        self.books.close()

    # What Daybook does

    async def step(self, pick: int) -> None:
        """The process calls the gateway for the first open step."""
        open_steps = self.desk.process.open_steps
        if not open_steps:
            return
        number = min(open_steps)
        begun = open_steps[number]
        recorded = SimpleNamespace(
            recorded_at=self.begun_at.setdefault(number, self.now), correlation=None, position=1
        )
        work = OpenWork(process.stream(ORDER), number, AT_ONCE, 1)
        due = Due(work, recorded, begun, self.now)  # type: ignore[arg-type]
        try:
            command = await self.payment_kind.do(due)
        except NotYet:
            return
        self.desk.do(command)

    async def crash(self, pick: int) -> None:
        """The process dies, and another follows it, which remembers nothing."""
        self.use(self.gateway)

    # What the network does

    async def news(self, pick: int) -> None:
        """Some event that was not delivered yet is."""
        waiting = [one for one in self._events() if one["id"] not in self.delivered]
        if waiting:
            self.deliver(waiting[pick % len(waiting)])

    async def news_again(self, pick: int) -> None:
        """An event comes once more: the same one, or another that tells of the same change."""
        events = self._events()
        if events:
            event = events[pick % len(events)]
            self.deliver(event if pick % 2 else event | {"id": f"evt_again_{pick}"})

    async def news_backwards(self, pick: int) -> None:
        """All that was not delivered is, the latest first."""
        for one in reversed(self._events()):
            if one["id"] not in self.delivered:
                self.deliver(one)

    async def news_of_failure(self, pick: int) -> None:
        """Of all events the one that tells of a failed attempt."""
        for one in self._events():
            if one["type"] == "payment_intent.payment_failed":
                self.deliver(one)

    async def no_news_come(self, pick: int) -> None:
        """The gateway cannot reach us."""
        self.hears = False

    async def create_fails(self, pick: int) -> None:
        """The next authorization is done, and a fault is stored as its answer."""
        self.books.plant("payment_intents.create", "500_done")

    async def create_is_lost(self, pick: int) -> None:
        """The next authorization is done, and its answer lost."""
        self.books.plant("payment_intents.create", "lost_after")

    async def fault(self, pick: int) -> None:
        """The next call of some kind goes wrong."""
        self.books.plant(
            OPERATIONS[pick % len(OPERATIONS)],
            FAULTS[pick // 7 % len(FAULTS)],  # type: ignore[arg-type]
        )

    async def time_passes(self, pick: int) -> None:
        """Minutes, an hour, or more than a key lives."""
        self.now += timedelta(minutes=(1, 10, 60, 25 * 60)[pick % 4])

    # What people do

    async def shopper_passes(self, pick: int) -> None:
        self._at_gateway(self.books.shopper_passes)

    async def shopper_fails(self, pick: int) -> None:
        self._at_gateway(self.books.shopper_fails)

    async def shopper_pays_otherwise(self, pick: int) -> None:
        """With another card, which needs the client secret."""
        if any(known.acting for known in self.desk.payment.standings.values()):
            self._at_gateway(lambda one: self.books.shopper_pays_with(one, "pm_card_visa"))

    async def hold_lapses(self, pick: int) -> None:
        self._at_gateway(self.books.hold_lapses)

    async def refund_in_dashboard(self, pick: int) -> None:
        self._at_gateway(lambda one: self.books.refund_in_dashboard(one, 100 + pick % 500))

    async def dispute(self, pick: int) -> None:
        self._at_gateway(lambda one: self.books.dispute(one, 200 + pick % 900))

    async def dispute_ends(self, pick: int) -> None:
        for reference in self._references():
            for one in self.books.objects(reference, "dispute"):
                self._try(lambda one=one: self.books.dispute_becomes(one["id"], ("won", "lost")[pick % 2]))

    async def inquiry_ends(self, pick: int) -> None:
        for reference in self._references():
            for one in self.books.objects(reference, "dispute"):
                status = ("warning_closed", "needs_response")[pick % 2]
                self._try(lambda one=one, status=status: self.books.dispute_becomes(one["id"], status))

    async def refund_fails(self, pick: int) -> None:
        for reference in self._references():
            for one in self.books.objects(reference, "refund")[:1]:
                self._try(lambda one=one: self.books.refund_fails(one["id"]))

    async def cancel(self, pick: int) -> None:
        self._command(CancelOrder(order_id=ORDER, canceled_on=self.now.date()))

    async def fulfil(self, pick: int) -> None:
        self._notes += 1
        line = next(iter(self.desk.order.lines))
        self._command(
            FulfilOrder(
                order_id=ORDER,
                fulfilment_id=f"f{self._notes}",
                sent_at=self.now,
                lines={line: 1} if pick % 2 else None,
            )
        )

    async def refund(self, pick: int) -> None:
        self._notes += 1
        line = next(iter(self.desk.order.lines))
        amount = Money(100 + pick % 400, "EUR") if pick % 3 == 0 else None
        self._command(
            RefundOrder(
                order_id=ORDER,
                credit_note_id=f"n{self._notes}",
                reason=None,
                issued_on=self.now.date(),
                amount=amount,
                lines={line: 1} if pick % 3 == 1 else None,
            )
        )

    async def expire(self, pick: int) -> None:
        self._command(ExpireOrder(order_id=ORDER, now=self.now))

    async def retry(self, pick: int) -> None:
        before = len(self.desk.steps("authorize"))
        self._command(RetryPayment(order_id=ORDER, on=self.now.date(), method="pm_card_visa"))
        self.attempts_asked_for += len(self.desk.steps("authorize")) - before

    # The end

    async def rest(self) -> None:
        """The network heals, every news arrives, every step ends, time is over for what is undecided."""
        for round_number in range(60):
            self.books.clear_faults()
            waiting = [one for one in self._events() if one["id"] not in self.delivered]
            if self.doubled:
                waiting += [one | {"id": f"{one['id']}again"} for one in waiting] + waiting
            for event in random.Random(round_number).sample(waiting, len(waiting)):
                self.deliver(event)
            if not self.desk.process.open_steps:
                if self.desk.order.status != "placed":
                    return
                self.now += timedelta(minutes=21)
                await self.expire(0)
            await self.step(0)
            if round_number > 10:
                self.now += timedelta(hours=1)
        raise AssertionError(f"no end: {self.desk.order.status} {self.desk.process.open_steps}")

    def check(self) -> None:
        """Books here and there agree, the log verifies, and nothing is left hanging."""
        found: list[str] = []
        verify(stored(self.desk).log, CODEC, report=lambda finding: found.append(str(finding)))
        assert found == []
        desk, paid = self.desk, self.desk.payment
        charged = 0
        for reference in self._references():
            intent, known = self._intent(reference), paid.standings[reference]
            refunds = self.books.objects(reference, "refund")
            moves = [
                move
                for one in self.books.objects(reference, "dispute")
                for move in one["balance_transactions"]
            ]
            assert known.captured == intent["amount_received"], reference
            assert known.held == intent["amount_capturable"], reference
            assert known.open == (intent["status"] not in ("succeeded", "canceled")), (known, intent)
            alive = sum(one["amount"] for one in refunds if one["status"] not in ("failed", "canceled"))
            assert known.returned == alive, reference
            assert known.disputed == -sum(move["amount"] for move in moves), reference
            charged += bool(known.captured)
            asked_back = bool(self.books.objects(reference, "dispute")) and self.hears
            assert not asked_back or "dispute" in desk.owed()[3], "a dispute or inquiry is on the list"
        assert charged <= self.attempts_asked_for
        assert self.reconciled() <= {"matched"}
        to_shop, to_customer, stuck, _ = desk.owed()
        sold, card = desk.order, self.placed.card.amount
        assert sold.refunded_amount <= self.placed.total.amount
        if paid.paid_elsewhere is not None:  # Credit paid all of it: the gateway has no part in it.
            assert desk.owed() == (0, 0, (), ())
            assert paid.left == (0 if sold.canceled else self.placed.total.amount - sold.refunded_amount)
            return
        if sold.canceled:
            assert paid.held == 0 or stuck, "a hold of a canceled order is on the list"
            assert not any(one.open for one in paid.standings.values()) or stuck
            assert to_customer == max(0, paid.left)
            assert desk.reserved == 0
            return
        assert sold.confirmed
        if (
            paid.capture == "each"
            and paid.captured < card
            and any(one.in_parts for one in paid.standings.values())
        ):
            self._check_parts(to_shop, to_customer, stuck)
            return
        credited = sold.refunded_card_amount
        assert to_customer == max(0, credited + max(0, paid.captured - card) - paid.returned - paid.disputed)
        if sold.units_fulfilled and paid.capture != "each":
            assert to_shop == max(0, card - credited - paid.captured)
            assert paid.captured >= card - credited or to_shop or stuck

    def _check_parts(self, to_shop: int, to_customer: int, stuck: tuple[str, ...]) -> None:
        """Each fulfilment took its part: the card gave what was sent, less what credit pays and what was
        credited."""
        sold, paid = self.desk.order, self.desk.payment
        unsent = sum(
            part.amount.amount * (part.withdrawn or 0) // part.quantity
            for _, event in self.desk.events
            if isinstance(event, OrderRefunded)
            for part in event.lines
            if part.quantity
        )
        lines = sold.lines.values()
        is_sent = not any(line.unsent for line in lines)
        worth = self.placed.total.amount - unsent
        if not is_sent:
            sent = sum(line.ordered.paid.amount * line.fulfilled // line.ordered.quantity for line in lines)
            charges = self.placed.total.amount - sum(line.ordered.paid.amount for line in lines)
            worth = min(worth, sent + (charges if sold.units_fulfilled else 0))
        worth = max(0, worth - (sold.refunded_amount - unsent))
        by_credit = self.placed.credit.amount - sum(sold.refunded_credit.values())
        worth = max(0, worth - by_credit)
        assert to_shop == max(0, worth - (paid.captured - paid.returned))
        assert to_customer == max(0, paid.left - worth)
        if is_sent:
            assert paid.held == 0 or stuck, "a hold of which nothing is due is let go"

    def reconciled(self) -> set[str]:
        """What comes of the gateway's balance report, held against what we know."""
        report = Report()
        for line in report_lines(self.books):
            report.add(line)
        ours = payments_of(
            ORDER, ((one, NOON) for name, one in self.desk.events if name == payment.stream(ORDER))
        )
        window = Window(NOON, self.now + timedelta(days=1))
        return {finding.verdict for finding in compare_all(report, ours, window)}

    def deliver(self, event: dict[str, Any]) -> None:
        """As the webhook's route does."""
        self.delivered.add(event["id"])
        command = command_of(news_of(event, livemode=False, api_version=API_VERSION), received_on=self.now)
        if isinstance(command, RecordGatewayNews):
            self.desk.do(command)

    def _events(self) -> list[dict[str, Any]]:
        if not self.hears:
            return []
        return [dict(one) for one in self.books.events(NOON - timedelta(days=1))]

    def _references(self) -> list[str]:
        return [one.reference for one in self.books.charges()]

    def _intent(self, reference: str) -> dict[str, Any]:
        return dict(self.books.request("payment_intents.retrieve", {"id": reference}).body)

    def _at_gateway(self, do: Callable[[str], Any]) -> None:
        for reference in self._references():
            self._try(lambda reference=reference: do(reference))

    def _command(self, command: Any) -> None:
        self._try(lambda: self.desk.do(command))

    def _try(self, do: Callable[[], Any]) -> None:
        with suppress(GatewayRefusal, Rejected):
            do()
