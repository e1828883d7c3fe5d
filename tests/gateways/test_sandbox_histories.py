"""Histories of chance: whatever happens to a payment, its news in any order tell what a look tells."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates.kernel import Money
from aggregates.payments.standing import Standing, join
from commands.gateways.gateway import GatewayError
from commands.gateways.sandbox import AUTHENTICATION_REQUIRED, CHARGE_DECLINED, VISA
from commands.gateways.sandbox.cards import CREATE_DISPUTE, PENDING_REFUND, REFUND_FAIL
from commands.gateways.stripe_events import API_VERSION, news_of
from tests.gateways.sandbox import TEN, Sandbox

CARDS = [VISA, CHARGE_DECLINED, AUTHENTICATION_REQUIRED, CREATE_DISPUTE, PENDING_REFUND, REFUND_FAIL]
AMOUNTS = st.integers(1, 1000)
FAULTS = st.sampled_from(["lost_before", "lost_after", "500_done", "429"])
ACTIONS = st.one_of(
    st.tuples(st.just("capture"), AMOUNTS, st.booleans()),
    st.tuples(st.just("refund"), AMOUNTS),
    st.tuples(st.just("void"), st.booleans()),
    st.tuples(st.sampled_from(["shopper_passes", "shopper_fails", "hold_lapses"])),
    st.tuples(st.just("shopper_pays_with"), st.sampled_from(CARDS)),
    st.tuples(st.sampled_from(["refund_in_dashboard", "dispute"]), AMOUNTS),
    st.tuples(st.sampled_from(["refund_settles", "refund_fails", "dispute_won", "dispute_lost"])),
    st.tuples(
        st.just("plant"),
        st.sampled_from(["payment_intents.capture", "payment_intents.cancel", "refunds.create"]),
        FAULTS,
    ),
)


def act(sandbox: Sandbox, reference: str, key: str, name: str, *how: Any) -> None:
    """An action, twice where it is a call of ours: under one key it is done once."""
    books = sandbox.books
    match name:
        case "capture":
            amount, final = how
            sandbox.capture(reference, Money(amount, "GBP"), key=key, final=final)
        case "refund":
            sandbox.refund(reference, Money(how[0], "GBP"), key=key)
        case "void":
            sandbox.void(reference, key=key, unless_authorized=how[0])
        case "plant":
            books.plant(*how)
        case "refund_settles" | "refund_fails":
            for refund in books.objects(reference, "refund")[-1:]:
                getattr(books, name)(refund["id"])
        case "dispute_won" | "dispute_lost":
            for dispute in books.objects(reference, "dispute")[-1:]:
                getattr(books, name)(dispute["id"])
        case _:
            getattr(books, name)(reference, *how)


def money_of(standing: Standing) -> tuple[object, ...]:
    return (
        standing.authorized,
        standing.captured,
        standing.closed,
        sorted(standing.refunds, key=str),
        sorted(standing.moves, key=str),
    )


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(CARDS),
    in_parts=st.booleans(),
    actions=st.lists(ACTIONS, max_size=12),
    seed=st.integers(0, 2**32),
)
def test_news_of_chance_tell_what_a_look_tells(method, in_parts, actions, seed):
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder) / "sandbox.sqlite")
        reference = sandbox.authorize(method, TEN, in_parts=in_parts).reference
        for number, (name, *how) in enumerate(actions):
            for _ in range(2 if name in ("capture", "refund", "void") else 1):
                try:
                    act(sandbox, reference, f"key-{number}", name, *how)
                except GatewayError:
                    continue
        sandbox.books.clear_faults()
        looked = sandbox.look(reference)
        events = sandbox.books.events(sandbox.clock()) * 2
        random.Random(seed).shuffle(events)
        news = [news_of(event, livemode=False, api_version=API_VERSION) for event in events]
        parts = [one.standing for one in news if one.standing is not None]
        joined = parts[0]
        for part in parts[1:]:
            joined = join(joined, part)
        assert money_of(joined) == money_of(looked)

        moved = sandbox.books.objects(reference, "balance_transaction")
        pending = sum(one.amount for one in looked.refunds if one.state == "pending")
        assert sum(one["amount"] for one in moved) == (
            looked.captured - looked.returned + pending - looked.disputed
        )
        assert 0 <= looked.returned <= looked.captured <= looked.most <= 1000
        charges = sandbox.books.objects(reference, "charge")
        assert len([one for one in charges if one["status"] == "succeeded"]) <= 1
        (line,) = sandbox.gateway.charges()
        assert (line.captured, line.refunded) == (looked.captured, looked.returned)
        sandbox.gateway.close()
