"""The end states on the sandbox; and each classic mistake, made on purpose, shows in one of them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aggregates.payments import observation, standing
from commands.gateways import stripe_events
from commands.gateways.gateway import Gateway
from commands.gateways.sandbox import gateway as sandbox_gateway
from commands.handlers import settlement
from commands.handlers.settlement import Account
from commands.processes import payment as payment_process
from tests.payments import world as world_module
from tests.payments.world import World

VISA = "pm_card_visa"
ASKS = "pm_card_authenticationRequired"
DECLINED = "pm_card_chargeDeclined"
ASKS_BACK = "pm_card_createDisputeInquiry"
Mutate = Callable[[pytest.MonkeyPatch], None]


def voids_without_looking(patch: pytest.MonkeyPatch) -> None:
    real = settlement.begin_void
    patch.setattr(settlement, "begin_void", lambda *a, **k: real(*a, **(k | {"unless_authorized": False})))


def cancels_on_a_failed_attempt(patch: pytest.MonkeyPatch) -> None:
    real = Account._decide_placed

    def decide(self: Account, total: Any, *, time_over: bool) -> None:
        failed = any(one.failed for one in self.payment.standings.values())
        if failed and self.payment.promised < total.amount:
            self.give_up("declined")
        else:
            real(self, total, time_over=time_over)

    patch.setattr(Account, "_decide_placed", decide)


def believes_that_a_refund_succeeded_for_good(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(standing._REFUND_RANK, "succeeded", 9)


def adds_captures_up(patch: pytest.MonkeyPatch) -> None:
    real = standing.join

    def added(one: Any, other: Any) -> Any:
        return replace(real(one, other), captured=one.captured + other.captured)

    patch.setattr(observation, "join", added)


def counts_what_a_charge_says_of_refunds(patch: pytest.MonkeyPatch) -> None:
    real = world_module.news_of

    def counted(event: Any, **arguments: Any) -> Any:
        news = real(event, **arguments)
        if event["type"] != "charge.refunded":
            return news
        charge = event["data"]["object"]
        refund = standing.RefundStanding(
            reference=charge["id"], amount=charge["amount_refunded"], state="succeeded"
        )
        counted_refund = standing.Standing(
            reference=charge["payment_intent"],
            currency=charge["currency"].upper(),
            order_id=charge["metadata"].get("order"),
            refunds=(refund,),
        )
        return replace(news, standing=counted_refund, ignored=None, reference=counted_refund.reference)

    patch.setattr(world_module, "news_of", counted)


def reads_a_disputes_money_off_its_status(patch: pytest.MonkeyPatch) -> None:
    real = stripe_events.standing_of_dispute

    def by_status(dispute: Any, *rest: Any, **named: Any) -> Any:
        standing_of = real(dispute, *rest, **named)
        gone = 0 if dispute["status"] in ("won", "warning_closed") else -dispute["amount"]
        move = standing.DisputeMove(transaction=dispute["id"], dispute=dispute["id"], amount=gone)
        return replace(standing_of, moves=(move,))

    patch.setattr(stripe_events, "standing_of_dispute", by_status)
    patch.setattr(sandbox_gateway, "standing_of_dispute", by_status)


def never_lists(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(payment_process.Payment, "_found", nothing)


def uses_an_old_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(payment_process, "KEY_AGE_MAX", timedelta(days=365))


MUTANTS: tuple[Mutate, ...] = (
    voids_without_looking,
    cancels_on_a_failed_attempt,
    believes_that_a_refund_succeeded_for_good,
    adds_captures_up,
    counts_what_a_charge_says_of_refunds,
    reads_a_disputes_money_off_its_status,
    never_lists,
    uses_an_old_key,
)


Step = tuple[str, int] | str
Scenario = tuple[str, str, tuple[Step, ...], tuple[str, str]]

SCENARIOS: dict[str, Scenario] = {
    "authorized, sent": (VISA, "fulfilment", ("step", "fulfil", "step"), ("fulfilled", "captured")),
    "captured at checkout": (VISA, "checkout", ("step", "step"), ("confirmed", "captured")),
    "declined": (DECLINED, "fulfilment", ("step", "step"), ("canceled", "declined")),
    "proof passed, told by news": (
        ASKS,
        "fulfilment",
        ("step", "shopper_passes"),
        ("confirmed", "authorized"),
    ),
    "proof failed": (ASKS, "fulfilment", ("step", "shopper_fails"), ("canceled", "declined")),
    "proof failed, another card passes before any news": (
        ASKS,
        "fulfilment",
        ("step", "shopper_fails", "shopper_pays_otherwise", "news_of_failure", "step"),
        ("confirmed", "authorized"),
    ),
    "nobody proves anything": (ASKS, "fulfilment", ("step",), ("canceled", "voided")),
    "canceled in flight": (VISA, "fulfilment", ("cancel", "step", "step"), ("canceled", "voided")),
    "canceled after the capture": (
        VISA,
        "checkout",
        ("step", "step", "cancel", "step"),
        ("canceled", "refunded"),
    ),
    "lapsed unsent": (VISA, "fulfilment", ("step", "hold_lapses"), ("canceled", "lapsed")),
    "refunded in the dashboard": (
        VISA,
        "checkout",
        ("step", "step", "refund_in_dashboard"),
        ("confirmed", "partially_refunded"),
    ),
    "a refund that failed, told backwards": (
        VISA,
        "checkout",
        ("step", "step", ("refund", 3), "step", "refund_fails", "news_backwards"),
        ("confirmed", "captured"),
    ),
    "a dispute that was won": (
        VISA,
        "checkout",
        ("step", "step", "dispute", ("dispute_ends", 0)),
        ("confirmed", "captured"),
    ),
    "a dispute that was lost": (
        VISA,
        "checkout",
        ("step", "step", "dispute", ("dispute_ends", 1)),
        ("confirmed", "disputed"),
    ),
    "an inquiry that was closed": (
        ASKS_BACK,
        "checkout",
        ("step", "step", ("inquiry_ends", 0)),
        ("confirmed", "captured"),
    ),
    "an inquiry during which the customer was refunded": (
        ASKS_BACK,
        "checkout",
        ("step", "step", ("refund", 3), "step", ("inquiry_ends", 0)),
        ("confirmed", "partially_refunded"),
    ),
    "an inquiry that became a dispute": (
        ASKS_BACK,
        "checkout",
        ("step", "step", ("inquiry_ends", 1)),
        ("confirmed", "disputed"),
    ),
    "a unit refunded before its part was taken": (
        VISA,
        "each",
        ("step", ("fulfil", 1), "step", ("refund", 1), "fulfil", "step"),
        ("fulfilled", "captured"),
    ),
    "sent and unsent units refunded together": (
        VISA,
        "each",
        ("step", ("fulfil", 1), "step", ("refund", 2), "step", "step"),
        ("fulfilled", "refunded"),
    ),
    "a stored fault after it was done": (
        VISA,
        "fulfilment",
        ("no_news_come", "create_fails", "step", "step", "step", "step", "step"),
        ("confirmed", "authorized"),
    ),
    "an answer lost for longer than a key lives": (
        VISA,
        "fulfilment",
        ("create_is_lost", "step", ("time_passes", 3), "step"),
        ("confirmed", "authorized"),
    ),
}


async def live(folder: Path, scenario: Scenario, use: Callable[[World], Gateway] | None = None) -> None:
    """Lives it to its end, with another gateway over the world's books where one is given."""
    method, capture, steps, end = scenario
    world = World(folder, method=method, capture=capture)
    world.doubled = True
    if use is not None:
        world.use(use(world))
    try:
        for step in steps:
            name, pick = (step, 0) if isinstance(step, str) else step
            await getattr(world, name)(pick)
        await world.rest()
        world.check()
        assert (world.desk.order.status, world.desk.payment.status) == end
        assert len([one for one in world.books.charges() if one.captured or one.status == "authorized"]) <= 1
    finally:
        await world.aclose()


def run(scenario: Scenario) -> None:
    """Lives it to its end. AssertionError, or whatever shows that it went wrong."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        asyncio.run(live(Path(folder), scenario))


@pytest.mark.parametrize("name", SCENARIOS)
def test_end_state(name: str) -> None:
    run(SCENARIOS[name])


def _shows(scenario: Scenario) -> bool:
    try:
        run(scenario)
    except Exception:  # whatever shows it
        return True
    return False


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__)
def test_a_mistake_is_caught(mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    assert any(map(_shows, SCENARIOS.values()))
