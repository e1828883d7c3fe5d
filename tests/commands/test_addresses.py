"""What an address must have follows from its country, and an e-mail address from its standard."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from commands.http.addresses import NEEDED, AddressBody
from event_store.memory.log import MemoryLog
from tests.shop.http import CHECKOUT, key, open_shop

PLACE = {"name": "Mia", "line1": "1 High St"}


def faults(**parts: Any) -> list[str]:
    """The fields that are wrong."""
    try:
        AddressBody(**PLACE, **parts)
    except ValidationError as error:
        return [str(fault["loc"][0]) for fault in error.errors()]
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
            assert shop.log.head() == head
            address = {**PLACE, "line2": "Flat 2", "country": "HK", "region": "Kowloon"}
            fit = CHECKOUT | {"email": "mia.o'neil+shop@probe.example", "shipping_address": address}
            answer = await shop.client.post(path, json=fit, headers=key())
            assert answer.status_code == 201, answer.text

    asyncio.run(scenario())
