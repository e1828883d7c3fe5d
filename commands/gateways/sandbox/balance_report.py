"""The sandbox's balance transactions as the lines of Stripe's itemized report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from commands.gateways.sandbox.books import Books, Moved
from commands.gateways.stripe_amounts import from_stripe
from commands.reconciliation.report import Line

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(9000, 1, 1, tzinfo=UTC)


def report_lines(books: Books, *, since: datetime = FIRST, until: datetime = LAST) -> Iterator[Line]:
    """A line per balance transaction of that time, in order. The sandbox pays out in the customer's currency.

    The books are free for others between its pages.
    """
    after = 0
    while page := books.moved(since, until, after=after):
        after = page[-1].number
        yield from map(_line, page)


def _line(one: Moved) -> Line:
    moved, source = one.transaction, one.source
    gross = from_stripe(moved["amount"], moved["currency"])
    created = datetime.fromtimestamp(moved["created"], UTC)
    of_payment = one.payment["metadata"]
    of_refund = source["metadata"] if source["object"] == "refund" else {}
    return Line(
        transaction=moved["id"],
        created=created,
        category=moved["reporting_category"],
        currency=gross.currency,
        gross=gross.amount,
        fee=from_stripe(moved["fee"], moved["currency"]).amount,
        source=source["id"],
        facing=None if source["object"] == "dispute" else gross,
        charge=source["id"] if source["object"] == "charge" else source["charge"],
        payment=one.payment["id"],
        order=of_payment.get("order", ""),
        step=of_payment.get("step", ""),
        credit_note=of_refund.get("credit_note", ""),
        refund_step=of_refund.get("step", ""),
        available=created,
        dispute_reason=source.get("reason") or "" if source["object"] == "dispute" else "",
    )
