"""Gift cards that an order sold, and whose money it gives back: what goes back for a card is taken off it,
and what was spent of it is not paid back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aggregates.credit.events import Debited, DebitReleased
from commands.gateways.gateway import GatewayRefusal
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.credit.test_refunds import happened, refund
from tests.credit.test_routes import balance, gbp, in_shop, lists_gift_cards, pay, problem
from tests.replays.test_price_contradictions import changed, to
from tests.shop.commands import eventually
from tests.shop.facts import CODEC
from tests.shop.http import Shop, key, open_shop


async def sold(shop: Shop, cards: int, mugs: int = 0) -> tuple[str, list[str]]:
    """An order of gift cards of 25.00, and of mugs of 10.00, paid by card and sent; the codes."""
    await lists_gift_cards(shop)
    cart_id = await shop.cart(GIFT=cards, **({"MUG": mugs} if mugs else {}))
    placed = await shop.checkout(cart_id)
    assert placed.status_code == 201, placed.text
    order_id = placed.json()["id"]
    sent = await shop.post(f"/orders/{order_id}/fulfilments", {"all": True}, **key())
    assert sent.status_code == 201, sent.text
    await happened(shop, "payments.payment_captured")
    return order_id, [one["code"] for one in sent.json()["gift_cards"]]


async def spend(shop: Shop, code: str, amount: int) -> None:
    placed = await pay(shop, 10, {"code": code, "amount": gbp(amount)})
    assert placed.status_code == 201, placed.text


def refunded(shop: Shop) -> list[int]:
    return [event.amount.amount for event in shop.events("orders.order_refunded")]


def line(quantity: int, line_id: str = "1") -> dict[str, Any]:
    return {"lines": [{"line_id": line_id, "quantity": quantity}]}


def verified(shop: Shop) -> None:
    found: list[str] = []
    verify(shop.log, CODEC, report=lambda finding: found.append(str(finding)))
    assert found == []


def test_a_card_that_is_refunded_pays_for_nothing_any_more(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, (code,) = await sold(shop, 1)
        answer = await refund(shop, order_id, **line(1))
        assert answer.status_code == 201, answer.text
        assert (refunded(shop), await balance(shop, code)) == ([2500], 0)
        verified(shop)

    in_shop(tmp_path, scenario)


def test_what_was_spent_of_a_card_is_not_paid_back_and_the_problem_says_what_is_left(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, (code,) = await sold(shop, 1)
        await spend(shop, code, 1250)
        for body in (line(1), {"all": True}, {"amount": gbp(1251)}):
            refused = await refund(shop, order_id, **body)
            assert (refused.status_code, problem(refused)) == (409, "gift-card-spent"), refused.text
            facts = refused.json()
            assert (facts["line_id"], facts["available"]) == ("1", gbp(1250))
        assert (refunded(shop), await balance(shop, code)) == ([], 1250)
        answer = await refund(shop, order_id, **line(1), amount=gbp(1250))
        assert answer.status_code == 201, answer.text
        assert (refunded(shop), await balance(shop, code)) == ([1250], 0)
        verified(shop)

    in_shop(tmp_path, scenario)


def test_of_several_cards_those_with_most_left_are_given_back_first(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, codes = await sold(shop, 3, mugs=1)
        await spend(shop, codes[0], 1000)
        assert (await refund(shop, order_id, **line(2))).status_code == 201
        assert [await balance(shop, code) for code in codes] == [1500, 0, 0]
        refused = await refund(shop, order_id, **line(1))
        assert (problem(refused), refused.json()["available"]) == ("gift-card-spent", gbp(1500))
        assert (await refund(shop, order_id, **line(1, "2"))).status_code == 201  # A mug is none.
        assert [await balance(shop, code) for code in codes] == [1500, 0, 0]
        verified(shop)

    in_shop(tmp_path, scenario)


def test_a_blocked_card_is_refunded_as_far_as_it_was_not_spent(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, _ = await sold(shop, 1)
        (opened,) = [one for one in shop.events("credit.account_opened") if one.kind == "gift_card"]
        assert (await shop.post(f"/gift-cards/{opened.account_id}/block", {})).status_code == 200
        assert (await refund(shop, order_id, **line(1))).status_code == 201
        (debited,) = shop.events("credit.debited")
        assert debited.amount.amount == 2500
        verified(shop)

    in_shop(tmp_path, scenario)


def test_a_card_that_was_not_sent_has_no_balance_to_take_from(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await lists_gift_cards(shop)
        placed = await shop.checkout(await shop.cart(GIFT=2, MUG=1))
        order_id = placed.json()["id"]
        sending = {"lines": [{"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1}]}
        sent = await shop.post(f"/orders/{order_id}/fulfilments", sending, **key())
        (card,) = sent.json()["gift_cards"]
        await happened(shop, "payments.payment_captured")
        await spend(shop, card["code"], 2500)
        assert (await refund(shop, order_id, **line(1))).status_code == 201  # The unit that was not sent.
        assert (refunded(shop), shop.events("credit.debited")) == ([2500], [])
        verified(shop)

    in_shop(tmp_path, scenario)


def test_of_cards_that_were_not_sent_units_are_refunded_and_no_mere_amount(tmp_path: Path) -> None:
    """Else they would be sent with all of their worth."""

    async def scenario(shop: Shop) -> None:
        await lists_gift_cards(shop)
        placed = await shop.checkout(await shop.cart(GIFT=2, MUG=1))
        order_id = placed.json()["id"]
        mug = {"lines": [{"line_id": "2", "quantity": 1}]}
        assert (await shop.post(f"/orders/{order_id}/fulfilments", mug, **key())).status_code == 201
        await happened(shop, "payments.payment_captured")
        refused = await refund(shop, order_id, amount=gbp(1001))
        assert (problem(refused), refused.json()["available"]) == ("gift-card-spent", gbp(0))
        assert (await refund(shop, order_id, amount=gbp(1000))).status_code == 201  # As far as for the mug.
        assert (await refund(shop, order_id, **line(1))).status_code == 201
        assert (refunded(shop), shop.events("credit.debited")) == ([1000, 2500], [])
        verified(shop)

    in_shop(tmp_path, scenario)


def test_cards_that_their_order_does_not_know_are_refunded_as_before(tmp_path: Path) -> None:
    async def scenario(folder: Path) -> None:
        log = MemoryLog()
        async with open_shop(log, folder) as shop:
            await shop.product("MUG", units=9, pence=1000)
            order_id, _ = await sold(shop, 1)
        old = changed(log, "orders.lines_fulfilled", to("gift_cards", value=[]))
        async with open_shop(old, folder) as shop:
            answer = await refund(shop, order_id, **line(1))
            assert answer.status_code == 201, answer.text
            assert (refunded(shop), shop.events("credit.debited")) == ([2500], [])

    asyncio.run(scenario(tmp_path))


@pytest.mark.parametrize("then", ["retry", "write-off"])
def test_while_the_gateway_is_asked_the_card_cannot_be_spent_and_given_up_it_can_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, (code,) = await sold(shop, 1)
        real = shop.gateway.refund

        async def refuses(**named: Any) -> Any:
            assert await balance(shop, code) == 0
            raise GatewayRefusal("not_possible")

        monkeypatch.setattr(shop.gateway, "refund", refuses)
        await refund(shop, order_id, **line(1))
        assert (refunded(shop), await balance(shop, code)) == ([], 0)
        monkeypatch.setattr(shop.gateway, "refund", real)
        await eventually(
            lambda: any("refund" in event.stuck for event in shop.events("payments.owed_changed")),
            lambda: shop.events("payments.step_ended"),
        )
        answer = await shop.post(f"/payments/{order_id}/{then}", {}, **key(), Prefer="wait=10")
        assert answer.status_code in (200, 201), answer.text
        if then == "retry":
            await eventually(lambda: refunded(shop) == [2500], lambda: shop.events("payments.step_ended"))
            assert await balance(shop, code) == 0
        else:
            assert (refunded(shop), await balance(shop, code)) == ([], 2500)
            kinds = [type(one) for one in shop.events("credit.debited", "credit.debit_released")]
            assert kinds == [Debited, DebitReleased]
        verified(shop)

    in_shop(tmp_path, scenario)
