"""Refunds of orders that credit paid a part of: the card first, each tender at most what it gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregates.credit.events import Credited
from tests.credit.test_routes import balance, gbp, gift_card, in_shop, pay, problem
from tests.shop.commands import eventually
from tests.shop.http import Shop, key


async def refund(shop: Shop, order_id: str, **body: Any) -> httpx.Response:
    """Waits for the gateway's answer."""
    return await shop.post(f"/orders/{order_id}/refunds", body, **key(), Prefer="wait=10")


async def bought(shop: Shop, mugs: int, credit: int, *, sent: bool = True) -> tuple[str, dict[str, Any]]:
    """Mugs paid with a gift card of `credit` and a card, captured where they are sent: order and card."""
    card = await gift_card(shop, credit)
    placed = await pay(shop, mugs, {"code": card["code"]})
    assert placed.status_code == 201, placed.text
    order_id: str = placed.json()["id"]
    if sent:
        done = await shop.post(f"/orders/{order_id}/fulfilments", {"all": True}, **key())
        assert done.status_code in (200, 201), done.text
        await eventually(
            lambda: bool(shop.events("payments.payment_captured")), lambda: shop.events("payments.step_begun")
        )
    return order_id, card


async def happened(shop: Shop, kind: str) -> None:
    """Waits for an event of the kind."""
    await eventually(lambda: bool(shop.events(kind)), lambda: shop.events("payments.step_begun"))


def given_back(shop: Shop) -> list[dict[str, int]]:
    """Each refund by what it went back to."""
    return [
        {one.kind: one.amount.amount for one in event.tenders or ()}
        for event in shop.events("orders.order_refunded")
    ]


def test_a_refund_goes_to_the_card_first_and_then_to_the_gift_card(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, card = await bought(shop, 10, 3000)
        for amount in (5000, 4000, 1000):
            answer = await refund(shop, order_id, amount=gbp(amount))
            assert answer.status_code in (200, 201), answer.text
        assert given_back(shop) == [{"card": 5000}, {"card": 2000, "gift_card": 2000}, {"gift_card": 1000}]
        assert await balance(shop, card["code"]) == 3000
        credited = [event for event in shop.events() if isinstance(event, Credited)]
        assert [(one.cause, one.amount.amount) for one in credited] == [
            ("issued", 3000),
            ("refunded", 2000),
            ("refunded", 1000),
        ]
        over = await refund(shop, order_id, amount=gbp(1))
        assert problem(over) == "nothing-to-refund"

    in_shop(tmp_path, scenario)


def test_canceled_instead_the_gift_card_is_released_and_the_hold_given_up(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, card = await bought(shop, 10, 3000, sent=False)
        canceled = await shop.post(f"/orders/{order_id}/cancel", {"reason": "changed my mind"}, **key())
        assert canceled.status_code == 200, canceled.text
        await eventually(
            lambda: bool(shop.events("payments.payment_voided")), lambda: shop.events("payments.step_begun")
        )
        (voided,) = shop.events("payments.payment_voided")
        assert voided.amount.amount == 7000
        assert await balance(shop, card["code"]) == 3000

    in_shop(tmp_path, scenario)


def test_the_operator_may_name_the_tender_and_none_gets_more_than_it_gave(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, card = await bought(shop, 10, 3000)
        over = await refund(
            shop, order_id, amount=gbp(4000), to=[{"tender": card["id"], "amount": gbp(3001)}]
        )
        assert (over.status_code, problem(over)) == (409, "refund-over-tender")
        facts = over.json()
        assert (facts["tender"], facts["asked"], facts["remaining"]) == (card["id"], gbp(3001), gbp(3000))
        unknown = await refund(shop, order_id, amount=gbp(10), to=[{"tender": "nobody", "amount": gbp(1)}])
        assert (problem(unknown), unknown.json()["remaining"]) == ("refund-over-tender", gbp(0))
        more = await refund(shop, order_id, amount=gbp(10), to=[{"tender": "card", "amount": gbp(11)}])
        assert problem(more) == "refund-too-large"
        euros = {"amount": 1, "currency": "EUR"}
        other = await refund(shop, order_id, amount=gbp(10), to=[{"tender": "card", "amount": euros}])
        assert problem(other) == "wrong-currency"
        assert given_back(shop) == []
        done = await refund(
            shop, order_id, amount=gbp(4000), to=[{"tender": card["id"], "amount": gbp(3000)}]
        )
        assert done.status_code in (200, 201), done.text
        assert given_back(shop) == [{"card": 1000, "gift_card": 3000}]
        rest = await refund(shop, order_id, all=True)
        assert rest.status_code in (200, 201), rest.text
        assert given_back(shop)[1:] == [{"card": 6000}]

    in_shop(tmp_path, scenario)


@pytest.mark.parametrize("way", ["refunded", "canceled"])
def test_what_credit_paid_alone_comes_back_to_it_without_a_gateway(tmp_path: Path, way: str) -> None:
    async def scenario(shop: Shop) -> None:
        card = await gift_card(shop, 5000)
        placed = await pay(shop, 2, {"code": card["code"]}, card=False)
        order_id = placed.json()["id"]
        (captured,) = shop.events("payments.payment_captured")
        assert (captured.source, captured.amount.amount) == ("credit", 2000)
        if way == "canceled":
            answer = await shop.post(f"/orders/{order_id}/cancel", {}, **key())
        else:
            await shop.post(f"/orders/{order_id}/fulfilments", {"all": True}, **key())
            answer = await refund(shop, order_id, all=True)
            assert given_back(shop) == [{"gift_card": 2000}]
        assert answer.status_code in (200, 201), answer.text
        assert await balance(shop, card["code"]) == 5000
        assert shop.events("payments.step_begun") == []
        (back,) = shop.events("payments.payment_refunded")
        assert back.amount.amount == 2000

    in_shop(tmp_path, scenario)


def test_a_part_of_what_was_not_captured_is_refused_though_it_is_the_cards_whole_part(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        order_id, card = await bought(shop, 10, 3000, sent=False)
        refused = await refund(shop, order_id, amount=gbp(7000))
        assert problem(refused) == "partial-refund-before-capture"
        assert await balance(shop, card["code"]) == 0
        whole = await refund(shop, order_id, amount=gbp(10000))
        assert whole.status_code in (200, 201), whole.text
        assert len(shop.events("orders.order_canceled")) == 1
        assert await balance(shop, card["code"]) == 3000

    in_shop(tmp_path, scenario)
