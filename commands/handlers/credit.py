"""Commands on accounts of credit, and what an order takes of them and gives back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar

from aggregates.cart.cart import Cart
from aggregates.credit import account
from aggregates.credit.account import Account, CreditInsufficient, CreditUnknown
from aggregates.credit.events import AccountOpened, CreditEvent
from aggregates.kernel import LineId, Money, OrderId, Reason, Rejected, WrongCurrency
from aggregates.orders.events import (
    OrderPlaced,
    RefundedLine,
    SentGiftCard,
    Tender,
    amount_of_withdrawn,
)
from aggregates.orders.order import Line, Order, Refund, refunded_beyond_goods
from aggregates.orders.refundable import beside_lines
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueGiftCard:
    """Make a gift card of this worth; its account's id follows from its code."""

    name: ClassVar = "issue_gift_card"
    account_id: str
    amount: Money
    expires_on: date | None
    today: date  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantCredit:
    """Give a customer store credit: on the account of theirs in the amount's currency."""

    name: ClassVar = "grant_credit"
    personal: ClassVar = ("reason",)
    account_id: str
    customer_id: str
    amount: Money
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockAccount:
    """Let an account pay for nothing any more."""

    name: ClassVar = "block_account"
    account_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireAccount:
    """Take an account's balance off, where its last day is over."""

    name: ClassVar = "expire_account"
    account_id: str
    today: date  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckBalance:
    """Say what a gift card can still pay."""

    name: ClassVar = "check_balance"
    account_id: str
    today: date  # UTC


@dataclass(frozen=True, slots=True)
class NamedCredit:
    """An account that a shopper names to pay with: by a gift card's code, or by the id of their store credit.

    `amount` None: as much as there is and is needed.
    """

    account_id: str
    by_code: bool
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class LastDayOver(Reason):
    """The last day is over already"""

    about: ClassVar = "expires_on"
    expires_on: date


@dataclass(frozen=True, slots=True)
class CreditNamedTwice(Reason):
    """A gift card or store credit is named twice"""

    about: ClassVar = "credits"
    account_id: str


@dataclass(frozen=True, slots=True)
class GiftCardSpent(Reason):
    """Less is left of the order's gift cards than would go back for them"""

    line_id: LineId
    asked: Money
    available: Money


def handle_issue_gift_card(cache: StateCache, command: IssueGiftCard) -> Decision:
    """Opens the card's account with its worth, once."""
    if command.expires_on is not None and command.expires_on < command.today:
        raise Rejected(LastDayOver(command.expires_on))
    stream = account.stream(command.account_id)
    cache.expect_new(stream)
    state: Account = cache.state(stream)
    opened = AccountOpened(
        account_id=command.account_id,
        kind="gift_card",
        currency=command.amount.currency,
        expires_on=command.expires_on,
    )
    decision = Decision(id=command.account_id, stream=stream, created=True)
    decision.add(stream, account.open_account(state, opened))
    if decision.events:
        held = decision.after(stream, state)
        decision.add(stream, account.credit(held, amount=command.amount, cause="issued"))
    return decision


def handle_grant_credit(cache: StateCache, command: GrantCredit) -> Decision:
    """Credits the customer's account, which is opened by the first credit."""
    stream = account.stream(command.account_id)
    state: Account = cache.state(stream)
    opened = AccountOpened(
        account_id=command.account_id,
        kind="store_credit",
        currency=command.amount.currency,
        customer_id=command.customer_id,
    )
    decision = Decision(id=command.account_id, stream=stream)
    decision.add(stream, account.open_account(state, opened))
    decision.created = bool(decision.events)
    held = decision.after(stream, state)
    decision.add(stream, account.credit(held, amount=command.amount, cause="granted", reason=command.reason))
    return decision


def handle_block_account(cache: StateCache, command: BlockAccount) -> Decision:
    """Blocks it, for good."""
    stream = account.stream(command.account_id)
    decision = Decision(id=command.account_id, stream=stream)
    decision.add(stream, account.block(cache.state(stream), reason=command.reason))
    return decision


def handle_expire_account(cache: StateCache, command: ExpireAccount) -> Decision:
    """Expires it, once."""
    stream = account.stream(command.account_id)
    decision = Decision(id=command.account_id, stream=stream)
    decision.add(stream, account.expire(cache.state(stream), on=command.today))
    return decision


