"""Faults that a test plants in the sandbox: whatever becomes of a call, its key is done at most once."""

from __future__ import annotations

import time

import pytest

from commands.gateways.gateway import GatewayUnavailable, GatewayUnclear
from commands.gateways.sandbox import Books
from tests.gateways.sandbox import Sandbox

CALLS = {
    "payment_intents.create": lambda sandbox, reference: sandbox.authorize(key="k"),
    "payment_intents.capture": lambda sandbox, reference: sandbox.capture(reference, key="k"),
    "payment_intents.cancel": lambda sandbox, reference: sandbox.void(reference, key="k"),
    "refunds.create": lambda sandbox, reference: sandbox.refund(reference, key="k"),
}
FAULTS = [
    ("lost_before", GatewayUnclear, False),
    ("lost_after", GatewayUnclear, True),
    ("reset", GatewayUnclear, False),
    ("garbled", GatewayUnclear, True),
    ("429", GatewayUnavailable, False),
    ("409", GatewayUnavailable, False),
    ("401", GatewayUnavailable, False),
]


def begun(sandbox: Sandbox, operation: str) -> str:
    """A payment to which the call can be made."""
    return sandbox.captured() if operation == "refunds.create" else sandbox.authorize().reference


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(("fault", "error", "done"), FAULTS)
def test_a_call_that_went_wrong_is_made_again_under_its_key(sandbox, operation, fault, error, done):
    reference = begun(sandbox, operation)
    before = len(sandbox.news())
    sandbox.books.plant(operation, fault)
    with pytest.raises(error):
        CALLS[operation](sandbox, reference)
    after = sandbox.news()
    assert (len(after) > before) is done
    standing = CALLS[operation](sandbox, reference)
    if done:
        assert sandbox.news() == after
    assert len(sandbox.news()) > before
    assert sandbox.look(standing.reference).reference == standing.reference


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(("fault", "done"), [("500", False), ("500_done", True)])
def test_a_stored_fault_repeats_for_as_long_as_its_key_lives(sandbox, operation, fault, done):
    reference = begun(sandbox, operation)
    before = len(sandbox.news())
    sandbox.books.plant(operation, fault)
    for _ in range(3):
        with pytest.raises(GatewayUnclear) as unclear:
            CALLS[operation](sandbox, reference)
        assert unclear.value.stored
    assert (len(sandbox.news()) > before) is done
    sandbox.clock.forward(hours=25)
    if not done:
        assert CALLS[operation](sandbox, reference).reference


def test_a_fault_hits_as_often_as_it_was_planted_and_only_its_call(sandbox):
    reference = sandbox.authorize().reference
    sandbox.books.plant("payment_intents.retrieve", "429", times=2)
    sandbox.authorize()
    for _ in range(2):
        with pytest.raises(GatewayUnavailable):
            sandbox.look(reference)
    assert sandbox.look(reference).held == 1000


def test_a_fault_hits_a_call_of_another_process(sandbox, ledger):
    other = Books(ledger)
    other.plant("payment_intents.create", "401")
    other.close()
    with pytest.raises(GatewayUnavailable) as unavailable:
        sandbox.authorize()
    assert unavailable.value.alarm


def test_a_slow_answer_is_done_and_comes(sandbox):
    sandbox.books.plant("payment_intents.create", "slow", seconds=0.2)
    began = time.monotonic()
    assert sandbox.authorize().held == 1000
    assert time.monotonic() - began >= 0.2
