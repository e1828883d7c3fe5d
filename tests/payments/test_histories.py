"""Random histories: whatever happens in whatever order, books here and at the gateway end alike."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.payments.world import World

ACTIONS = (
    *["step"] * 6,
    *["news"] * 4,
    "news_again",
    "crash",
    "fault",
    "time_passes",
    "shopper_passes",
    "shopper_fails",
    "shopper_pays_otherwise",
    "hold_lapses",
    "refund_in_dashboard",
    "dispute",
    "dispute_ends",
    "refund_fails",
    "cancel",
    "fulfil",
    "refund",
    "expire",
    "retry",
)
METHODS = (
    "pm_card_visa",
    "pm_card_authenticationRequired",
    "pm_card_chargeDeclined",
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_card_captureRefused",
)

history = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10_000)), max_size=40)


async def live(folder: Path, method: str, capture: str, actions: list[tuple[str, int]]) -> None:
    """The actions, then rest, then the check."""
    world = World(folder, method=method, capture=capture)
    try:
        for action, pick in actions:
            await getattr(world, action)(pick)
        await world.rest()
        world.check()
    finally:
        await world.aclose()


@given(st.sampled_from(METHODS), st.sampled_from(["fulfilment", "checkout", "each"]), history)
@settings(
    max_examples=int(os.environ.get("DAYBOOK_HISTORIES", "150")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_happens_the_books_agree_in_the_end(
    method: str, capture: str, actions: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        asyncio.run(live(Path(folder), method, capture, actions))
