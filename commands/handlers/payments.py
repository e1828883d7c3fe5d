"""What follows from a gateway's answer, its news, and from none in time: one command over all it concerns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar, Literal

from aggregates.kernel import Money, OrderId, Rejected
from aggregates.orders import refund_booking
from aggregates.orders.order import UnknownOrder
from aggregates.payments import gateway, payment, process
from aggregates.payments.events import Concern, StepBegun
from aggregates.payments.gateway import GatewayNews, GatewayPayment, NewsReceipt
from aggregates.payments.payment import Payment
from aggregates.payments.standing import Standing
from aggregates.payments.steps import begin_authorize, begin_refund, give_up_holds, most_refundable
from aggregates.settlement import refund_of
from commands.handlers.credit import release_debit
from commands.handlers.settlement import Account, concluded
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache

EXPIRY_GRACE = timedelta(minutes=5)
"""How much longer units are kept for a payment that the gateway has yet to tell the end of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordGatewayOutcome:
    """Write down what the gateway answered to a step, and all that follows from it."""

    name: ClassVar = "record_gateway_outcome"
    order_id: OrderId
    step: int
    outcome: Literal["done", "refused", "lost"]
    answered_on: date  # UTC
    standing: Standing | None = None  # done; where a refusal is known to be final, None
    code: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordGatewayNews:
    """Write down what the gateway sent, once for ever, and all that follows from it."""

    name: ClassVar = "record_gateway_news"
    event_id: str
    kind: str
    created: datetime  # UTC
    received_on: date  # UTC
    reference: str | None = None
    standing: Standing | None = None
    look: bool = False
    concern: Concern | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinStanding:
    """Take in what is known of a payment of the gateway's from elsewhere: a look, a report."""

    name: ClassVar = "join_standing"
    standing: Standing
    on: date  # UTC
    looked_at: str | None = None  # under which name: the payment's charge, refund or dispute; None: its own


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseForeign:
    """A payment of the gateway's is none of ours: nothing that is told of it is kept any longer."""

    name: ClassVar = "close_foreign"
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordNewsFetched:
    """Write down up to when the gateway's news were asked for; `first`: where they never were."""

    name: ClassVar = "record_news_fetched"
    gateway: str
    up_to: datetime  # UTC
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireOrder:
    """Give up an order whose payment was not decided in time; `now` is UTC."""

    name: ClassVar = "expire_order"
    order_id: OrderId
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPayment:
    """Try anew what is stuck, and to settle what is owed; `method` pays in a second attempt."""

    name: ClassVar = "retry_payment"
    order_id: OrderId
    on: date  # UTC
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOffPayment:
    """Give up what is owed either way, and take the order off the operator's list."""

    name: ClassVar = "write_off_payment"
    personal: ClassVar = ("reason",)
    order_id: OrderId
    on: date  # UTC
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseConcern:
    """Put an order's payment on the operator's list."""

    name: ClassVar = "raise_concern"
    order_id: OrderId
    concern: Concern
    on: date  # UTC


def handle_record_gateway_outcome(cache: StateCache, command: RecordGatewayOutcome) -> Decision:
    """Ends the step and books its outcome; the same outcome twice decides nothing the second time."""
    account = Account(cache, command.order_id)
    begun = account.steps.open_steps.get(command.step)
    word: str = command.outcome
    if begun is not None and command.standing is not None:
        word = concluded(begun, f"{account.process_stream}/{command.step}", account.with_(command.standing))
        account.answered = begun
    account.stepped(
        process.end_step(
            account.steps,
            order_id=command.order_id,
            step=command.step,
            outcome=word,
            code=command.code,
            request_id=command.request_id,
        )
    )
    if begun is None:
        return account.decision
    if command.standing is not None:
        account.join(command.standing, on=command.answered_on)
    if word == process.REFUSED:
        _refused(account, begun, command.code or "refused")
    if command.standing is None or word == process.REFUSED:
        account.settle(on=command.answered_on)
    return account.decision


def _refused(account: Account, begun: StepBegun, code: str) -> None:
    """A bank that cannot even be asked has declined; else a look tells what the gateway holds instead."""
    if begun.gateway_reference is not None:
        if begun.call != "look":
            account.look(begun.gateway_reference)
    elif not account.payment.standings and not account.order.confirmed:
        account.paid(payment.decline(account.payment, order_id=account.order_id, code=code))
        if not account.order.canceled:
            account.give_up("declined")


