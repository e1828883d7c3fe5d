"""What tests on coupons share: promotions to issue them for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aggregates.pricing.rules import WHOLE, Action, Promotion
from aggregates.terms.promotions import Units
from event_store.memory.log import MemoryLog
from tests.shop.http import Shop, open_shop

AUTOMATIC = {"promotion_id": "ten", "label": "10 % off", "action": {"kind": "percent_off", "percent": 10}}
WELCOME = AUTOMATIC | {"promotion_id": "welcome", "automatic": False}
PROMOTION = Promotion(
    promotion_id="welcome",
    label="10 % off",
    automatic=False,
    action=Action(kind="percent_off", percent=WHOLE // 10),
)
UNITS = Units(line=999, cart=99_900)


def in_a_shop(tmp_path: Path, scenario: Callable[[Shop], Awaitable[None]], **settings: Any) -> None:
    """Runs the scenario in a shop that gives both promotions."""

    async def run() -> None:
        async with open_shop(MemoryLog(), tmp_path, **settings) as shop:
            for promotion in (AUTOMATIC, WELCOME):
                assert (await shop.post("/promotions", promotion)).status_code == 201
            await scenario(shop)

    asyncio.run(run())
