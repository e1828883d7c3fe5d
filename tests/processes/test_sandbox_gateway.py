"""What the sandbox gateway promises: a key's call is done once, and no card gives more than it holds."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from aggregates.kernel import Money
from commands.gateways.gateway import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    GatewayRefusal,
    GatewayTimeout,
    GatewayUnavailable,
    Refunded,
    Voided,
)
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, CHARGE_DECLINED, VISA, SandboxGateway

ORDER = "d" * 32
TEN, FOUR = Money(1000, "GBP"), Money(400, "GBP")


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "data" / "sandbox.sqlite"


@pytest.fixture
def gateway(ledger):
    gateway = SandboxGateway(ledger)
    yield gateway
    gateway.close()


def authorize(gateway, method=VISA, key="checkout-1/1", amount=TEN):
    return gateway.authorize(key=key, method=method, amount=amount, order_id=ORDER)


def refusal(call, **arguments):
    with pytest.raises(GatewayRefusal) as refused:
        call(**arguments)
    return refused.value.code


@pytest.mark.parametrize(
    ("method", "kind", "status"),
    [
        (VISA, Authorized, "authorized"),
        (AUTHENTICATION_REQUIRED, ActionNeeded, "action_required"),
        (CHARGE_DECLINED, Declined, "declined"),
        ("pm_card_nobody_knows", Declined, "declined"),
    ],
)
def test_a_test_card_does_what_its_name_says(gateway, method, kind, status):
    assert isinstance(authorize(gateway, method), kind)
    (charge,) = gateway.charges(ORDER)
    assert (charge.method, charge.status, charge.amount, charge.captured) == (method, status, 1000, 0)


def test_a_decline_says_why(gateway):
    assert authorize(gateway, CHARGE_DECLINED) == Declined("card_declined")
    assert authorize(gateway, "pm_other", key="2") == Declined("unknown_payment_method")


def test_a_key_is_done_once_and_answered_the_same_also_after_a_restart(ledger):
    first = SandboxGateway(ledger)
    reference = authorize(first).reference
    for _ in range(2):
        assert first.capture(key="2", reference=reference, amount=TEN) == Captured()
    first.close()
    second = SandboxGateway(ledger)
    assert authorize(second) == Authorized(reference)
    assert second.capture(key="2", reference=reference, amount=TEN) == Captured()
    for _ in range(2):
        assert second.refund(key="3", reference=reference, amount=FOUR) == Refunded()
    (charge,) = second.charges()
    assert (charge.captured, charge.refunded) == (1000, 400)
    second.close()


def test_a_key_with_another_request_is_refused(gateway):
    reference = authorize(gateway).reference
    assert refusal(authorize, gateway=gateway, amount=FOUR) == "idempotency_key_reused"
    assert refusal(gateway.void, key="checkout-1/1", reference=reference) == "idempotency_key_reused"
    assert len(gateway.charges()) == 1


def test_what_is_held_is_taken_once_and_no_more_than_it(gateway):
    reference = authorize(gateway).reference
    assert (
        refusal(gateway.capture, key="2", reference=reference, amount=Money(1001, "GBP"))
        == "amount_too_large"
    )
    assert (
        refusal(gateway.capture, key="2", reference=reference, amount=Money(1000, "EUR"))
        == "amount_too_large"
    )
    gateway.capture(key="3", reference=reference, amount=TEN)
    assert refusal(gateway.capture, key="4", reference=reference, amount=TEN) == "charge_captured"
    assert refusal(gateway.void, key="5", reference=reference) == "charge_captured"


def test_no_more_goes_back_than_was_taken(gateway):
    reference = authorize(gateway).reference
    assert refusal(gateway.refund, key="2", reference=reference, amount=FOUR) == "charge_authorized"
    gateway.capture(key="3", reference=reference, amount=TEN)
    gateway.refund(key="4", reference=reference, amount=FOUR)
    gateway.refund(key="5", reference=reference, amount=FOUR)
    assert refusal(gateway.refund, key="6", reference=reference, amount=FOUR) == "amount_too_large"
    assert gateway.charges()[0].refunded == 800


@pytest.mark.parametrize("method", [VISA, AUTHENTICATION_REQUIRED])
def test_a_hold_or_a_wait_is_given_up_once(gateway, method):
    reference = authorize(gateway, method).reference
    assert gateway.void(key="2", reference=reference) == Voided()
    assert refusal(gateway.void, key="3", reference=reference) == "charge_voided"
    assert refusal(gateway.capture, key="4", reference=reference, amount=TEN) == "charge_voided"


def test_a_declined_or_unknown_charge_gives_nothing(gateway):
    authorize(gateway, CHARGE_DECLINED)
    (charge,) = gateway.charges()
    assert refusal(gateway.capture, key="2", reference=charge.reference, amount=TEN) == "charge_declined"
    assert refusal(gateway.capture, key="3", reference="ch_none", amount=TEN) == "unknown_charge"


def test_two_processes_asking_at_once_with_one_key_charge_once(ledger):
    gateways = [SandboxGateway(ledger) for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(lambda n: authorize(gateways[n % 2]), range(40)))
    assert len(answers) == 1
    assert len(gateways[0].charges()) == 1
    for gateway in gateways:
        gateway.close()


def test_a_ledger_that_another_process_is_just_making_is_waited_for(tmp_path):
    path = tmp_path / "sandbox.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as thread:
        opening = thread.submit(SandboxGateway, path)
        time.sleep(0.2)  # Absence: it is not made.
        assert not opening.done()
        other.execute("ROLLBACK")
        gateway = opening.result()
    assert isinstance(authorize(gateway), Authorized)
    other.close()
    gateway.close()


def test_a_ledger_that_is_never_free_is_a_time_out_from_the_start(tmp_path):
    path = tmp_path / "sandbox.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GatewayTimeout):
        SandboxGateway(path, busy_seconds=0.05)
    other.close()


def test_a_ledger_that_stays_locked_is_a_time_out(ledger):
    gateway = SandboxGateway(ledger, busy_seconds=0.05)
    other = sqlite3.connect(ledger, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GatewayTimeout):
        authorize(gateway)
    other.execute("ROLLBACK")
    assert isinstance(authorize(gateway), Authorized)
    other.close()
    gateway.close()


def test_a_closed_gateway_is_away(gateway):
    gateway.close()
    with pytest.raises(GatewayUnavailable):
        authorize(gateway)


@pytest.mark.parametrize(
    "damage",
    [
        lambda ledger: ledger.write_bytes(b"no database " * 500),
        lambda ledger: ledger.write_bytes(ledger.read_bytes()[:100] + bytes(4_000)),
        lambda ledger: (ledger.unlink(), ledger.mkdir()),
    ],
    ids=["garbage", "cut off", "a folder"],
)
def test_a_file_that_is_no_ledger_is_named_and_left_as_it_is(gateway, ledger, damage):
    authorize(gateway)
    gateway.close()
    for aside in ledger.parent.glob("sandbox.sqlite-*"):
        aside.unlink()
    damage(ledger)
    before = ledger.read_bytes() if ledger.is_file() else None
    with pytest.raises(GatewayUnavailable, match=rf"the sandbox's ledger {ledger} cannot be used"):
        SandboxGateway(ledger)
    assert (ledger.read_bytes() if ledger.is_file() else None) == before


def test_a_ledger_that_is_damaged_under_the_gateway_is_unavailable(gateway, ledger):
    authorize(gateway)
    with sqlite3.connect(ledger) as somebody:
        somebody.execute("UPDATE calls SET answer = '[]'")
    with pytest.raises(GatewayUnavailable, match="cannot be used"):
        authorize(gateway)
    with sqlite3.connect(ledger) as somebody:
        somebody.execute("DROP TABLE charges")
    with pytest.raises(GatewayUnavailable, match="no such table: charges"):
        authorize(gateway, key="checkout-2/1")
