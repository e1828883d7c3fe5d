"""docs/pricing.md: every body in it is accepted by a shop, and every action and condition has one."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any, get_args

from aggregates.pricing.rules import ActionKind, ConditionKind
from event_store.memory.log import MemoryLog
from tests.shop.http import open_shop

PAGE = Path(__file__).parents[2] / "docs" / "pricing.md"


def bodies() -> list[dict[str, Any]]:
    """The JSON blocks of the page, in its order."""
    found = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [json.loads(block) for block in found]


def conditions(body: dict[str, Any]) -> list[str]:
    """The kinds of its conditions, those within `any_of` too."""
    listed = body.get("conditions", [])
    return [one["kind"] for each in listed for one in (each, *each.get("any_of", []))]


def test_every_body_of_the_page_is_accepted(tmp_path: Path) -> None:
    async def post_all() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            for body in bodies():
                response = await shop.post("/coupons" if "code" in body else "/promotions", body)
                assert response.status_code == 201, (body, response.text)

    asyncio.run(post_all())


def test_every_action_and_every_condition_has_a_body() -> None:
    promotions = [body for body in bodies() if "action" in body]
    assert {body["action"]["kind"] for body in promotions} == set(get_args(ActionKind))
    assert {kind for body in promotions for kind in conditions(body)} == set(get_args(ConditionKind))
