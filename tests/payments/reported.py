"""Payments that stand both in our log and in a balance report, each side written on its own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from aggregates.kernel import Money
from aggregates.payments import payment
from aggregates.payments.observation import observe
from aggregates.payments.standing import DisputeMove, RefundStanding, Standing
from commands.reconciliation.report import Line
from event_store.records import EventLog
from tests.shop.log import Shop

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
RATES = {("GBP", "EUR"): 1.1537, ("JPY", "EUR"): 0.0061, ("KWD", "EUR"): 0.28}
"""Minor units of settlement for a minor unit of the customer's currency."""

RefundEnd = Literal["succeeded", "pending", "failed", "failed_unpaid"]


@dataclass(frozen=True, kw_only=True)
class Paid:
    """One payment's story; amounts in minor units of its currency, captures in order."""

    number: int
    at: datetime
    currency: str = "EUR"
    settlement: str = "EUR"
    captures: tuple[int, ...] = (1299,)
    released: int = 0  # of the hold, never captured
    refunds: tuple[tuple[int, RefundEnd], ...] = ()
    disputed: int = 0
    won: bool = False
    apart: timedelta = timedelta(minutes=1)  # between one thing and the next

    @property
    def order(self) -> str:
        return f"order{self.number:08}"

    @property
    def reference(self) -> str:
        return f"pi_{self.number:08}"


@dataclass
class _Story:
    """A payment as it comes to be known, and the lines that the gateway writes."""

    paid: Paid
    known: list[tuple[datetime, Standing]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.at = self.paid.at

    def learn(self, **facts: object) -> None:
        paid = self.paid
        standing = Standing(
            reference=paid.reference,
            currency=paid.currency,
            authorized=sum(paid.captures) + paid.released,
            order_id=paid.order,
            step=f"checkout-{paid.order}/1",
            **facts,  # type: ignore[arg-type]
        )
        self.known.append((self.at, standing))
        self.at += paid.apart

    def write(self, category: str, amount: int, *, source: str, shown: bool = True, **facts: object) -> None:
        paid = self.paid
        rate = RATES.get((paid.currency, paid.settlement), 1)
        self.lines.append(
            Line(
                transaction=f"txn_{paid.number:08}_{len(self.lines)}",
                created=self.at.replace(microsecond=0),
                category=category,
                currency=paid.settlement,
                gross=round(amount * rate),
                source=source,
                facing=Money(amount, paid.currency) if shown else None,
                charge=f"ch_{paid.number:08}",
                payment=paid.reference,
                order=paid.order,
                step=f"checkout-{paid.order}/1",
                **facts,  # type: ignore[arg-type]
            )
        )


def story_of(paid: Paid) -> tuple[list[tuple[datetime, Standing]], list[Line]]:
    """What we come to know of the payment, in order; and the report's lines about it."""
    story = _Story(paid)
    taken = 0
    for number, amount in enumerate(paid.captures, start=1):
        taken += amount
        story.write("charge", amount, source=f"ch_{paid.number:08}", fee=25)
        story.learn(captured=taken, closed="captured" if number == len(paid.captures) else None)
    for number, (amount, end) in enumerate(paid.refunds):
        name = f"re_{paid.number:08}_{number}"
        paid_out = end not in ("pending", "failed_unpaid")
        if paid_out:
            story.write("refund", -amount, source=name, credit_note=f"note_{number}")
        made = RefundStanding(reference=name, amount=amount, state="succeeded" if paid_out else "pending")
        story.learn(refunds=(made,))
        if end.startswith("failed"):
            if paid_out:
                story.write("refund_failure", amount, source=name)
            story.learn(refunds=(RefundStanding(reference=name, amount=amount, state="failed"),))
    if paid.disputed:
        rate = RATES.get((paid.currency, paid.settlement), 1)
        for category, sign in (("dispute", -1), ("dispute_reversal", 1))[: 2 if paid.won else 1]:
            story.write(
                category, sign * paid.disputed, source="dp_1", shown=False, dispute_reason="fraudulent"
            )
            move = DisputeMove(
                transaction=story.lines[-1].transaction,
                dispute="dp_1",
                amount=sign * paid.disputed,
                fee=round(1500 * rate),
            )
            story.learn(moves=(move,))
    return story.known, story.lines


def write_log(log: EventLog, payments: Sequence[Paid]) -> None:
    """Has the log know of the payments, each thing at its time."""
    shop = Shop(log)
    for paid in payments:
        amount = Money(sum(paid.captures) + paid.released, paid.currency)
        shop.record(
            shop.decide(
                payment.request,
                order_id=paid.order,
                method="pm_card_visa",
                amount=amount,
                capture="fulfilment",
            ),
            channel="import",
            valid_at=paid.at,
        )
        for at, standing in story_of(paid)[0]:
            observed = shop.decide(observe, standing=standing, order_id=paid.order)
            shop.record(observed, channel="import", valid_at=at)
    shop.flush()


def lines_of(payments: Sequence[Paid], *, others: bool = True) -> list[Line]:
    """All their lines by time, and `others` that are about no payment: a fee, a payout, a reserve."""
    lines = [line for paid in payments for line in story_of(paid)[1]]
    if others:
        lines += [
            Line(
                transaction=f"txn_{category}",
                created=OCTOBER + timedelta(days=30),
                category=category,
                currency="EUR",
                gross=gross,
                source=f"src_{category}",
            )
            for category, gross in (("fee", -1250), ("payout", -500_000), ("risk_reserved_funds", -700))
        ]
    return sorted(lines, key=lambda line: line.created)


def many(count: int, *, seed: int = 7) -> Iterator[Paid]:
    """So many payments over October, of the usual mix: a tenth is refunded, one of a hundred disputed."""
    chance = random.Random(seed)
    for number in range(count):
        total = chance.randint(500, 20_000)
        yield Paid(
            number=number,
            at=OCTOBER + timedelta(seconds=chance.randrange(30 * 24 * 3600)),
            captures=(total,),
            refunds=((total // 2, "succeeded"),) if chance.random() < 0.1 else (),
            disputed=total if chance.random() < 0.01 else 0,
        )
