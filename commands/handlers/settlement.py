"""What an order's money calls for: rules read off the states after every change, never off the last event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from aggregates.inventory import stock
from aggregates.inventory.events import ReleaseCause
from aggregates.inventory.stock import Stock
from aggregates.kernel import Money, OrderId, Rejected
from aggregates.orders import order, refund, refund_booking
from aggregates.orders.order import Order, Refund
from aggregates.orders.refundable import CARD
from aggregates.payments import gateway, payment, process
from aggregates.payments.events import (
    GatewayNewsParked,
    PaymentEvent,
    PaymentRefunded,
    ProcessEvent,
    StepBegun,
)
from aggregates.payments.gateway import GatewayPayment
from aggregates.payments.observation import observe
from aggregates.payments.payment import Payment
from aggregates.payments.process import Process
from aggregates.payments.standing import RefundStanding, Standing, join
from aggregates.payments.steps import begin_capture, begin_look, begin_void, give_up_holds, is_done, undo
from aggregates.settlement import due, in_parts, owe, refund_of, refunds_under_way
from commands.handlers.cancellation import cancel
from commands.handlers.credit_notes import book, note_for
from commands.loop.decision import AwaitedStep, Decision
from commands.loop.state_cache import StateCache

BY_GATEWAY = "gateway"
"""Why a credit note was issued for a refund that nobody asked us for."""


class Account:
    """What an order's money hangs on. Decisions follow each other here: each is seen by the next."""

    def __init__(self, cache: StateCache, order_id: OrderId, decision: Decision | None = None) -> None:
        self.cache = cache
        self.order_id = order_id
        self.order_stream = order.stream(order_id)
        self._payment_stream, self.process_stream = payment.stream(order_id), process.stream(order_id)
        self._states = cache.states((self.order_stream, self._payment_stream, self.process_stream))
        self.decision = decision or Decision(id=order_id, stream=self.order_stream)
        self.answered: StepBegun | None = None  # the step whose answer is being booked

    @property
    def order(self) -> Order:
        """As it stands now."""
        sold: Order = self._states[self.order_stream]
        return self.decision.after(self.order_stream, sold)

    @property
    def payment(self) -> Payment:
        """As it stands now."""
        paid: Payment = self._states[self._payment_stream]
        return self.decision.after(self._payment_stream, paid)

    @property
    def steps(self) -> Process:
        """As they stand now."""
        steps: Process = self._states[self.process_stream]
        return self.decision.after(self.process_stream, steps)

    def paid(self, events: Iterable[PaymentEvent]) -> None:
        """Adds what was decided on the payment."""
        self.decision.add(self._payment_stream, events)

    def stepped(self, events: Iterable[ProcessEvent]) -> bool:
        """Adds what was decided on the process; whether that was anything."""
        decided = tuple(events)
        self.decision.add(self.process_stream, decided)
        for event in decided:
            if isinstance(event, StepBegun) and event.call != "look":
                self.decision.awaited = AwaitedStep(self.process_stream, event.step)
        return bool(decided)

    def with_(self, standing: Standing) -> Standing:
        """What is known of the gateway's payment together with `standing`."""
        known = self.payment.standings.get(standing.reference)
        return standing if known is None or known.currency != standing.currency else join(known, standing)

    def join(self, standing: Standing, *, on: date, also: str | None = None) -> None:
        """Adds what `standing` tells beyond what is known, and all that follows; `on` dates credit notes.

        `also` is another name that the gateway has for something of the payment.
        """
        if standing.reference not in self.payment.standings:
            self.cache.expect_new(gateway.payment_stream(standing.reference))
        self._observe(standing, on)
        if standing.currency == self.currency:
            for reference in dict.fromkeys((standing.reference, also or standing.reference)):
                self._link(reference, on)
        self.settle(on=on)

    @property
    def currency(self) -> str:
        """The order's."""
        return "" if self.order.placed is None else self.order.placed.currency

    def look(self, reference: str) -> None:
        """Asks the gateway for all that it knows of a payment."""
        self.stepped(
            begin_look(self.steps, order_id=self.order_id, reference=reference, currency=self.currency)
        )

    def settle(self, *, on: date, time_over: bool = False) -> None:
        """Does what the states call for; nothing twice, as each step shows in them."""
        placed = self.order.placed
        if placed is None or self.payment.amount is None:
            return
        if not self.order.confirmed and not self.order.canceled:
            self._decide_placed(placed.card, time_over=time_over)
        if self.order.canceled:
            self.stepped(undo(self.steps, self.payment, order_id=self.order_id))
        elif self.order.confirmed:
            self._book_foreign_refunds(on)
            self._give_up_lapsed()
            self.capture()
        self.stepped(owe(self.order, self.payment, self.steps, order_id=self.order_id))

    def capture(self) -> None:
        """Takes what is due by now and was not written off; lets go of a hold of which nothing is to come."""
        sold = self.order
        if sold.canceled:
            return
        written_off = self.steps.written_off_to_shop
        wanted = due(sold, self.payment, self.steps) - written_off
        all_sent = not any(line.unsent for line in sold.lines.values())
        self.stepped(
            begin_capture(self.steps, self.payment, order_id=self.order_id, due=wanted, all_sent=all_sent)
        )
        over = written_off > 0 or in_parts(sold, self.payment)
        if over and all_sent and self.payment.captured >= wanted:
            self.stepped(give_up_holds(self.steps, self.payment, order_id=self.order_id))

    def give_up(self, cause: ReleaseCause) -> None:
        """Cancels the order and puts its units back on sale."""
        cancel(self.cache, self.decision, order_id=self.order_id, cause=cause)

    def shelves(self) -> dict[str, Stock]:
        """The stocks of what was ordered, by SKU."""
        placed = order.placed_order(self.order, self.order_id)
        skus = dict.fromkeys(line.sku for line in placed.lines)
        states = self.cache.states(stock.stream(sku) for sku in skus)
        return {sku: states[stock.stream(sku)] for sku in skus}

    def _decide_placed(self, asked: Money, *, time_over: bool) -> None:
        paid = self.payment
        if paid.promised >= asked.amount:
            self._confirm()
            return
        failed = next((one.failed for one in paid.standings.values() if one.failed is not None), None)
        for known in paid.open:
            # A client secret is out: the shopper may be paying with another card at this moment.
            if known.acting and (time_over or known.failed is not None):
                self.stepped(
                    begin_void(
                        self.steps, known, order_id=self.order_id, amount=asked, unless_authorized=True
                    )
                )
        if self.steps.is_open("authorize") or any(one.failed is None or one.acting for one in paid.open):
            return
        if failed is not None:
            if not paid.promised:  # A hold of less is given up.
                self.paid(payment.decline(paid, order_id=self.order_id, code=failed))
            self.give_up("declined")
        elif paid.standings:
            lapsed = any(one.closed == "lapsed" and one.most for one in paid.standings.values())
            self.give_up("lapsed" if lapsed else "expired")

    def _confirm(self) -> None:
        self.decision.add(self.order_stream, order.confirm(self.order, order_id=self.order_id))
        for sku, shelf in self.shelves().items():
            self.decision.add(stock.stream(sku), stock.confirm(shelf, sku=sku, order_id=self.order_id))

    def _give_up_lapsed(self) -> None:
        """Of a confirmed order all holds are gone, nothing was taken, nothing was sent."""
        sold, paid = self.order, self.payment
        if paid.open or paid.captured or sold.units_fulfilled or self.steps.is_open("authorize"):
            return
        lapsed = any(one.closed == "lapsed" for one in paid.standings.values())
        self.give_up("lapsed" if lapsed else "canceled")

    def _observe(self, standing: Standing, on: date) -> None:
        for event in observe(self.payment, standing, order_id=self.order_id):
            if isinstance(event, PaymentRefunded) and (begun := self._step_of(event.step)) is not None:
                self._refunded(event, begun, on)
            else:
                self.paid((event,))

    def _refunded(self, event: PaymentRefunded, begun: StepBegun, on: date) -> None:
        """Books what a step of ours gave back."""
        if begun.refund is None:
            self.paid((replace(event, credit_note_id=None),))
            return
        planned = refund_of(begun.amount, begun.refund)
        booked = refund_booking.still_bookable(self.order, planned)
        if booked == planned:
            note = note_for(self.order, planned, begun.refund.credit_note_id)
            is_all = event.amount == begun.amount  # else the rest is owed to the customer
            self.paid((replace(event, credit_note_id=note if is_all else None),))
            self._book(planned, note, on)
            return
        # Somebody gave back at the gateway what it was planned on: no credit note is over all of it.
        self.paid((replace(event, credit_note_id=None),))
        if booked.amount.amount and not self.order.canceled:
            self._book(booked, begun.refund.credit_note_id, on, reason=BY_GATEWAY)

    def _book(self, planned: Refund, note: str | None, on: date, reason: str | None = None) -> None:
        book(
            self.cache,
            self.decision,
            order_id=self.order_id,
            credit_note_id=note,
            planned=planned,
            issued_on=on,
            reason=reason,
        )

    def _step_of(self, key: str | None) -> StepBegun | None:
        """Our step under this key, while it is open, stuck or just answered."""
        stream, _, number = (key or "").rpartition("/")
        if stream != self.process_stream or not number.isdecimal():
            return None
        steps, step = self.steps, int(number)
        if self.answered is not None and self.answered.step == step:
            return self.answered
        return steps.open_steps.get(step) or steps.stuck.get(step)

    def _book_foreign_refunds(self, on: date) -> None:
        """Refunds that were made at the gateway itself get credit notes, named as the gateway names them."""
        for known in self.payment.standings.values():
            if not known.captured:
                continue
            for made in known.refunds:
                if made.step is None and made.credit_note_id is None and made.reference.isascii():
                    self._book_foreign(made, known.currency, on)

    def _book_foreign(self, made: RefundStanding, currency: str, on: date) -> None:
        sold = self.order
        if made.reference in sold.refunds or sold.canceled or sold.placed is None:
            return
        amount = Money(made.amount, currency)
        # What is under way for a line is not to be taken by a share of this.
        under_way = () if sold.placed.explanation is None else refunds_under_way(self.steps)
        try:
            planned = refund.plan_refund(
                sold,
                order_id=self.order_id,
                amount=amount,
                to={CARD: amount},
                under_way=under_way,
            )
        except Rejected:
            self._book_amount(amount, made.reference, on)
        else:
            self._book(planned, note_for(sold, planned, made.reference), on, reason=BY_GATEWAY)

    def _book_amount(self, amount: Money, note: str, on: date) -> None:
        """Books as much of it as the order has left, borne by no line."""
        sold = self.order
        remaining = order.placed_order(sold, self.order_id).card
        remaining -= Money(sold.refunded_card_amount, remaining.currency)
        if sold.canceled or remaining.amount <= 0:
            return
        self._book(refund.share_amount(sold, min(amount, remaining)), note, on, reason=BY_GATEWAY)

    def _drain(self, parked: GatewayNewsParked, on: date) -> None:
        """Takes in what was told before anybody knew the order."""
        if parked.standing is not None:
            self._observe(parked.standing, on)
        if parked.concern is not None:
            self.stepped(process.raise_concern(self.steps, order_id=self.order_id, concern=parked.concern))
        self.look(parked.gateway_reference)

    def _link(self, reference: str, on: date) -> None:
        stream = gateway.payment_stream(reference)
        known: GatewayPayment = self.cache.state(stream)
        if known.order_id is not None:
            return
        self.decision.add(stream, gateway.link(known, gateway_reference=reference, order_id=self.order_id))
        for parked in known.parked:
            self._drain(parked, on)


def settle(cache: StateCache, decision: Decision, order_id: OrderId, *, on: date) -> None:
    """Adds to `decision` what the order's money calls for after it."""
    Account(cache, order_id, decision).settle(on=on)


def concluded(begun: StepBegun, key: str, known: Standing) -> str:
    """The outcome, in a word, of a step that the gateway answered; REFUSED where it was not done."""
    match begun.call:
        case "look":
            return "looked"
        case "authorize":
            return _authorized(known)
        case "void" | "capture" if not is_done(begun, key, known):
            return process.REFUSED
        case "void":
            return "voided" if known.closed else "kept"
        case "capture":
            return "captured"
        case "refund":
            failed = any(refund.step == key and not refund.alive for refund in known.refunds)
            return process.REFUSED if failed else "refunded"


def _authorized(known: Standing) -> str:
    if known.most:
        return "authorized"
    if known.failed is not None:
        return "declined"
    return "action_required" if known.acting else "pending"
