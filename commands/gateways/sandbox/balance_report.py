"""The sandbox's balance transactions as the lines of Stripe's itemized report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from commands.gateways.sandbox.books import Books
from commands.gateways.sandbox.objects import Object
from commands.gateways.stripe_amounts import from_stripe
from commands.reconciliation.report import Line


def report_lines(books: Books) -> Iterator[Line]:
    """A line per balance transaction, payment by payment. The sandbox pays out in the customer's currency."""
    for payment in books.charges():
        sources = {
            one["id"]: one
            for kind in ("payment_intent", "charge", "refund", "dispute")
            for one in books.objects(payment.reference, kind)
        }
        for moved in books.objects(payment.reference, "balance_transaction"):
            yield _line(moved, sources[moved["source"]], sources[payment.reference])


def _line(moved: Object, source: Object, payment: Object) -> Line:
    gross = from_stripe(moved["amount"], moved["currency"])
    created = datetime.fromtimestamp(moved["created"], UTC)
    of_payment = payment["metadata"]
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
        payment=payment["id"],
        order=of_payment.get("order", ""),
        step=of_payment.get("step", ""),
        credit_note=of_refund.get("credit_note", ""),
        refund_step=of_refund.get("step", ""),
        available=created,
        dispute_reason=source.get("reason") or "" if source["object"] == "dispute" else "",
    )
