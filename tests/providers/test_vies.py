"""VAT numbers that VIES is to confirm: at checkout and for customers, answered, unknown and away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from aggregates.cart.events import CartPriced
from aggregates.customers.events import TaxStatusSet
from aggregates.orders.events import OrderPlaced
from commands.providers.choose import Providers
from commands.providers.vies import Vies
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.commands.test_vat_numbers import NUMBER, checked_out, german_shop
from tests.providers.stand_in import Reply, StandIn, stand_in
from tests.shop.facts import CODEC
from tests.shop.http import Shop, open_shop


def vies_knows(valid: bool) -> Callable[[dict[str, Any]], Reply]:
    """As VIES answers."""

    def answer(request: dict[str, Any]) -> Reply:
        return {
            "countryCode": request["countryCode"],
            "vatNumber": request["vatNumber"],
            "requestDate": "2026-11-26T10:00:00.000Z",
            "valid": valid,
            "requestIdentifier": "WAPIAAAAZ1" if "requesterNumber" in request else "",
            "name": "---",
            "address": "---",
        }

    return answer


def fault(name: str) -> Callable[[dict[str, Any]], Reply]:
    return lambda _: {"actionSucceed": False, "errorWrappers": [{"error": name}]}


def in_a_shop(
    tmp_path: Path, scenario: Callable[[Shop], Awaitable[None]], vies: StandIn, **settings: Any
) -> None:
    async def run() -> None:
        log = MemoryLog()
        made = vies.calls("vies")
        providers = Providers(vies=Vies(made), calls=(made,))
        async with aclosing(providers), open_shop(log, tmp_path, providers=providers, **settings) as shop:
            await scenario(shop)
        found: list[str] = []
        verify(log, CODEC, report=lambda finding: found.append(str(finding)))
        assert found == []

    asyncio.run(run())


def placed(shop: Shop) -> OrderPlaced:
    (order,) = [event for event in shop.events() if isinstance(event, OrderPlaced)]
    return order


def test_a_confirmed_number_gives_reverse_charge_and_the_order_keeps_the_consultation(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        cart_id = await german_shop(shop)
        home = {"country": "DE", "vat_numbers": {"DE": "DE136695976"}}
        assert (await shop.client.put("/api/v1/home", json=home)).is_success
        answer = await checked_out(shop, cart_id, vat_number=NUMBER)
        assert (answer.status_code, answer.json()["vat_status"]) == (201, "confirmed")
        order = placed(shop)
        assert order.total.amount == 1000
        assert order.vat_check is not None
        assert (order.vat_check.consultation, order.vat_check.country) == ("WAPIAAAAZ1", "AT")
        assert order.vat_check.checked_at is not None
        assert vies.requests == [
            {
                "countryCode": "AT",
                "vatNumber": "U13585627",
                "requesterMemberStateCode": "DE",
                "requesterNumber": "136695976",
            }
        ]

    with stand_in(vies_knows(True)) as vies:
        in_a_shop(tmp_path, scenario, vies)


@pytest.mark.parametrize(
    ("answer", "answered"),
    [
        (vies_knows(False), True),
        (fault("MS_UNAVAILABLE"), False),
        (fault("MS_MAX_CONCURRENT_REQ"), False),
        (lambda _: 500, False),
        (lambda _: b"<html>", False),
        (lambda _: {}, False),
        (lambda _: {"valid": True, "countryCode": "AT", "vatNumber": "U99999999"}, False),
    ],
)
def test_a_number_that_is_not_confirmed_is_taxed_and_no_order_is_lost(
    tmp_path: Path, answer: Callable[[dict[str, Any]], Reply], answered: bool
) -> None:
    async def scenario(shop: Shop) -> None:
        response = await checked_out(shop, await german_shop(shop), vat_number=NUMBER)
        assert (response.status_code, response.json()["vat_status"]) == (201, "unconfirmed")
        order = placed(shop)
        assert order.total.amount == 1200
        assert order.vat_check is not None
        assert (order.vat_check.checked_at is not None) is answered

    with stand_in(answer) as vies:
        in_a_shop(tmp_path, scenario, vies)


def test_with_vies_away_checkout_goes_on_taxed(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        response = await checked_out(shop, await german_shop(shop), vat_number=NUMBER)
        assert (response.status_code, response.json()["vat_status"]) == (201, "unconfirmed")

    with stand_in(vies_knows(True)) as vies:
        pass
    in_a_shop(tmp_path, scenario, vies)


def test_a_client_cannot_have_vies_asked_again_and_again(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        cart_id = await german_shop(shop)
        too_little = {"total": {"amount": 1, "currency": "GBP"}}
        refused = [await checked_out(shop, cart_id, vat_number=NUMBER, **too_little) for _ in range(3)]
        assert [one.status_code for one in refused] == [409, 409, 429]
        assert refused[2].json()["type"] == "/problems/too-many-tries"
        assert len(vies.requests) == 2
        british = await checked_out(shop, cart_id, vat_number="GB 980 7806 84", **too_little)
        assert british.status_code == 409  # VIES is not asked about it.
        without = await checked_out(shop, cart_id)
        assert without.status_code == 201, without.text
        customer = await shop.client.put("/api/v1/customers/1/tax-status", json={"vat_number": NUMBER})
        assert customer.status_code == 200, customer.text  # the operator's

    with stand_in(vies_knows(True)) as vies:
        in_a_shop(tmp_path, scenario, vies, vat_checks_per_minute=2)


def test_a_number_of_great_britain_is_checked_by_its_form_and_shifts_no_tax(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        response = await checked_out(shop, await german_shop(shop), vat_number="GB 980 7806 84")
        assert (response.status_code, response.json()["vat_status"]) == (201, "unchecked")
        assert placed(shop).total.amount == 1200
        assert vies.requests == []

    with stand_in(vies_knows(True)) as vies:
        in_a_shop(tmp_path, scenario, vies)


def test_what_vies_says_of_a_customers_number_is_a_fact(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for valid, known in ((True, "confirmed"), (False, "unconfirmed")):
            vies.answer = vies_knows(valid)
            path = "/api/v1/customers/17850/tax-status"
            answer = await shop.client.put(path, json={"vat_number": "EL094259216"})
            assert (answer.status_code, answer.json()["vat_status"]) == (200, known), answer.text
        facts = [event for event in shop.events() if isinstance(event, TaxStatusSet)]
        assert [(fact.vat_country, fact.status) for fact in facts] == [
            ("EL", "confirmed"),
            ("EL", "unconfirmed"),
        ]
        assert all(fact.checked_at is not None for fact in facts)

    with stand_in(vies_knows(True)) as vies:
        in_a_shop(tmp_path, scenario, vies)


def test_the_cart_of_a_customer_whose_number_is_not_confirmed_is_taxed_and_says_why(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await german_shop(shop)
        for valid, total, notices in ((False, 1200, ["vat_number_unconfirmed"]), (True, 1000, [])):
            vies.answer = vies_knows(valid)
            path = "/api/v1/customers/17850/tax-status"
            assert (await shop.client.put(path, json={"vat_number": NUMBER})).is_success
            opened = await shop.post("/carts", {"currency": "GBP", "customer_id": "17850"})
            cart_id = opened.json()["id"]
            await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 1})
            chosen = await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json={"country": "AT"})
            assert chosen.status_code == 200, chosen.text
            priced = [event for event in shop.events() if isinstance(event, CartPriced)][-1]
            assert (priced.total, [notice.kind for notice in priced.notices]) == (total, notices)

    with stand_in(vies_knows(True)) as vies:
        in_a_shop(tmp_path, scenario, vies)