def handle_record_gateway_news(cache: StateCache, command: RecordGatewayNews) -> Decision:
    """Joins the news into the order's payment; what nobody knows the order of waits for who does."""
    event_stream = gateway.event_stream(command.event_id)
    cache.expect_new(event_stream)
    seen: NewsReceipt = cache.state(event_stream)
    decision = Decision(id=command.event_id, stream=event_stream)
    if seen.received:
        return decision
    order_id = None if command.reference is None else _order_of(cache, command.reference, command.standing)
    decision.add(
        event_stream,
        gateway.receive(
            seen,
            event_id=command.event_id,
            kind=command.kind,
            created=command.created,
            gateway_reference=command.reference,
            order_id=order_id,
        ),
    )
    if command.reference is None:
        return decision
    if order_id is None:
        known: GatewayPayment = cache.state(gateway.payment_stream(command.reference))
        decision.add(
            gateway.payment_stream(command.reference),
            gateway.park(
                known,
                gateway_reference=command.reference,
                standing=command.standing,
                concern=command.concern,
            ),
        )
        return decision
    account = Account(cache, order_id, decision)
    if command.concern is not None:
        account.stepped(process.raise_concern(account.steps, order_id=order_id, concern=command.concern))
    if command.look:
        account.look(command.reference)
    if command.standing is not None:
        account.join(command.standing, on=command.received_on)
    else:
        account.settle(on=command.received_on)
    decision.awaited = None  # Nobody waits: the gateway wants its answer at once.
    return decision


def handle_join_standing(cache: StateCache, command: JoinStanding) -> Decision:
    """As news without an id; a payment that turns out to be none of ours is closed as foreign."""
    standing = command.standing
    looked_at = command.looked_at or standing.reference
    order_id = _order_of(cache, standing.reference, standing)
    account = None if order_id is None else Account(cache, order_id)
    if account is None or account.currency != standing.currency:
        return handle_close_foreign(cache, CloseForeign(reference=looked_at))
    account.join(standing, on=command.on, also=looked_at)
    account.decision.awaited = None
    return account.decision


def handle_close_foreign(cache: StateCache, command: CloseForeign) -> Decision:
    """Not where its order is known."""
    stream = gateway.payment_stream(command.reference)
    known: GatewayPayment = cache.state(stream)
    decision = Decision(id=command.reference, stream=stream)
    decision.add(stream, gateway.close_foreign(known, gateway_reference=command.reference))
    return decision


def handle_record_news_fetched(cache: StateCache, command: RecordNewsFetched) -> Decision:
    """Once for each moment."""
    stream = gateway.news_stream(command.gateway)
    state: GatewayNews = cache.state(stream)
    decision = Decision(id=command.gateway, stream=stream)
    if command.first and state.up_to is not None:
        return decision
    decision.add(stream, gateway.fetch(state, gateway=command.gateway, up_to=command.up_to))
    return decision


def handle_expire_order(cache: StateCache, command: ExpireOrder) -> Decision:
    """Cancels and releases, if the payment is still undecided and the units were kept long enough.

    Where a shopper may still be paying, the gateway is asked to give the payment up first, and its answer
    decides; but not for longer than EXPIRY_GRACE.
    """
    account = Account(cache, command.order_id)
    if account.order.status != "placed":
        return account.decision
    held = [
        shelf.reservations[command.order_id].expires_at
        for shelf in account.shelves().values()
        if command.order_id in shelf.reservations
    ]
    if any(expires_at > command.now for expires_at in held):
        return account.decision
    account.settle(on=command.now.date(), time_over=True)
    waits = account.payment.open and command.now < max(held, default=command.now) + EXPIRY_GRACE
    if account.order.status == "placed" and not waits:
        account.give_up("expired")
        account.settle(on=command.now.date())
    return account.decision


