"""Gift cards and store credit over HTTP: issued, asked for, paid with, given back, sold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregates.credit.events import Credited, Redeemed, RedemptionReleased
from aggregates.kernel import Money
from aggregates.orders.events import OrderPlaced, Tender
from event_store.memory.log import MemoryLog
from tests.commands.test_priced_carts import rules
from tests.shop.http import CHECKOUT, Shop, key, open_shop, product_body

Scenario = Callable[[Shop], Awaitable[None]]


def gbp(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "GBP"}


def in_shop(folder: Path, scenario: Scenario, **settings: Any) -> None:
    """Mugs at 10.00 are in stock."""

    async def run() -> None:
        async with open_shop(MemoryLog(), folder, **settings) as shop:
            await shop.product("MUG", units=1_000, pence=1000)
            await scenario(shop)

    asyncio.run(run())


async def gift_card(shop: Shop, amount: int, **body: Any) -> dict[str, Any]:
    answer = await shop.post("/gift-cards", {"amount": gbp(amount), **body}, **key())
    assert answer.status_code == 201, answer.text
    card: dict[str, Any] = answer.json()
    return card


async def pay(
    shop: Shop, mugs: int, *named: dict[str, Any], cart_id: str | None = None, card: bool = True
) -> httpx.Response:
    """Checks out a cart of so many mugs."""
    cart_id = cart_id or await shop.cart(MUG=mugs)
    body = CHECKOUT | {"credits": list(named)}
    if not card:
        del body["payment"]
    return await shop.post(f"/carts/{cart_id}/checkout", body, **key(), Prefer="wait=10")


async def balance(shop: Shop, code: str) -> Any:
    answer = await shop.post("/gift-cards/balance", {"code": code})
    return answer.json()["balance"]["amount"] if answer.status_code == 200 else problem(answer)


def problem(answer: httpx.Response) -> str:
    kind: str = answer.json()["type"]
    return kind.removeprefix("/problems/")


def tenders(shop: Shop) -> list[tuple[Tender, ...]]:
    return [event.tenders for event in shop.events("orders.order_placed") if isinstance(event, OrderPlaced)]


def test_a_gift_cards_code_is_answered_once_and_to_the_same_request_again(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        named = key()
        first = await shop.post("/gift-cards", {"amount": gbp(5000)}, **named)
        again = await shop.post("/gift-cards", {"amount": gbp(5000)}, **named)
        assert (first.status_code, first.json()) == (201, again.json())
        assert again.headers["Idempotency-Replayed"] == "true"
        assert first.headers["Cache-Control"] == "no-store"
        other = await gift_card(shop, 5000)
        assert other["code"] != first.json()["code"]
        assert len(other["code"]) == 16
        missing = await shop.post("/gift-cards", {"amount": gbp(5000)})
        assert problem(missing) == "idempotency-key-required"

    in_shop(tmp_path, scenario)


def test_a_code_is_taken_as_people_type_it_and_wrong_ones_are_refused_alike(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
        refused = await shop.post("/gift-cards", {"amount": gbp(1), "expires_on": yesterday}, **key())
        assert (refused.status_code, problem(refused)) == (422, "last-day-over")
        code = (await gift_card(shop, 5000, expires_on="2199-12-31"))["code"]
        typed = "-".join(code[n : n + 4] for n in range(0, 16, 4)).lower().replace("0", "o").replace("1", "l")
        answer = await shop.post("/gift-cards/balance", {"code": typed})
        assert answer.json()["balance"] == gbp(5000)
        assert answer.json()["expires_on"] == "2199-12-31"
        unknown = await shop.post("/gift-cards/balance", {"code": "0" * 16})
        assert (unknown.status_code, problem(unknown)) == (404, "credit-unknown")
        for _ in range(2):
            await shop.post("/gift-cards/balance", {"code": "0" * 16})
        stopped = await shop.post("/gift-cards/balance", {"code": code})
        assert (stopped.status_code, problem(stopped)) == (429, "too-many-tries")
        assert (await pay(shop, 1, {"code": code})).status_code == 429
        assert (await pay(shop, 1)).status_code == 201

    in_shop(tmp_path, scenario, wrong_codes_per_minute=3)


def test_credit_pays_first_and_the_card_the_rest(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        card = await gift_card(shop, 700)
        placed = await pay(shop, 1, {"code": card["code"]})
        assert placed.status_code == 201, placed.text
        credit = Tender(kind="gift_card", amount=Money(700, "GBP"), account_id=card["id"])
        assert tenders(shop) == [(credit, Tender(kind="card", amount=Money(300, "GBP")))]
        (requested,) = shop.events("payments.payment_requested")
        assert requested.amount == Money(300, "GBP")
        assert await balance(shop, card["code"]) == 0

    in_shop(tmp_path, scenario)


def test_credit_for_all_of_it_needs_no_means_of_payment_and_confirms_at_once(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        card = await gift_card(shop, 5000)
        placed = await pay(shop, 2, {"code": card["code"]}, card=False)
        assert placed.status_code == 201, placed.text
        assert len(shop.events("orders.order_confirmed")) == 1
        assert shop.events("payments.step_begun") == []
        assert await balance(shop, card["code"]) == 3000
        short = await pay(shop, 4, {"code": card["code"]}, card=False)
        assert problem(short) == "payment-method-needed"
        assert await balance(shop, card["code"]) == 3000

    in_shop(tmp_path, scenario)


def test_several_accounts_pay_in_the_order_given_each_as_much_as_it_was_asked(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        one, two = await gift_card(shop, 700), await gift_card(shop, 900)
        empty = await gift_card(shop, 100)
        await pay(shop, 1, {"code": empty["code"]})
        placed = await pay(
            shop,
            1,
            {"code": two["code"], "amount": gbp(250)},
            {"code": empty["code"]},
            {"code": one["code"]},
        )
        assert placed.status_code == 201, placed.text
        kinds = [(one.key, one.amount.amount) for one in tenders(shop)[-1]]
        assert kinds == [(two["id"], 250), (one["id"], 700), ("card", 50)]

    in_shop(tmp_path, scenario)


def test_what_cannot_pay_is_refused_and_nothing_is_taken(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        card = await gift_card(shop, 700)
        euros = (await shop.post("/gift-cards", {"amount": {"amount": 5, "currency": "EUR"}}, **key())).json()
        blocked = await gift_card(shop, 700)
        assert (await shop.post(f"/gift-cards/{blocked['id']}/block", {"reason": "lost"})).status_code == 200
        head = shop.log.head()
        more = await pay(shop, 1, {"code": card["code"], "amount": gbp(701)})
        assert problem(more) == "credit-insufficient"
        facts = more.json()
        assert (facts["account_id"], facts["asked"], facts["available"]) == (card["id"], gbp(701), gbp(700))
        for named, expected, status in (
            ({"code": "Z" * 16}, "credit-unknown", 404),
            ({"account_id": card["id"]}, "credit-unknown", 404),
            ({"account_id": "nobody"}, "credit-unknown", 404),
            ({"code": blocked["code"]}, "credit-blocked", 409),
            ({"code": euros["code"]}, "wrong-currency", 409),
            ({"code": card["code"], "amount": {"amount": 1, "currency": "EUR"}}, "wrong-currency", 409),
            ({}, "invalid-request", 422),
            ({"code": card["code"], "account_id": "a"}, "invalid-request", 422),
            ({"code": "short"}, "invalid-request", 422),
        ):
            refused = await pay(shop, 1, named)
            assert (refused.status_code, problem(refused)) == (status, expected), refused.text
        twice = await pay(shop, 1, {"code": card["code"]}, {"code": card["code"].lower()})
        assert (twice.status_code, problem(twice)) == (422, "credit-named-twice")
        assert not [event for event in shop.events() if isinstance(event, Redeemed)]
        assert shop.log.head() - head == 2 * 11  # the carts that were filled
        assert await balance(shop, card["code"]) == 700

    in_shop(tmp_path, scenario)


def test_store_credit_is_one_account_a_customer_and_currency_and_pays_for_their_carts_alone(
    tmp_path: Path,
) -> None:
    async def scenario(shop: Shop) -> None:
        async def grant(customer: str, amount: int) -> httpx.Response:
            body = {"amount": gbp(amount), "reason": "a late parcel"}
            return await shop.post(f"/customers/{customer}/credit", body, **key())

        first, second, other = await grant("anna", 300), await grant("anna", 400), await grant("ben", 100)
        assert (first.status_code, second.status_code) == (201, 200)
        account_id = first.json()["id"]
        assert second.json()["id"] == account_id != other.json()["id"]

        async def cart_of(customer: str | None) -> str:
            body = {"currency": "GBP"} | ({"customer_id": customer} if customer else {})
            cart_id: str = (await shop.post("/carts", body)).json()["id"]
            await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 1})
            return cart_id

        for customer in ("ben", None):
            refused = await pay(shop, 1, {"account_id": account_id}, cart_id=await cart_of(customer))
            assert problem(refused) == "credit-unknown"
        placed = await pay(shop, 1, {"account_id": account_id}, cart_id=await cart_of("anna"))
        assert placed.status_code == 201, placed.text
        kinds = [(one.kind, one.amount.amount) for one in tenders(shop)[-1]]
        assert kinds == [("store_credit", 700), ("card", 300)]

    in_shop(tmp_path, scenario)


def test_an_order_that_is_canceled_or_declined_gives_its_credit_back_once(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        card = await gift_card(shop, 5000)
        order_id = (await pay(shop, 1, {"code": card["code"], "amount": gbp(600)})).json()["id"]
        assert await balance(shop, card["code"]) == 4400
        for _ in range(2):
            canceled = await shop.post(f"/orders/{order_id}/cancel")
            assert canceled.status_code == 200, canceled.text
        assert await balance(shop, card["code"]) == 5000
        cart_id = await shop.cart(MUG=1)
        body = CHECKOUT | {
            "payment": {"method": "pm_card_chargeDeclined"},
            "credits": [{"code": card["code"], "amount": gbp(600)}],
        }
        await shop.post(f"/carts/{cart_id}/checkout", body, **key(), Prefer="wait=10")
        assert await balance(shop, card["code"]) == 5000
        released = [event for event in shop.events() if isinstance(event, RedemptionReleased)]
        assert [one.amount.amount for one in released] == [600, 600]

    in_shop(tmp_path, scenario)


async def lists_gift_cards(shop: Shop, units: int = 100) -> None:
    """GIFT, a gift card of 25.00."""
    listed = await shop.post("/products", product_body("GIFT", pence=2500) | {"gift_card": True})
    assert listed.status_code == 201, listed.text
    await shop.post("/inventory/GIFT/receipts", {"quantity": units}, **key())


def test_each_unit_of_a_gift_card_that_is_sent_is_opened_once_with_its_price(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await lists_gift_cards(shop)
        order_id = (await shop.checkout(await shop.cart(GIFT=3, MUG=1))).json()["id"]
        named = key()
        body = {"lines": [{"line_id": "1", "quantity": 2}]}
        first = await shop.post(f"/orders/{order_id}/fulfilments", body, **named)
        assert first.status_code == 201, first.text
        again = await shop.post(f"/orders/{order_id}/fulfilments", body, **named)
        assert again.json()["gift_cards"] == first.json()["gift_cards"]
        rest = await shop.post(f"/orders/{order_id}/fulfilments", {"all": True}, **key())
        cards = first.json()["gift_cards"] + rest.json()["gift_cards"]
        assert [card["line_id"] for card in cards] == ["1"] * 3
        assert len({card["code"] for card in cards}) == 3
        for card in cards:
            assert await balance(shop, card["code"]) == 2500
        sold = [event for event in shop.events("credit.credited") if isinstance(event, Credited)]
        assert [(one.cause, one.order_id) for one in sold] == [("sold", order_id)] * 3

    in_shop(tmp_path, scenario)


def test_gift_cards_are_not_paid_with_credit(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await lists_gift_cards(shop)
        card = await gift_card(shop, 9000)
        cart_id = await shop.cart(GIFT=1, MUG=2)
        placed = await pay(shop, 0, {"code": card["code"]}, cart_id=cart_id)
        assert placed.status_code == 201, placed.text
        assert [(one.kind, one.amount.amount) for one in tenders(shop)[-1]] == [
            ("gift_card", 2000),
            ("card", 2500),
        ]

    in_shop(tmp_path, scenario)


@pytest.mark.parametrize(("how", "tea_tax"), [("inclusive", 150), ("exclusive", 180)])
def test_gift_cards_are_sold_untaxed_and_not_discounted(tmp_path: Path, how: str, tea_tax: int) -> None:
    async def scenario(shop: Shop) -> None:
        vat = {"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]}
        market = {"market_id": "main", "countries": ["GB"], "currencies": ["GBP"], "tax_pricing": how}
        ten = {"promotion_id": "ten", "label": "10 % off", "action": {"kind": "percent_off", "percent": 10}}
        home = {"country": "GB", "tax_included": how == "inclusive"}
        assert (await shop.client.put("/api/v1/home", json=home)).status_code == 201
        await lists_gift_cards(shop)
        await shop.product("TEA", units=9, pence=1000)
        await rules(
            shop,
            markets=[market],
            tax_areas=[{"area_id": "gb", "country": "GB", "rates": [vat]}],
            shipping_methods=[
                {"method_id": "post", "label": "Post", "tiers": [{"price": {"GBP": 395}}], "zones": []}
            ],
            promotions=[ten],
        )
        cart_id = await shop.cart(GIFT=2)
        placed = await shop.checkout(cart_id)  # what is not sent needs no shipping method
        assert placed.status_code == 201, placed.text
        (card,) = shop.events("orders.order_placed")[0].lines
        assert (card.discount, card.tax, card.paid) == (Money(0, "GBP"), Money(0, "GBP"), Money(5000, "GBP"))

        cart_id = await shop.cart(GIFT=1, TEA=1)
        delivery = {"country": "GB", "method_id": "post"}
        await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
        placed = await shop.checkout(cart_id)
        assert placed.status_code == 201, placed.text
        event = shop.events("orders.order_placed")[-1]
        card, tea = event.lines
        assert (card.paid, card.tax, card.gift_card, card.tax_group) == (
            Money(2500, "GBP"),
            Money(0, "GBP"),
            True,
            None,
        )
        assert (tea.discount, tea.tax, tea.gift_card) == (Money(100, "GBP"), Money(tea_tax, "GBP"), False)
        assert event.total == sum((line.paid for line in event.lines), Money(event.shipping.paid, "GBP"))

    in_shop(tmp_path, scenario)


def test_no_code_is_stored_in_any_event_or_answer_of_the_log(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await lists_gift_cards(shop)
        card = await gift_card(shop, 5000)
        await balance(shop, card["code"])
        await pay(shop, 1, {"code": card["code"]})
        order_id = (await shop.checkout(await shop.cart(GIFT=1))).json()["id"]
        sent = await shop.post(f"/orders/{order_id}/fulfilments", {"all": True}, **key())
        codes = [card["code"], sent.json()["gift_cards"][0]["code"]]
        assert len(codes) == 2
        kept = repr([vars(shop.log), list(shop.log.read_all(after=0, limit=10_000))])
        assert card["id"] in kept
        assert not [code for code in codes if code in kept]

    in_shop(tmp_path, scenario)
