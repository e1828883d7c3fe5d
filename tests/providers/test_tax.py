"""Carts whose tax an outside provider says: when it is asked, what counts, and what happens without it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aggregates.cart.events import CartPriced, TaxQuoted
from aggregates.orders.events import OrderPlaced
from commands.providers.choose import Providers
from commands.providers.tax import HttpTaxProvider
from event_store.memory.log import MemoryLog
from replays.verification.verify import verify
from tests.providers.stand_in import SECRET, Reply, StandIn, stand_in
from tests.shop.facts import CODEC
from tests.shop.http import CHECKOUT, Shop, key, open_shop

US = {"market_id": "us", "countries": ["US"], "currencies": ["USD"], "tax_pricing": "exclusive"}
AREA = {"area_id": "US", "country": "US", "provider": "taxer"}
OWN_RATES = {
    "rates": [{"tax_category": "standard", "components": [{"name": "state", "percent": 5}]}],
    "provider_fallback": True,
}
PLACE = {"country": "US", "region": "CA", "postal_code": "94105-1234"}
ADDRESS = {"name": "Ann", "line1": "1 Main St", "city": "San Francisco", **PLACE}


def answer_8_5(request: dict[str, Any]) -> Reply:
    """What a provider answers that taxes all alike, at 8.5 %."""
    component = {"name": "CA", "percent": "8.5"}
    return {
        "reference": "q-1",
        "targets": {
            one["target"]: {"treatment": "taxed", "components": [component]} for one in request["targets"]
        },
    }


def in_a_shop(
    tmp_path: Path,
    scenario: Callable[[Shop, str], Awaitable[None]],
    provider: StandIn | None,
    area: dict[str, Any] = AREA,
    **calls: Any,
) -> None:
    """The scenario in a shop whose US tax the provider says, with a cart for 20.00; the log verifies."""

    async def run() -> None:
        log = MemoryLog()
        made = None if provider is None else provider.calls(**calls)
        providers = Providers() if made is None else Providers(tax=HttpTaxProvider(made), calls=(made,))
        async with aclosing(providers), open_shop(log, tmp_path, providers=providers) as shop:
            home = {"country": "US", "region": "TX", "postal_code": "78701", "tax_included": False}
            assert (await shop.client.put("/api/v1/home", json=home)).is_success
            for path, rule in (("markets", US), ("tax-areas", area)):
                assert (await shop.post(f"/{path}", rule)).is_success
            await shop.product("MUG", units=10, pence=1000, currency="USD")
            opened = await shop.post("/carts", {"currency": "USD", "market": "us"})
            cart_id = opened.json()["id"]
            added = await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 2})
            assert added.is_success, added.text
            await scenario(shop, cart_id)
        found: list[str] = []
        verify(log, CODEC, report=lambda finding: found.append(str(finding)))
        assert found == []

    asyncio.run(run())


async def deliver(shop: Shop, cart_id: str) -> Any:
    return await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=PLACE)


async def check_out(shop: Shop, cart_id: str) -> Any:
    body = CHECKOUT | {"shipping_address": ADDRESS}
    return await shop.post(f"/carts/{cart_id}/checkout", body, **key())


def last(shop: Shop, kind: type) -> Any:
    return [event for event in shop.events() if isinstance(event, kind)][-1]


def test_the_provider_is_asked_at_delivery_and_the_order_is_taxed_as_it_says(tmp_path: Path) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        answer = await deliver(shop, cart_id)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"id", "version", "position"}
        assert answer.json()["position"] == len(shop.events())
        assert last(shop, CartPriced).total == 2170
        ordered = await check_out(shop, cart_id)
        assert ordered.status_code == 201, ordered.text
        assert last(shop, OrderPlaced).total.amount == 2170
        (asked,) = provider.requests  # checkout asks nobody
        assert asked["destination"] == {"country": "US", "region": "CA", "postal_code": "94105"}
        assert asked["targets"] == [{"target": "1", "tax_category": "standard", "amount": 2000}]
        assert (asked["provider"], asked["currency"], asked["tax_included"]) == ("taxer", "USD", False)
        assert asked["origin"] == {"country": "US", "region": "TX", "postal_code": "78701"}
        assert provider.headers["Authorization"] == f"Bearer {SECRET}"

    with stand_in(answer_8_5) as provider:
        in_a_shop(tmp_path, scenario, provider)


def test_the_cart_keeps_no_more_of_the_postal_code_than_the_provider_is_told(tmp_path: Path) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        await deliver(shop, cart_id)
        stored = b"".join(one.data for one in shop.log.read_all(after=0, limit=100))
        assert b"94105" in stored
        assert b"941051" not in stored
        assert b"94105-1" not in stored

    with stand_in(answer_8_5) as provider:
        in_a_shop(tmp_path, scenario, provider)


def test_an_edited_cart_is_refused_at_checkout_until_it_is_quoted(tmp_path: Path) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        await deliver(shop, cart_id)
        await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 1})
        refused = await check_out(shop, cart_id)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/quote-required")
        assert (refused.json()["provider"], refused.json()["why"]) == ("taxer", "tax")
        quoted = await shop.post(f"/carts/{cart_id}/quote")
        assert quoted.status_code == 200, quoted.text
        assert (await check_out(shop, cart_id)).status_code == 201
        assert last(shop, OrderPlaced).total.amount == 3255

    with stand_in(answer_8_5) as provider:
        in_a_shop(tmp_path, scenario, provider)


def test_an_answer_is_never_attached_to_other_lines_than_were_asked_about(tmp_path: Path) -> None:
    """The cart is edited while the provider thinks: its answer is dropped, and the lines of now are asked."""
    arrived, may_answer = threading.Event(), threading.Event()

    def when_released(request: dict[str, Any]) -> Reply:
        arrived.set()
        assert may_answer.wait(60)
        return answer_8_5(request)

    async def scenario(shop: Shop, cart_id: str) -> None:
        delivering = asyncio.create_task(deliver(shop, cart_id))
        assert await asyncio.to_thread(arrived.wait, 60)
        edited = await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 1})
        assert edited.is_success  # nobody waits for the provider
        may_answer.set()
        assert (await delivering).status_code == 200
        assert [one["targets"][0]["amount"] for one in provider.requests] == [2000, 3000]
        (quoted,) = shop.events("cart.tax_quoted")
        assert quoted.digest == provider.requests[1]["request"]
        assert last(shop, CartPriced).total == 3255

    with stand_in(when_released) as provider:
        in_a_shop(tmp_path, scenario, provider, seconds=60.0)


def wrong(**change: Any) -> Callable[[dict[str, Any]], Reply]:
    """An answer that is right but for this."""

    def answer(request: dict[str, Any]) -> Reply:
        right = answer_8_5(request)
        assert isinstance(right, dict)
        return right | change

    return answer


def taxed(percent: Any, treatment: str = "taxed") -> dict[str, Any]:
    return {"treatment": treatment, "components": [{"name": "CA", "percent": percent}]}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: 500, "status_500"),
        (lambda _: 302, "status_302"),
        (lambda _: b"<html>", "invalid_response"),
        (lambda _: b'{"reference": "q", "targets": {"1"', "invalid_response"),
        (lambda _: b" " * 1_100_000, "invalid_response"),
        (wrong(targets={}), "invalid_response"),
        (wrong(targets={"1": taxed("8.5"), "7": taxed("8.5")}), "invalid_response"),
        (wrong(targets={"1": taxed("-1")}), "invalid_response"),
        (wrong(targets={"1": taxed("NaN")}), "invalid_response"),
        (wrong(targets={"1": taxed("101")}), "invalid_response"),
        (wrong(targets={"1": taxed("8.00001")}), "invalid_response"),
        (wrong(targets={"1": taxed("8.5", "free")}), "invalid_response"),
        (wrong(targets={"1": taxed("8.5", "exempt")}), "invalid_response"),
        (wrong(expires_at="2020-01-01T00:00:00Z"), "invalid_response"),
        (wrong(reference="x" * 201), "invalid_response"),
    ],
)
def test_a_useless_answer_is_503_and_the_cart_loses_nothing(
    tmp_path: Path, answer: Callable[[dict[str, Any]], Reply], why: str
) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        refused = await deliver(shop, cart_id)
        problem = refused.json()
        assert (refused.status_code, problem["type"]) == (503, "/problems/tax-unavailable"), problem
        assert (problem["provider"], problem["why"]) == ("taxer", why)
        assert refused.headers["Retry-After"]
        assert problem["position"] == len(shop.events())
        assert not shop.events("cart.tax_quoted")
        (notice,) = last(shop, CartPriced).notices
        assert (notice.kind, notice.why) == ("quote_required", "tax")
        assert (await check_out(shop, cart_id)).json()["type"] == "/problems/quote-required"
        provider.answer = answer_8_5  # the same request asks again
        assert (await deliver(shop, cart_id)).status_code == 200
        assert (await check_out(shop, cart_id)).status_code == 201

    with stand_in(answer) as provider:
        in_a_shop(tmp_path, scenario, provider)


def test_a_slow_provider_is_given_up_in_time(tmp_path: Path) -> None:
    may_answer = threading.Event()

    def late(request: dict[str, Any]) -> Reply:
        may_answer.wait(60)
        return answer_8_5(request)

    async def scenario(shop: Shop, cart_id: str) -> None:
        refused = await deliver(shop, cart_id)
        assert (refused.status_code, refused.json()["why"]) == (503, "timeout")
        may_answer.set()

    with stand_in(late) as provider:
        in_a_shop(tmp_path, scenario, provider, seconds=0.2)


def test_a_provider_that_is_away_or_not_set_up_is_503(tmp_path: Path) -> None:
    async def away(shop: Shop, cart_id: str) -> None:
        assert (await deliver(shop, cart_id)).json()["why"] == "unreachable"

    async def not_set_up(shop: Shop, cart_id: str) -> None:
        assert (await deliver(shop, cart_id)).json()["why"] == "not_configured"

    with stand_in(answer_8_5) as provider:
        pass
    in_a_shop(tmp_path, away, provider)
    in_a_shop(tmp_path, not_set_up, None)


def test_where_the_area_allows_it_its_own_rates_hold_and_the_order_says_so(tmp_path: Path) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        assert (await deliver(shop, cart_id)).status_code == 200
        assert (await check_out(shop, cart_id)).status_code == 201
        order = last(shop, OrderPlaced)
        assert order.total.amount == 2100
        assert "own rates: no answer of taxer" in msgspec.json.encode(order.explanation).decode()

    with stand_in(lambda _: 503) as provider:
        in_a_shop(tmp_path, scenario, provider, area=AREA | OWN_RATES)


def test_the_breaker_opens_after_failures_and_closes_after_an_answer(tmp_path: Path) -> None:
    now = [0.0]

    async def scenario(shop: Shop, cart_id: str) -> None:
        whys = [(await deliver(shop, cart_id)).json()["why"] for _ in range(4)]
        assert whys == ["status_500", "status_500", "circuit_open", "circuit_open"]
        now[0] = 30.0  # one call is let through, which fails: the next pause begins
        whys = [(await deliver(shop, cart_id)).json()["why"] for _ in range(2)]
        assert whys == ["status_500", "circuit_open"]
        assert len(provider.requests) == 3
        now[0] = 60.0
        provider.answer = answer_8_5
        assert (await deliver(shop, cart_id)).status_code == 200
        assert last(shop, TaxQuoted).reference == "q-1"
        provider.answer = lambda _: 500
        await shop.post(f"/carts/{cart_id}/items", {"sku": "MUG", "quantity": 1})
        assert (await deliver(shop, cart_id)).json()["why"] == "status_500"  # it counts from one again

    with stand_in(lambda _: 500) as provider:
        in_a_shop(tmp_path, scenario, provider, failures_max=2, pause_seconds=30, clock=lambda: now[0])


def test_a_retried_quote_asks_again_where_the_first_was_not_answered(tmp_path: Path) -> None:
    async def scenario(shop: Shop, cart_id: str) -> None:
        await deliver(shop, cart_id)
        named = key()
        assert (await shop.post(f"/carts/{cart_id}/quote", **named)).status_code == 503
        provider.answer = answer_8_5
        again = await shop.post(f"/carts/{cart_id}/quote", **named)
        assert again.status_code == 200, again.text
        assert len(shop.events("cart.tax_quoted")) == 1

    with stand_in(lambda _: 500) as provider:
        in_a_shop(tmp_path, scenario, provider)
