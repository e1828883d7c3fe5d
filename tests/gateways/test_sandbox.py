"""What the sandbox promises: a key's call is done once, and no card gives more than it holds."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from aggregates.kernel import Money
from commands.gateways.gateway import GatewayUnavailable, GatewayUnclear
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, CHARGE_DECLINED, VISA, SandboxGateway
from commands.gateways.sandbox.cards import CAPTURE_REFUSED, INSUFFICIENT_FUNDS
from tests.gateways.sandbox import FOUR, ORDER, TEN, Sandbox, refusal, run

UNEXPECTED = "payment_intent_unexpected_state"


# Cards


@pytest.mark.parametrize(
    ("method", "status", "authorized", "acting", "failed"),
    [
        (VISA, "authorized", 1000, False, None),
        ("ctoken_visa", "authorized", 1000, False, None),
        (AUTHENTICATION_REQUIRED, "action_required", 0, True, None),
        (CHARGE_DECLINED, "declined", 0, False, "card_declined"),
        (INSUFFICIENT_FUNDS, "declined", 0, False, "card_declined"),
        ("pm_card_chargeDeclinedExpiredCard", "declined", 0, False, "expired_card"),
    ],
)
def test_a_test_card_does_what_its_name_says(sandbox, method, status, authorized, acting, failed):
    standing = sandbox.authorize(method)
    assert (standing.authorized, standing.acting, standing.failed) == (authorized, acting, failed)
    assert (standing.order_id, standing.step) == (ORDER, f"checkout-{ORDER}/1")
    (charge,) = sandbox.gateway.charges(ORDER)
    assert (charge.status, charge.amount, charge.captured) == (status, 1000, 0)
    assert sandbox.look(standing.reference) == standing


@pytest.mark.parametrize("method", ["pm_card_nobody_knows", "ctoken_nobody_knows"])
def test_an_unknown_card_is_refused_and_leaves_nothing(sandbox, method):
    assert refusal(sandbox.authorize, method) == "resource_missing"
    assert sandbox.gateway.charges() == []
    assert sandbox.news() == []


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (Money(29, "GBP"), "amount_too_small"),
        (Money(49, "JPY"), "amount_too_small"),
        (Money(5, "KWD"), "amount_has_too_many_digits"),
        (Money(150, "MGA"), "amount_has_too_many_digits"),
        (Money(1000, "IQD"), "currency_not_supported"),
    ],
)
def test_an_amount_that_stripe_would_not_take_is_refused(sandbox, amount, code):
    assert refusal(sandbox.authorize, VISA, amount) == code
    assert sandbox.gateway.charges() == []


@pytest.mark.parametrize(
    "amount", [Money(500, "ISK"), Money(300, "MGA"), Money(1230, "KWD"), Money(50, "JPY")]
)
def test_amounts_are_ours_outside_whatever_stripe_counts_in(sandbox, amount):
    reference = sandbox.captured(amount=amount)
    sandbox.refund(reference, amount)
    standing = sandbox.look(reference)
    assert (standing.captured, standing.returned) == (amount.amount, amount.amount)
    (charge,) = sandbox.gateway.charges()
    assert (charge.amount, charge.captured, charge.refunded) == (amount.amount,) * 3


# Keys


def test_a_key_is_done_once_and_answered_the_same_also_after_a_restart(ledger):
    first = Sandbox(ledger)
    held = first.authorize(key="1")
    taken = [first.capture(held.reference, key="2") for _ in range(2)]
    first.gateway.close()
    second = Sandbox(ledger)
    assert second.authorize(key="1") == held
    assert [second.capture(held.reference, key="2")] * 2 == taken
    back = [second.refund(held.reference, key="3") for _ in range(2)]
    assert back[0] == back[1]
    (charge,) = second.gateway.charges()
    assert (charge.captured, charge.refunded) == (1000, 400)
    second.gateway.close()


def test_a_key_with_another_request_is_unclear_since_it_was_used(sandbox):
    reference = sandbox.authorize(key="1").reference
    for other in (lambda: sandbox.authorize(amount=FOUR, key="1"), lambda: sandbox.void(reference, key="1")):
        with pytest.raises(GatewayUnclear) as unclear:
            other()
        assert (unclear.value.code, unclear.value.stored) == ("idempotency_error", True)
    assert [charge.status for charge in sandbox.gateway.charges()] == ["authorized"]


def test_a_key_lives_for_a_day_and_charges_anew_after_it(sandbox):
    held = sandbox.authorize(key="1")
    sandbox.clock.forward(hours=23, minutes=59)
    assert sandbox.authorize(key="1") == held
    sandbox.clock.forward(minutes=2)
    assert sandbox.authorize(key="1").reference != held.reference
    assert len(sandbox.gateway.charges()) == 2


def test_a_refusal_is_stored_once_the_call_had_begun(sandbox):
    reference = sandbox.authorize(AUTHENTICATION_REQUIRED).reference
    assert refusal(sandbox.capture, reference, key="9") == UNEXPECTED
    sandbox.books.shopper_passes(reference)
    assert refusal(sandbox.capture, reference, key="9") == UNEXPECTED
    assert sandbox.capture(reference).captured == 1000


def test_two_processes_asking_at_once_with_one_key_charge_once(ledger):
    sandboxes = [Sandbox(ledger) for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        standings = set(threads.map(lambda n: sandboxes[n % 2].authorize(key="1"), range(40)))
    assert len(standings) == 1
    assert len(sandboxes[0].gateway.charges()) == 1
    for sandbox in sandboxes:
        sandbox.gateway.close()


def test_calls_that_are_made_together_stand_for_themselves(sandbox):
    reference = sandbox.authorize().reference

    async def at_once() -> list[object]:
        def take(key: str, amount: Money):
            return sandbox.gateway.capture(key=key, reference=reference, amount=amount)

        calls = [take("a", Money(1001, "GBP")), take("b", TEN), take("c", TEN), take("b", TEN)]
        return await asyncio.gather(*calls, return_exceptions=True)

    results = run(at_once())
    assert [getattr(one, "code", "taken") for one in results] == [
        "amount_too_large",
        "taken",
        UNEXPECTED,
        "taken",
    ]
    assert [charge.captured for charge in sandbox.gateway.charges()] == [1000]


# Capture, void, refund


def test_what_is_held_is_taken_once_and_no_more_than_it(sandbox):
    reference = sandbox.authorize().reference
    assert refusal(sandbox.capture, reference, Money(1001, "GBP")) == "amount_too_large"
    sandbox.capture(reference)
    assert refusal(sandbox.capture, reference) == UNEXPECTED
    assert refusal(sandbox.void, reference) == UNEXPECTED


def test_a_hold_taken_in_part_releases_the_rest(sandbox):
    reference = sandbox.authorize().reference
    standing = sandbox.capture(reference, FOUR)
    assert (standing.captured, standing.held, standing.closed) == (400, 0, "captured")


def test_a_hold_in_parts_is_taken_in_parts_until_the_final_one(sandbox):
    reference = sandbox.authorize(in_parts=True).reference
    first = sandbox.capture(reference, FOUR, final=False)
    assert (first.in_parts, first.captured, first.held, first.closed) == (True, 400, 600, None)
    assert refusal(sandbox.capture, reference, Money(601, "GBP"), final=False) == "amount_too_large"
    last = sandbox.capture(reference, Money(0, "GBP"))
    assert (last.captured, last.held, last.closed) == (400, 0, "captured")
    assert refusal(sandbox.capture, reference, FOUR) == UNEXPECTED


def test_a_hold_taken_in_parts_to_the_last_penny_is_closed(sandbox):
    reference = sandbox.authorize(in_parts=True).reference
    sandbox.capture(reference, FOUR, final=False)
    assert sandbox.capture(reference, Money(600, "GBP"), final=False).closed == "captured"


def test_a_hold_that_is_not_in_parts_is_taken_once_only(sandbox):
    reference = sandbox.authorize().reference
    assert refusal(sandbox.capture, reference, FOUR, final=False) == "capture_not_final"
    assert sandbox.look(reference).held == 1000


def test_a_capture_can_be_refused_by_the_card(sandbox):
    reference = sandbox.authorize(CAPTURE_REFUSED).reference
    assert refusal(sandbox.capture, reference) == "capture_charge_authorization_expired"
    assert sandbox.look(reference).captured == 0


def test_no_more_goes_back_than_was_taken(sandbox):
    reference = sandbox.authorize().reference
    assert refusal(sandbox.refund, reference) == UNEXPECTED
    sandbox.capture(reference)
    for _ in range(2):
        sandbox.refund(reference)
    assert refusal(sandbox.refund, reference) == "amount_too_large"
    assert sandbox.gateway.charges()[0].refunded == 800
    sandbox.refund(reference, Money(200, "GBP"))
    assert refusal(sandbox.refund, reference) == "charge_already_refunded"


def test_a_refund_names_its_credit_note_and_its_step(sandbox):
    reference = sandbox.captured()
    (refund,) = sandbox.refund(reference, key=f"checkout-{ORDER}/9", credit_note="C-1").refunds
    assert (refund.amount, refund.state) == (400, "succeeded")
    assert (refund.credit_note_id, refund.step) == ("C-1", f"checkout-{ORDER}/9")
    assert sandbox.look(reference).refunds == (refund,)


@pytest.mark.parametrize("method", [VISA, AUTHENTICATION_REQUIRED, CHARGE_DECLINED])
def test_what_is_not_taken_is_given_up_once(sandbox, method):
    reference = sandbox.authorize(method).reference
    standing = sandbox.void(reference)
    assert (standing.closed, standing.held) == ("canceled", 0)
    assert refusal(sandbox.void, reference) == UNEXPECTED
    assert refusal(sandbox.capture, reference) == UNEXPECTED
    assert sandbox.gateway.charges()[0].status == "voided"


def test_a_void_that_looks_first_keeps_a_hold(sandbox):
    waiting, held = (sandbox.authorize(method).reference for method in (AUTHENTICATION_REQUIRED, VISA))
    assert sandbox.void(waiting, unless_authorized=True).closed == "canceled"
    assert sandbox.void(waiting, unless_authorized=True).closed == "canceled"
    assert sandbox.void(held, unless_authorized=True).held == 1000


@pytest.mark.parametrize("call", ["capture", "void", "refund", "look"])
def test_an_unknown_payment_is_refused(sandbox, call):
    assert refusal(getattr(sandbox, call), "pi_none") == "resource_missing"


# Looking


def test_a_payment_is_found_by_its_step_among_those_of_its_time(sandbox):
    begun = sandbox.clock()
    for number in range(120):
        sandbox.authorize(key=f"checkout-{ORDER}/s{number}")
    sandbox.clock.forward(minutes=10)

    def found(number: int, until: timedelta = timedelta(hours=1)) -> str | None:
        key = f"checkout-{ORDER}/s{number}"
        response = run(sandbox.gateway.find(key=key, since=begun - timedelta(minutes=5), until=begun + until))
        return None if response is None else response.standing.step

    assert found(0) == f"checkout-{ORDER}/s0"
    assert found(119) == f"checkout-{ORDER}/s119"
    assert found(120) is None
    assert found(0, -timedelta(minutes=1)) is None


def test_the_client_secret_is_handed_out_and_stored_nowhere(sandbox, ledger):
    reference = sandbox.authorize(AUTHENTICATION_REQUIRED).reference
    secret = run(sandbox.gateway.action(reference)).value
    assert secret.startswith(f"{reference}_secret_")
    sandbox.books.shopper_passes(reference)
    shown = str(sandbox.books.events(sandbox.clock()))
    assert secret in shown
    assert "Jenny Rosen" in shown
    sandbox.gateway.close()
    stored = b"".join(file.read_bytes() for file in ledger.parent.iterdir())
    assert reference.encode() in stored
    assert secret.encode() not in stored
    assert b"Jenny" not in stored


# The file


def locked(ledger):
    """Another process that writes, and does not end."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    other = sqlite3.connect(ledger, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return closing(other)


