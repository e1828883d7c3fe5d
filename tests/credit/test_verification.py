"""Accounts and orders that cannot all be so: verification names them, one changed fact at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aggregates.credit.events import (
    AccountExpired,
    Credited,
    Debited,
    DebitReleased,
    Redeemed,
    RedemptionReleased,
)
from aggregates.kernel import Money
from event_store.memory.log import MemoryLog
from tests.credit.test_routes import gift_card, pay
from tests.replays.test_price_contradictions import at, changed, findings, order_of, with_event
from tests.shop.http import open_shop


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> MemoryLog:
    """An order of 10.00, of which a gift card of 50.00 pays 7.00."""

    async def scenario(folder: Path) -> MemoryLog:
        log = MemoryLog()
        async with open_shop(log, folder) as shop:
            await shop.product("MUG", units=9, pence=1000)
            card = await gift_card(shop, 5000)
            amount = {"amount": 700, "currency": "GBP"}
            placed = await pay(shop, 1, {"code": card["code"], "amount": amount})
            assert placed.status_code == 201, placed.text
        return log

    return asyncio.run(scenario(tmp_path_factory.mktemp("shop")))


def account_of(log: MemoryLog) -> str:
    account_id = order_of(log).tenders[0].account_id
    assert account_id is not None
    return account_id


def test_an_untouched_log_has_nothing_wrong_with_it(sold: MemoryLog) -> None:
    assert findings(sold) == []


def test_credit_that_differs_between_order_and_account_is_found(sold: MemoryLog) -> None:
    found = findings(changed(sold, "credit.redeemed", at("amount", "amount", by=-1)))
    assert len([one for one in found if "differ on" in one]) == 2, found
    found = findings(changed(sold, "credit.credited", at("amount", "amount", by=-4_500)))
    assert any("its balance is -200" in one for one in found), found


def test_credit_that_nobody_took_or_that_comes_back_without_need_is_found(sold: MemoryLog) -> None:
    account_id, order_id = account_of(sold), order_of(sold).order_id
    pounds = Money(700, "GBP")
    facts: dict[str, Any] = {"account_id": account_id, "amount": pounds}
    more = Money(701, "GBP")
    for event, wrong in (
        (Redeemed(order_id="other", **facts), "differ on 700 GBP"),
        (RedemptionReleased(order_id=order_id, **facts), "though it is not canceled here"),
        (RedemptionReleased(order_id="other", **facts), "gives back 700, of 0"),
        (
            Credited(
                account_id=account_id, amount=more, cause="refunded", order_id=order_id, credit_note_id="n"
            ),
            "gives back 701, of 700",
        ),
        (Credited(account_id="another", amount=pounds, cause="granted"), "it was never opened"),
        (Credited(account_id=account_id, amount=Money(1, "EUR"), cause="granted"), "EUR, and the account"),
        (Debited(order_id=order_id, credit_note_id="n", **facts), "debits 700, and did not sell it"),
        (DebitReleased(order_id=order_id, credit_note_id="n", **facts), "700 released of 0 debited"),
        (AccountExpired(account_id=account_id, amount=Money(5_001, "GBP")), "its balance is -701"),
    ):
        found = findings(with_event(sold, event))
        assert any(wrong in one for one in found), (wrong, found)