def handle_retry_payment(cache: StateCache, command: RetryPayment) -> Decision:
    """Begins anew what is stuck; asks for what is owed, or gives it back.

    With another means of payment, a hold that could not be captured is given up for a new one.
    """
    account = Account(cache, command.order_id)
    placed = account.order.placed
    if placed is None:
        raise Rejected(UnknownOrder(command.order_id))
    owed, stuck = account.steps.owed, list(account.steps.stuck.values())
    if not account.stepped(process.retry(account.steps, order_id=command.order_id)):
        return account.decision
    for begun in stuck:
        _begin_anew(account, begun)
    if command.method is not None and owed is not None and owed.to_shop.amount:
        account.stepped(give_up_holds(account.steps, account.payment, order_id=command.order_id))
        account.stepped(
            begin_authorize(
                account.steps, order_id=command.order_id, method=command.method, amount=owed.to_shop
            )
        )
    account.settle(on=command.on)
    if owed is None or account.steps.open_steps:
        return account.decision
    if owed.to_customer.amount:
        _, refundable = most_refundable(account.steps, account.payment)
        account.stepped(
            begin_refund(
                account.steps,
                account.payment,
                order_id=command.order_id,
                amount=min(owed.to_customer, Money(refundable, owed.to_customer.currency)),
                request=None,
            )
        )
    elif owed.to_shop.amount:
        account.stepped(
            begin_authorize(
                account.steps,
                order_id=command.order_id,
                method=command.method or account.payment.method,
                amount=owed.to_shop,
            )
        )
    return account.decision


def _begin_anew(account: Account, begun: StepBegun) -> None:
    """What no rule would begin again: a look, and a refund that somebody asked for."""
    if begun.call == "look" and begun.gateway_reference is not None:
        account.look(begun.gateway_reference)
    elif begun.refund is not None and begun.refund.credit_note_id not in account.order.refunds:
        if account.order.canceled:  # All that is left goes back.
            return
        refund_booking.book_refund(  # Refused where the same was refunded meanwhile.
            account.order,
            order_id=account.order_id,
            credit_note_id=begun.refund.credit_note_id,
            refund=refund_of(begun.amount, begun.refund),
        )
        account.stepped(
            begin_refund(
                account.steps,
                account.payment,
                order_id=account.order_id,
                amount=begun.amount,
                request=begun.refund,
                reason=begun.reason,
            )
        )


def handle_write_off_payment(cache: StateCache, command: WriteOffPayment) -> Decision:
    """Nothing is owed, stuck or to be looked at any more; a hold for what was given up is given up too."""
    account = Account(cache, command.order_id)
    if account.order.placed is None:
        raise Rejected(UnknownOrder(command.order_id))
    given_up = [begun.refund for begun in account.steps.stuck.values() if begun.refund is not None]
    account.stepped(process.write_off(account.steps, order_id=command.order_id, reason=command.reason))
    for request in given_up:
        if request.credit_note_id not in account.order.refunds:
            release_debit(
                cache,
                account.decision,
                account.order,
                order_id=command.order_id,
                credit_note_id=request.credit_note_id,
            )
    account.settle(on=command.on)
    return account.decision


def handle_raise_concern(cache: StateCache, command: RaiseConcern) -> Decision:
    """Of an order that is not ours nothing."""
    account = Account(cache, command.order_id)
    if account.order.placed is None:
        return account.decision
    account.stepped(process.raise_concern(account.steps, order_id=command.order_id, concern=command.concern))
    account.settle(on=command.on)
    return account.decision


def _order_of(cache: StateCache, reference: str, standing: Standing | None) -> OrderId | None:
    """The order that a payment of the gateway's is for: as we know, or as it says where we asked for it."""
    known: GatewayPayment = cache.state(gateway.payment_stream(reference))
    if known.order_id is not None:
        return known.order_id
    told = None if standing is None else standing.order_id
    if told is None or not is_id(told):
        return None
    asked: Payment = cache.state(payment.stream(told))
    return told if asked.amount is not None else None


def is_id(text: str) -> bool:
    """Whether it can be the id of an order at all: anybody may write anything into a gateway's metadata."""
    return 0 < len(text) <= 64 and text.isascii() and text.isalnum()


HANDLERS: Handlers = {
    RecordGatewayOutcome: handle_record_gateway_outcome,
    RecordGatewayNews: handle_record_gateway_news,
    JoinStanding: handle_join_standing,
    CloseForeign: handle_close_foreign,
    RecordNewsFetched: handle_record_news_fetched,
    ExpireOrder: handle_expire_order,
    RetryPayment: handle_retry_payment,
    WriteOffPayment: handle_write_off_payment,
    RaiseConcern: handle_raise_concern,
}
