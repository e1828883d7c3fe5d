"""The ledger of the code before: its charges and calls are read on, and finished."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aggregates.kernel import Money
from commands.gateways.gateway import GatewayUnclear
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, CHARGE_DECLINED, VISA
from tests.gateways.sandbox import Sandbox, run

RECORDED = Path(__file__).parents[1] / "upgrades" / "schema_5" / "ledger.sql"


def order(name: str) -> str:
    return name.encode().hex().rjust(40, "0")


@pytest.fixture
def before(ledger) -> list[tuple[object, ...]]:
    """The charges, as the code before shows them."""
    ledger.parent.mkdir()
    with closing(sqlite3.connect(ledger)) as old:
        old.executescript(RECORDED.read_text())
        return old.execute(
            "SELECT reference, order_id, method, currency, amount, status, captured, refunded"
            " FROM charges ORDER BY rowid"
        ).fetchall()


def authorize(sandbox, name, method=VISA, amount=3350):
    call = sandbox.gateway.authorize(
        key=f"checkout-{order(name)}/1", method=method, amount=Money(amount, "GBP"), order_id=order(name)
    )
    return run(call).standing


def reference_of(sandbox, name):
    (charge,) = sandbox.gateway.charges(order(name))
    return charge.reference


def test_its_charges_are_shown_as_before(before, sandbox):
    charges = sandbox.gateway.charges()
    assert len(charges) > 15
    assert [
        tuple(getattr(charge, name) for name in charge.__dataclass_fields__) for charge in charges
    ] == before
    assert sandbox.news() == []


def test_it_is_moved_once(before, sandbox, ledger):
    sandbox.gateway.close()
    again = Sandbox(ledger)
    assert len(again.gateway.charges()) == len(before)
    again.gateway.close()


def test_its_calls_are_not_done_again(before, sandbox):
    held = authorize(sandbox, "authorized")
    assert (held.reference, held.held) == (reference_of(sandbox, "authorized"), 3350)
    assert held.order_id == order("authorized")
    assert authorize(sandbox, "declined", CHARGE_DECLINED).failed == "card_declined"
    assert authorize(sandbox, "waiting", AUTHENTICATION_REQUIRED, 3425).acting
    reference = reference_of(sandbox, "refund done")
    taken = sandbox.capture(reference, Money(3350, "GBP"), key=f"checkout-{order('refund done')}/2")
    (back,) = sandbox.refund(reference, Money(900, "GBP"), key=f"checkout-{order('refund done')}/3").refunds
    assert (taken.captured, back.amount, back.step) == (3350, 900, f"checkout-{order('refund done')}/3")
    given_up = reference_of(sandbox, "void done")
    assert sandbox.void(given_up, key=f"checkout-{order('void done')}/2").closed == "canceled"
    assert len(sandbox.gateway.charges()) == len(before)
    assert sandbox.news() == []


def test_a_key_of_it_that_comes_with_another_call_is_unclear(before, sandbox):
    reference = reference_of(sandbox, "authorized")
    with pytest.raises(GatewayUnclear, match="idempotency_error"):
        sandbox.void(reference, key=f"checkout-{order('authorized')}/1")


def test_each_of_its_refunds_is_one(before, sandbox):
    for charge in before:
        reference, refunded = str(charge[0]), charge[-1]
        refunds = sandbox.look(reference).refunds
        assert sum(refund.amount for refund in refunds) == refunded
        assert {refund.state for refund in refunds} <= {"succeeded"}
        moved = sandbox.books.objects(reference, "balance_transaction")
        assert sum(one["amount"] for one in moved) == charge[-2] - refunded


def test_its_payments_are_finished(before, sandbox):
    held = reference_of(sandbox, "authorized")
    assert sandbox.capture(held, Money(3350, "GBP")).closed == "captured"
    assert sandbox.refund(held, Money(50, "GBP")).returned == 50
    waiting = reference_of(sandbox, "waiting")
    sandbox.books.shopper_passes(waiting)
    assert sandbox.look(waiting).held == 3425
    assert sandbox.void(waiting).closed == "canceled"
    found = run(
        sandbox.gateway.find(
            key=f"checkout-{order('capture lost')}/1",
            since=sandbox.clock().replace(year=2020),
            until=sandbox.clock().replace(year=2100),
        )
    )
    assert found is not None
    assert found.standing.held == 3350
