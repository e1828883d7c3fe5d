"""Random histories of orders with discounts, tax, shipping and credit: the laws of money hold all the way."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.payments.priced_world import PRODUCTS, PricedWorld, Sale
from tests.payments.test_histories import ACTIONS, METHODS

MONEY_ACTIONS = (
    *ACTIONS,
    *["refund"] * 5,
    *["fulfil"] * 3,
    *["return_lines"] * 2,
    "refund_in_dashboard",
    "dispute",
    "dispute_ends",
    "credit_expires",
    "credit_is_blocked",
)

history = some.lists(some.tuples(some.sampled_from(MONEY_ACTIONS), some.integers(0, 10_000)), max_size=40)
sales = some.builds(
    Sale,
    units=some.tuples(*[some.integers(0, 4)] * len(PRODUCTS)).filter(any),
    tax_included=some.booleans(),
    discounted=some.booleans(),
    credit=some.tuples(some.integers(0, 3_000), some.integers(0, 3_000)),
)


async def live(folder: Path, method: str, capture: str, sale: Sale, actions: list[tuple[str, int]]) -> None:
    """The actions, the laws after each; then rest, then the check."""
    world = PricedWorld(folder, method=method, capture=capture, sale=sale)
    try:
        for action, pick in actions:
            await getattr(world, action)(pick)
            world.check_laws()
        await world.rest()
        world.check_laws()
        world.check()
    finally:
        await world.aclose()


@given(some.sampled_from(METHODS), some.sampled_from(["fulfilment", "checkout", "each"]), sales, history)
@settings(
    max_examples=int(os.environ.get("DAYBOOK_HISTORIES", "150")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_history_gives_more_back_than_was_paid_for_anything_or_to_anything(
    method: str, capture: str, sale: Sale, actions: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        asyncio.run(live(Path(folder), method, capture, sale, actions))