def test_a_ledger_that_another_process_is_just_making_is_waited_for(ledger):
    with locked(ledger) as other, ThreadPoolExecutor(1) as thread:
        opening = thread.submit(Sandbox, ledger)
        with pytest.raises(TimeoutError):
            opening.result(timeout=0.2)
        other.execute("ROLLBACK")
        sandbox = opening.result()
    assert sandbox.authorize().authorized == 1000
    sandbox.gateway.close()


def test_a_ledger_that_is_never_free_is_unavailable_from_the_start(ledger):
    with locked(ledger), pytest.raises(GatewayUnavailable, match="ledger_busy"):
        SandboxGateway(ledger, busy_seconds=0.05)


def test_a_ledger_that_stays_locked_is_unavailable_and_nothing_was_done(ledger):
    gateway = SandboxGateway(ledger, busy_seconds=0.05)

    def authorize():
        return run(gateway.authorize(key="1", method=VISA, amount=TEN, order_id=ORDER))

    with locked(ledger), pytest.raises(GatewayUnavailable, match="ledger_busy"):
        authorize()
    assert gateway.charges() == []
    assert authorize().standing.authorized == 1000
    gateway.close()


def test_a_closed_gateway_is_away(sandbox):
    sandbox.gateway.close()
    with pytest.raises(GatewayUnavailable):
        sandbox.authorize()
    with pytest.raises(GatewayUnavailable):
        sandbox.gateway.charges()


