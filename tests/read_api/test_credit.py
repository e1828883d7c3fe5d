"""Gift cards and store credit, as the operator reads them."""

from __future__ import annotations

from datetime import date

import httpx

from aggregates.credit.events import (
    AccountBlocked,
    AccountExpired,
    AccountOpened,
    Credited,
    Redeemed,
    RedemptionReleased,
)
from aggregates.kernel import Money
from tests.shop.views import ViewShop


def pounds(amount: int) -> Money:
    return Money(amount, "GBP")


def test_an_account_shows_its_balance_and_what_changed_it(shop: ViewShop, api: httpx.Client) -> None:
    opened = AccountOpened(account_id="a", kind="gift_card", currency="GBP", expires_on=date(2026, 12, 31))
    shop.happens(opened, Credited(account_id="a", amount=pounds(1_000), cause="issued", reason="secret"))
    shown = api.get("/api/v1/credit/a").json()
    assert [(one["what"], one["amount"]) for one in shown.pop("movements")] == [("issued", 1_000)]
    assert shown == {
        "id": "a",
        "kind": "gift_card",
        "currency": "GBP",
        "customer_id": None,
        "expires_on": "2026-12-31",
        "balance": 1_000,
        "blocked": False,
        "expired": False,
        "next": None,
        "position": 2,
    }
    for event, balance, movement in (
        (Redeemed(account_id="a", order_id="o", amount=pounds(700)), 300, ("redeemed", -700, "o")),
        (
            Credited(account_id="a", amount=pounds(200), cause="refunded", order_id="o", credit_note_id="n"),
            500,
            ("refunded", 200, "o"),
        ),
        (RedemptionReleased(account_id="a", order_id="o", amount=pounds(500)), 1_000, ("released", 500, "o")),
        (AccountBlocked(account_id="a", reason="stolen"), 1_000, ("blocked", 0, None)),
        (AccountExpired(account_id="a", amount=pounds(1_000)), 0, ("expired", -1_000, None)),
    ):
        shop.happens(event)
        answer = api.get("/api/v1/credit/a")
        shown = answer.json()
        newest = shown["movements"][0]
        assert (newest["what"], newest["amount"], newest.get("order_id")) == movement
        assert shown["balance"] == balance
        assert answer.headers["Cache-Control"] == "private, no-cache"
    assert (shown["blocked"], shown["expired"]) == (True, True)


def test_movements_are_paged_and_what_happens_meanwhile_moves_no_page(
    shop: ViewShop, api: httpx.Client
) -> None:
    shop.happens(AccountOpened(account_id="a", kind="store_credit", currency="GBP", customer_id="c"))
    for amount in range(1, 6):
        shop.happens(Credited(account_id="a", amount=pounds(amount), cause="granted"))
    first = api.get("/api/v1/credit/a?limit=2").json()
    assert [one["amount"] for one in first["movements"]] == [5, 4]
    shop.happens(Credited(account_id="a", amount=pounds(6), cause="granted"))
    second = api.get("/api/v1/credit/a", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["amount"] for one in second["movements"]] == [3, 2]
    assert second["balance"] == 21
    last = api.get("/api/v1/credit/a", params={"limit": 2, "cursor": second["next"]}).json()
    assert ([one["amount"] for one in last["movements"]], last["next"]) == ([1], None)


def test_an_account_that_nobody_opened_is_unknown(shop: ViewShop, api: httpx.Client) -> None:
    shop.happens(AccountOpened(account_id="a", kind="gift_card", currency="GBP"))
    answer = api.get("/api/v1/credit/nobody")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-account")
