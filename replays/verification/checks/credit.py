"""Credit: no balance is ever below zero; what an order says that credit pays is what its command took of the
accounts; what comes back is what the order still bore; what is taken off a gift card, its seller takes."""

from __future__ import annotations

from collections import Counter

from aggregates.credit.events import (
    AccountBlocked,
    AccountExpired,
    AccountOpened,
    Credited,
    CreditEvent,
    Debited,
    DebitReleased,
    Redeemed,
    RedemptionReleased,
)
from aggregates.kernel import OrderId
from aggregates.orders.events import OrderCanceled, OrderPlaced, OrderRefunded
from event_store.records import RecordedEvent
from replays.verification.findings import Report, at

ADDING = (Credited, RedemptionReleased, DebitReleased)
"""What adds to a balance; the others take from it."""
Part = tuple[str, str, int]
"""An account, a currency, an amount in minor units."""


class CreditCheck:
    """Accounts' balances at each position; what one command takes and gives back, against its orders."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._opened: dict[str, AccountOpened] = {}
        self._balances: Counter[str] = Counter()
        self._expired: set[str] = set()
        self._sold: dict[str, tuple[OrderId, int]] = {}  # gift cards, by account
        self._debited: dict[str, Counter[str]] = {}  # by account and credit note
        self._borne: dict[OrderId, Counter[str]] = {}  # by order and account, refunds and releases taken off
        self._first: RecordedEvent | None = None  # of the command under way, as all below
        self._placed: dict[OrderId, Counter[Part]] = {}
        self._redeemed: dict[OrderId, Counter[Part]] = {}
        self._refunded: Counter[tuple[str, str, int]] = Counter()  # by credit note, account, amount
        self._credited: Counter[tuple[str, str, int]] = Counter()
        self._canceled: set[OrderId] = set()
        self._released: set[OrderId] = set()

    def begin(self, first: RecordedEvent) -> None:
        """Compares what the command before wrote; `first` is the next one's first event."""
        self.end()
        self._first = first

    def end(self) -> None:
        """Compares what the command took and gave back with its orders, and forgets it."""
        if self._refunded != self._credited:
            for note, account_id, amount in {**self._refunded, **self._credited}:
                part = (note, account_id, amount)
                if self._refunded[part] != self._credited[part]:
                    wrong = f"credit note {note} and account {account_id} differ on {amount} given back"
                    self._wrong(self._first, wrong)
        self._refunded.clear()
        self._credited.clear()
        if not (self._placed or self._redeemed or self._canceled or self._released):
            return
        for order_id in {**self._placed, **self._redeemed}:
            said = self._placed.get(order_id, Counter())
            taken = self._redeemed.get(order_id, Counter())
            for (account_id, currency, amount), _ in ((said - taken) + (taken - said)).items():
                self._wrong(
                    self._first,
                    f"order {order_id} and account {account_id} differ on {amount} {currency} of credit",
                )
        for order_id in self._canceled:
            left = {one: amount for one, amount in self._borne.pop(order_id, {}).items() if amount}
            for account_id, amount in left.items():
                wrong = f"order {order_id} was canceled, and gave {amount} of account {account_id} not back"
                self._wrong(self._first, wrong)
        for order_id in self._released - self._canceled:
            self._wrong(self._first, f"order {order_id} gives credit back, though it is not canceled here")
        self._placed.clear()
        self._redeemed.clear()
        self._canceled.clear()
        self._released.clear()

    def see_placed(self, _recorded: RecordedEvent, event: OrderPlaced) -> None:
        """Notes what credit is said to pay of an order."""
        parts = [
            (tender.account_id, tender.amount.currency, tender.amount.amount)
            for tender in event.tenders
            if tender.account_id is not None
        ]
        if parts:
            self._placed[event.order_id] = Counter(parts)

    def see_refunded(self, _recorded: RecordedEvent, event: OrderRefunded) -> None:
        """Notes what a refund is said to give back to accounts."""
        for tender in event.tenders or ():
            if tender.account_id is not None:
                self._refunded[event.credit_note_id, tender.account_id, tender.amount.amount] += 1

    def see_canceled(self, _recorded: RecordedEvent, event: OrderCanceled) -> None:
        """Notes that an order is to give all its credit back."""
        if event.order_id in self._borne:
            self._canceled.add(event.order_id)

    def see(self, recorded: RecordedEvent, event: CreditEvent) -> None:
        """Counts what happens to an account."""
        account_id = event.account_id
        if isinstance(event, AccountOpened):
            if account_id in self._opened:
                self._wrong(recorded, "it is opened twice")
            self._opened[account_id] = event
            return
        opened = self._opened.get(account_id)
        if opened is None:
            self._wrong(recorded, "it was never opened")
            return
        if isinstance(event, AccountBlocked):
            return
        if event.amount.currency != opened.currency:
            self._wrong(recorded, f"{event.amount.currency}, and the account is in {opened.currency}")
        amount = event.amount.amount
        self._balances[account_id] += amount if isinstance(event, ADDING) else -amount
        if self._balances[account_id] < 0:
            self._wrong(recorded, f"its balance is {self._balances[account_id]}")
        match event:
            case Debited() | DebitReleased():
                self._debit(recorded, event)
            case AccountExpired():
                if account_id in self._expired:
                    self._wrong(recorded, "it expires twice")
                self._expired.add(account_id)
            case _:
                self._of_order(recorded, event)

    def _of_order(self, recorded: RecordedEvent, event: Credited | Redeemed | RedemptionReleased) -> None:
        """Notes what an order took of an account, or gave to it."""
        account_id, order_id, amount = event.account_id, event.order_id, event.amount.amount
        if order_id is None:
            return
        match event:
            case Credited(cause="sold"):
                self._sold[account_id] = (order_id, amount)
            case Credited(cause="refunded", credit_note_id=note):
                self._give_back(recorded, order_id, account_id, amount)
                self._credited[note or "", account_id, amount] += 1
            case Redeemed():
                self._borne.setdefault(order_id, Counter())[account_id] += amount
                part = (account_id, event.amount.currency, amount)
                self._redeemed.setdefault(order_id, Counter())[part] += 1
            case RedemptionReleased():
                self._give_back(recorded, order_id, account_id, amount)
                self._released.add(order_id)

    def _give_back(self, recorded: RecordedEvent, order_id: OrderId, account_id: str, amount: int) -> None:
        borne = self._borne.setdefault(order_id, Counter())
        if amount > borne[account_id]:
            wrong = f"order {order_id} gives back {amount}, of {borne[account_id]} that it has of the account"
            self._wrong(recorded, wrong)
        borne[account_id] -= min(amount, borne[account_id])

    def _debit(self, recorded: RecordedEvent, event: Debited | DebitReleased) -> None:
        """Only the order that sold a gift card takes off it, and no more than it was sold for."""
        amount, note = event.amount.amount, event.credit_note_id
        debited = self._debited.setdefault(event.account_id, Counter())
        if isinstance(event, DebitReleased):
            if amount != (before := debited.pop(note, 0)):
                self._wrong(recorded, f"{amount} released of {before} debited for credit note {note}")
            return
        seller, worth = self._sold.get(event.account_id, (None, 0))
        debited[note] += amount
        if seller != event.order_id:
            self._wrong(recorded, f"order {event.order_id} debits {amount}, and did not sell it")
        elif debited.total() > worth:
            self._wrong(recorded, f"{debited.total()} debited, it was sold for {worth}")

    def _wrong(self, recorded: RecordedEvent | None, wrong: str) -> None:
        assert recorded is not None  # the command under way has a first event
        self._report(at(recorded, "credit", wrong))