def handle_check_balance(cache: StateCache, command: CheckBalance) -> Decision:
    """The balance and the last day, as the answer's facts."""
    stream = account.stream(command.account_id)
    state: Account = cache.state(stream)
    left = account.available(state, on=command.today)
    assert state.opened is not None  # else it is unknown
    expires_on = state.opened.expires_on
    return Decision(
        id=command.account_id,
        stream=stream,
        facts={
            "balance": {"amount": left, "currency": state.opened.currency},
            "expires_on": None if expires_on is None else expires_on.isoformat(),
        },
    )


def choose_credit(
    cache: StateCache,
    named: Sequence[NamedCredit],
    held: Cart,
    *,
    payable: int,
    on: date,
) -> tuple[Tender, ...]:
    """What each account pays, in the order given, of the part of the total that credit may pay (`payable`, in
    minor units). Refuses accounts that are not the shopper's to use, or have less than was asked of them."""
    states = cache.states(account.stream(one.account_id) for one in named)
    tenders: dict[str, Tender] = {}
    for one in named:
        if one.account_id in tenders:
            raise Rejected(CreditNamedTwice(one.account_id))
        state: Account = states[account.stream(one.account_id)]
        opened = state.opened
        if opened is None or one.by_code != (opened.kind == "gift_card"):
            raise Rejected(CreditUnknown())
        if opened.customer_id is not None and opened.customer_id != held.customer_id:
            raise Rejected(CreditUnknown())
        left = account.available(state, on=on)
        for currency in (opened.currency, *(() if one.amount is None else (one.amount.currency,))):
            if currency != held.currency:
                raise Rejected(WrongCurrency(asked=currency, expected=held.currency))
        if one.amount is not None and one.amount.amount > left:
            available = Money(left, held.currency)
            raise Rejected(CreditInsufficient(one.account_id, one.amount, available))
        amount = min(payable, left if one.amount is None else one.amount.amount)
        payable -= amount
        tenders[one.account_id] = Tender(
            kind=opened.kind, amount=Money(amount, held.currency), account_id=one.account_id
        )
    return tuple(tender for tender in tenders.values() if tender.amount.amount)


def redeem(cache: StateCache, decision: Decision, placed: OrderPlaced) -> None:
    """Takes the order's parts off the accounts that pay them."""
    for tender in placed.tenders:
        if tender.account_id is not None:
            stream = account.stream(tender.account_id)
            decision.add(
                stream,
                account.redeem(
                    cache.state(stream),
                    order_id=placed.order_id,
                    amount=tender.amount,
                    on=placed.placed_on,
                ),
            )


def open_sold(
    cache: StateCache, decision: Decision, order_id: OrderId, cards: Sequence[tuple[SentGiftCard, Money]]
) -> list[dict[str, object]]:
    """Opens the gift cards that were sent, each with its worth. Gives what the answer is to say of them;
    their codes are not in it."""
    streams = [account.stream(card.account_id) for card, _ in cards]
    cache.expect_new(*streams)
    states = cache.states(streams)
    for (card, worth), stream in zip(cards, streams, strict=True):
        opened = AccountOpened(account_id=card.account_id, kind="gift_card", currency=worth.currency)
        decision.add(stream, account.open_account(states[stream], opened))
        held = decision.after(stream, states[stream])
        decision.add(stream, account.credit(held, amount=worth, cause="sold", order_id=order_id))
    return [{"line_id": card.line_id, "unit": card.unit, "account_id": card.account_id} for card, _ in cards]


def debit_refunded_before(
    cache: StateCache, decision: Decision, sold: Order, order_id: OrderId, cards: Sequence[SentGiftCard]
) -> None:
    """What went back for gift cards before they were sent, and could be taken off none that was, is taken off
    those that are sent now. `sold`: the order before that."""
    sellers = [line for line in sold.lines.values() if line.ordered.gift_card]
    if not sold.refunded_for_cards or not all(_knows_cards(line) for line in sellers):
        return
    before = cache.states(account.stream(one) for line in sellers for one in line.gift_cards)
    new = [account.stream(card.account_id) for card in cards]
    opened = cache.states(new)
    for note, amount in sold.refunded_for_cards.items():
        left = amount - sum(one.debited.get(note, 0) for one in before.values())
        for stream in new:
            held: Account = decision.after(stream, opened[stream])
            part = min(left, held.balance)
            if part > 0:
                left -= part
                decision.add(stream, _debit(held, order_id, note, part))


def _knows_cards(line: Line) -> bool:
    """Whether the order knows the accounts of all cards of the line that were sent: of those of before, it
    does not."""
    return len(line.gift_cards) == line.fulfilled


