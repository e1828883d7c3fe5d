"""Gift cards that an order sold, and whose money it gives back: what goes back for a card is taken off it,
and what was spent of it is not paid back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aggregates.credit.events import Debited, DebitReleased
from commands.gateways.gateway import GatewayRefusal
from commands.processes.gateway_news import catch_up, context_of
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.commands.test_priced_carts import rules
from tests.credit.test_refunds import happened, refund
from tests.credit.test_routes import balance, gbp, in_shop, lists_gift_cards, pay, problem
from tests.replays.test_price_contradictions import changed, to
from tests.shop.commands import eventually
from tests.shop.facts import CODEC
from tests.shop.http import Shop, key, open_shop

NEVER = {
    "promotion_id": "never",
    "label": "10 % off from 900.00",
    "action": {"kind": "percent_off", "percent": 10},
    "conditions": [{"kind": "amount_at_least", "amount": {"GBP": 90_000}}],
}
"""A rule of sale, so that lines bear all of an order; it applies to none here."""


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


async def refund_in_dashboard(shop: Shop, order_id: str, amount: int) -> None:
    """Somebody gives money back at the gateway itself, and its news come."""
    (charge,) = shop.gateway.charges(order_id)
    shop.gateway.books.refund_in_dashboard(charge.reference, amount)
    before, now = len(refunded(shop)), datetime.now(UTC)
    await catch_up(
        shop.gateway,
        lambda news: shop.handling.handle(news, context_of(shop.gateway)),
        since=now - timedelta(hours=1),
        now=now,
    )
    await eventually(lambda: len(refunded(shop)) > before, lambda: shop.events("payments.payment_refunded"))


async def send(shop: Shop, order_id: str, **units: int) -> list[str]:
    """Units by line, named `_1`; the codes of the gift cards among them."""
    lines = [{"line_id": line_id[1:], "quantity": quantity} for line_id, quantity in units.items()]
    sent = await shop.post(f"/orders/{order_id}/fulfilments", {"lines": lines}, **key())
    assert sent.status_code == 201, sent.text
    return [one["code"] for one in sent.json().get("gift_cards", ())]


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


@pytest.mark.parametrize(
    ("with_rules", "left"), [(True, 1250), (False, 1750)], ids=["shared by all lines", "for the mug first"]
)
def test_what_the_dashboard_gave_back_for_a_card_is_off_it_when_it_is_sent(
    tmp_path: Path, with_rules: bool, left: int
) -> None:
    """A card of 25.00 and a mug of 10.00, and 17.50 of it is back before the card is sent."""

    async def scenario(shop: Shop) -> None:
        if with_rules:
            await rules(shop, promotions=[NEVER])
        await lists_gift_cards(shop)
        placed = await shop.checkout(await shop.cart(GIFT=1, MUG=1))
        order_id = placed.json()["id"]
        await send(shop, order_id, _2=1)
        await happened(shop, "payments.payment_captured")
        await refund_in_dashboard(shop, order_id, 1750)
        (code,) = await send(shop, order_id, _1=1)
        assert (refunded(shop), await balance(shop, code)) == ([1750], left)
        (debited,) = shop.events("credit.debited")
        (note,) = shop.events("orders.credit_note_issued")
        assert (debited.credit_note_id, debited.amount.amount) == (note.credit_note_id, 2500 - left)
        verified(shop)

    in_shop(tmp_path, scenario)


def test_what_was_spent_before_the_dashboard_gave_it_back_is_off_the_cards_that_are_sent_after(
    tmp_path: Path,
) -> None:
    async def scenario(shop: Shop) -> None:
        await lists_gift_cards(shop)
        placed = await shop.checkout(await shop.cart(GIFT=3))
        order_id = placed.json()["id"]
        (first,) = await send(shop, order_id, _1=1)
        await happened(shop, "payments.payment_captured")
        await spend(shop, first, 2000)
        for amount in (1500, 1700):  # Of the first card 5.00 are left to take, then nothing.
            await refund_in_dashboard(shop, order_id, amount)
        assert await balance(shop, first) == 0
        second, third = await send(shop, order_id, _1=2)
        assert [await balance(shop, code) for code in (second, third)] == [0, 2300]
        notes = [event.credit_note_id for event in shop.events("orders.credit_note_issued")]
        debits = [
            (notes.index(one.credit_note_id), one.amount.amount) for one in shop.events("credit.debited")
        ]
        assert debits == [(0, 500), (0, 1000), (1, 1500), (1, 200)]
        verified(shop)

    in_shop(tmp_path, scenario)


def test_units_that_were_refunded_are_not_taken_off_the_others(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await lists_gift_cards(shop)
        placed = await shop.checkout(await shop.cart(GIFT=3))
        order_id = placed.json()["id"]
        (first,) = await send(shop, order_id, _1=1)
        await happened(shop, "payments.payment_captured")
        assert (await refund(shop, order_id, **line(1))).status_code == 201  # One that is not sent then.
        (second,) = await send(shop, order_id, _1=1)
        assert [await balance(shop, code) for code in (first, second)] == [2500, 2500]
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
