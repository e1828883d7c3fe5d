"""What an address must have follows from its country, and an e-mail address from its standard."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from commands.http.addresses import NEEDED, AddressBody, AddressCheck, check_address
from deploy.edge.problems import ProblemError
from event_store.memory.log import MemoryLog
from tests.shop.http import CHECKOUT, key, open_shop

PLACE = {"name": "Mia", "line1": "1 High St"}


def faults(check: AddressCheck = "presence", **parts: Any) -> list[str]:
    """The fields that are wrong."""
    try:
        check_address(check, AddressBody(**PLACE, **parts), "to")
    except ValidationError as error:
        return [str(fault["loc"][0]) for fault in error.errors()]
    except ProblemError as error:
        return [str(field).removeprefix("to.") for field in json.loads(error.response().body)["fields"]]
    return []


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ({"country": "GB", "city": "York", "postal_code": "YO1 7EP"}, []),
        ({"country": "GB", "city": "York"}, ["postal_code"]),
        ({"country": "GB", "postal_code": "YO1 7EP"}, ["city"]),
        ({"country": "GB"}, ["city", "postal_code"]),
        ({"country": "US", "city": "Reno", "region": "NV", "postal_code": "89501"}, []),
        ({"country": "US", "city": "Reno", "region": "NV"}, ["postal_code"]),
        ({"country": "US", "city": "Reno", "postal_code": "89501"}, ["region"]),
        ({"country": "HK", "city": "Kowloon"}, []),
        ({"country": "HK", "region": "Kowloon"}, []),
        ({"country": "HK"}, ["region"]),
        ({"country": "AE", "region": "Dubai"}, []),
        ({"country": "AE", "city": "Dubai"}, []),
        ({"country": "IE", "city": "Dublin"}, []),
        ({"country": "SG", "postal_code": "018956"}, []),
        ({"country": "DE", "city": "Bonn", "region": "NRW", "postal_code": "53111", "line2": "2. OG"}, []),
    ],
)
def test_a_country_says_which_parts_its_addresses_have(parts: dict[str, str], wrong: list[str]) -> None:
    assert faults(**parts) == wrong


@pytest.mark.parametrize("country", ["UK", "gb", "GBR", "XX", "XK", "ZZ", "", "United Kingdom"])
def test_a_country_is_a_code_of_iso_3166(country: str) -> None:
    assert faults(country=country, city="York", region="R", postal_code="1") == ["country"]


def test_every_country_of_iso_3166_can_be_sent_to() -> None:
    assert len(NEEDED) == 249
    for country, needed in NEEDED.items():
        assert faults(country=country, **dict.fromkeys(needed, "x")) == []


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ({"country": "GB", "city": "York", "postal_code": "yo1 7ep"}, []),
        ({"country": "GB", "city": "York", "postal_code": "10115"}, ["postal_code"]),
        ({"country": "GB", "city": "York", "region": "Yorkshire", "postal_code": "YO1 7EP"}, []),
        ({"country": "US", "city": "Reno", "region": "Nevada", "postal_code": "89501"}, []),
        ({"country": "US", "city": "Reno", "region": "NV", "postal_code": "10001"}, ["postal_code"]),
        ({"country": "US", "city": "Reno", "region": "Novada", "postal_code": "89501"}, ["region"]),
        ({"country": "US", "city": "Reno", "postal_code": "1"}, ["region"]),  # what is missing comes first
        ({"country": "DE", "city": "Bonn", "postal_code": "5311"}, ["postal_code"]),
        ({"country": "HK", "city": "Kowloon"}, []),
        ({"country": "HK", "region": "Kowloon", "postal_code": "999077"}, []),
        ({"country": "PA", "city": "Panamá"}, []),
    ],
)
def test_the_form_of_a_country_is_judged_where_that_is_set(parts: dict[str, str], wrong: list[str]) -> None:
    assert faults("form", **parts) == wrong
    if "region" not in wrong or "region" in parts:
        assert faults(**parts) == []


def test_texts_are_kept_as_typed() -> None:
    body = AddressBody(**PLACE, country="GB", city="york", postal_code="yo1 7ep")
    check_address("form", body, "to")
    assert (body.address().city, body.address().postal_code) == ("york", "yo1 7ep")


def test_a_checkout_is_held_to_the_form_where_that_is_set(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path, address_check="form") as shop:
            await shop.product("MUG", units=5)
            path = f"/api/v1/carts/{await shop.cart(MUG=1)}/checkout"
            typed = {**PLACE, "city": "York", "postal_code": "yo1 7ep", "country": "GB"}
            for field in ("shipping_address", "billing_address"):
                wrong = CHECKOUT | {field: typed | {"postal_code": "10115"}}
                answer = await shop.client.post(path, json=wrong, headers=key())
                problem = answer.json()
                assert (answer.status_code, problem["type"], problem["fields"]) == (
                    422,
                    "/problems/address-unfit",
                    [f"{field}.postal_code"],
                )
            fit = CHECKOUT | {"shipping_address": typed}
            answer = await shop.client.post(path, json=fit, headers=key())
            assert answer.status_code == 201, answer.text

    asyncio.run(scenario())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"email": "mia,ann@probe,example"}, "body.email"),
    ({"email": "mia@probe..example"}, "body.email"),
    ({"email": "mia@probe"}, "body.email"),
    ({"email": "mia@test"}, "body.email"),
    ({"email": "mia@-probe.example"}, "body.email"),
    ({"email": ".mia@probe.example"}, "body.email"),
    ({"email": f"{'m' * 65}@probe.example"}, "body.email"),
    ({"shipping_address": {**PLACE, "city": "York", "country": "GB"}}, "body.shipping_address.postal_code"),
]


def test_a_checkout_names_what_is_wrong_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            await shop.product("MUG", units=5)
            cart_id = await shop.cart(MUG=1)
            head = shop.log.head()
            path = f"/api/v1/carts/{cart_id}/checkout"
            for said, field in WRONG:
                answer = await shop.client.post(path, json=CHECKOUT | said, headers=key())
                assert answer.status_code == 422, answer.text
                assert [error["field"] for error in answer.json()["errors"]] == [field]
                incomplete = answer.json()["type"] == "/problems/address-incomplete"
                assert incomplete == ("shipping_address" in said)
            assert shop.log.head() == head
            address = {**PLACE, "line2": "Flat 2", "country": "HK", "region": "Kowloon"}
            fit = CHECKOUT | {"email": "mia.o'neil+shop@probe.example", "shipping_address": address}
            answer = await shop.client.post(path, json=fit, headers=key())
            assert answer.status_code == 201, answer.text

    asyncio.run(scenario())