def require_unspent(cache: StateCache, sold: Order, planned: Refund) -> None:
    """Refuses a refund of gift cards that have less left than would go back for them."""
    for part, accounts in _refunded_cards(cache, sold, planned):
        available = sum(one.balance for one in accounts.values())
        if part.amount.amount > available:
            currency = part.amount.currency
            raise Rejected(GiftCardSpent(part.line_id, part.amount, Money(available, currency)))


def debit(
    cache: StateCache,
    decision: Decision,
    sold: Order,
    planned: Refund,
    *,
    order_id: OrderId,
    credit_note_id: str,
) -> None:
    """Takes what goes back for gift cards off them, as far as there is: those first that have most left.
    Once per credit note."""
    for part, accounts in _refunded_cards(cache, sold, planned):
        if any(credit_note_id in one.debited for one in accounts.values()):
            continue
        left = part.amount.amount
        for account_id, held in sorted(accounts.items(), key=lambda one: -one[1].balance):
            amount = min(left, held.balance)
            left -= amount
            if amount:
                stream = account.stream(account_id)
                decision.add(stream, _debit(decision.after(stream, held), order_id, credit_note_id, amount))


def _debit(held: Account, order_id: OrderId, credit_note_id: str, amount: int) -> tuple[CreditEvent, ...]:
    assert held.opened is not None  # A card that was sent has an account.
    money = Money(amount, held.opened.currency)
    return account.debit(held, order_id=order_id, credit_note_id=credit_note_id, amount=money)


def release_debit(
    cache: StateCache, decision: Decision, sold: Order, *, order_id: OrderId, credit_note_id: str
) -> None:
    """The refund was given up: what was taken off gift cards for it comes back."""
    cards = [account_id for line in sold.lines.values() for account_id in line.gift_cards]
    states = cache.states(account.stream(account_id) for account_id in cards)
    for account_id in cards:
        stream = account.stream(account_id)
        decision.add(
            stream,
            account.release_debit(
                decision.after(stream, states[stream]),
                order_id=order_id,
                credit_note_id=credit_note_id,
            ),
        )


def _refunded_cards(
    cache: StateCache, sold: Order, planned: Refund
) -> Iterator[tuple[RefundedLine, dict[str, Account]]]:
    """The parts of a refund that are for gift cards, but for units that were not sent; and the accounts of
    those that were."""
    sellers = {
        line_id: line for line_id, line in sold.lines.items() if line.ordered.gift_card and _knows_cards(line)
    }
    parts = [
        (replace(part, amount=part.amount - _of_unsent(part)), sellers[part.line_id].gift_cards)
        for part in planned.lines
        if part.line_id in sellers
    ]
    if sellers and (amount := _for_cards_beside_lines(sold, planned)):
        money = Money(amount, planned.amount.currency)
        beside = RefundedLine(line_id=next(iter(sellers)), quantity=0, amount=money)
        parts.append((beside, [account_id for line in sellers.values() for account_id in line.gift_cards]))
    for part, cards in parts:
        if part.amount.amount:
            states = cache.states(account.stream(account_id) for account_id in cards)
            yield part, {account_id: states[account.stream(account_id)] for account_id in cards}


def _of_unsent(part: RefundedLine) -> Money:
    return Money(amount_of_withdrawn(part, part.withdrawn or 0), part.amount.currency)


def _for_cards_beside_lines(sold: Order, planned: Refund) -> int:
    """What of a refund that no line bears is more than was paid for all but gift cards, in minor units."""
    placed = sold.placed
    assert placed is not None
    beside = beside_lines(planned)
    if placed.explanation is not None or not beside:
        return 0
    beyond = refunded_beyond_goods(sold) + beside
    beyond += sum(
        part.amount.amount for part in planned.lines if not sold.lines[part.line_id].ordered.gift_card
    )
    return min(beside, max(0, beyond))


def release(cache: StateCache, decision: Decision, placed: OrderPlaced) -> None:
    """Gives back what the order still bears of each account."""
    accounts = [one.account_id for one in placed.tenders if one.account_id is not None]
    states = cache.states(account.stream(account_id) for account_id in accounts)
    for account_id in accounts:
        stream = account.stream(account_id)
        held: Account = decision.after(stream, states[stream])
        decision.add(stream, account.release(held, order_id=placed.order_id))


HANDLERS: Handlers = {
    IssueGiftCard: handle_issue_gift_card,
    GrantCredit: handle_grant_credit,
    BlockAccount: handle_block_account,
    ExpireAccount: handle_expire_account,
    CheckBalance: handle_check_balance,
}