@pytest.mark.parametrize(
    "damage",
    [
        lambda ledger: ledger.write_bytes(b"no database " * 500),
        lambda ledger: ledger.write_bytes(ledger.read_bytes()[:100] + bytes(4_000)),
        lambda ledger: (ledger.unlink(), ledger.mkdir()),
    ],
    ids=["garbage", "cut off", "a folder"],
)
def test_a_file_that_is_no_ledger_is_named_and_left_as_it_is(sandbox, ledger, damage):
    sandbox.authorize()
    sandbox.gateway.close()
    for beside in ledger.parent.glob("sandbox.sqlite-*"):
        beside.unlink()
    damage(ledger)
    before = ledger.read_bytes() if ledger.is_file() else None
    with pytest.raises(GatewayUnavailable, match=rf"the sandbox's ledger {ledger} cannot be used"):
        SandboxGateway(ledger)
    assert (ledger.read_bytes() if ledger.is_file() else None) == before


def test_a_ledger_that_is_damaged_under_the_gateway_is_unavailable(sandbox, ledger):
    sandbox.authorize(key="1")
    with closing(sqlite3.connect(ledger, isolation_level=None)) as somebody:
        somebody.execute("UPDATE calls SET body = '['")
        with pytest.raises(GatewayUnavailable, match="cannot be used"):
            sandbox.authorize(key="1")
        somebody.execute("DROP TABLE objects")
        with pytest.raises(GatewayUnavailable, match="no such table"):
            sandbox.authorize(key="2")
