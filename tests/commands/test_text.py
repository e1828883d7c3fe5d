"""Text that comes in is spelt one way, and is refused where it says nothing or controls."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from event_store.memory.log import MemoryLog
from tests.commands.test_bad_input import PRODUCT
from tests.commands.test_bodies import path_of
from tests.shop.http import CHECKOUT, key, open_shop

ATTRIBUTES = {**PRODUCT, "attributes": {"color": "blue"}, "seller": "house", "description": "Holds tea"}
TEXTS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("POST /products", ATTRIBUTES, ("title",)),
    ("POST /products", ATTRIBUTES, ("category",)),
    ("POST /products", ATTRIBUTES, ("attributes", "color")),
    ("POST /products", ATTRIBUTES, ("seller",)),
    ("POST /products/MUG/delist", {"reason": "gone"}, ("reason",)),
    ("POST /inventory/MUG/receipts", {"quantity": 1, "reason": "came"}, ("reason",)),
    ("POST /inventory/MUG/adjustments", {"quantity": 1, "reason": "found"}, ("reason",)),
    ("POST /carts/{cart_id}/checkout", CHECKOUT, ("shipping_address", "name")),
    ("POST /carts/{cart_id}/checkout", CHECKOUT, ("shipping_address", "line1")),
    ("POST /carts/{cart_id}/checkout", CHECKOUT, ("shipping_address", "city")),
    ("POST /carts/{cart_id}/checkout", CHECKOUT, ("shipping_address", "postal_code")),
    ("POST /orders/o/cancel", {"reason": "mind changed"}, ("reason",)),
    ("POST /orders/o/fulfilments", {"reason": "sent"}, ("reason",)),
    ("POST /orders/o/returns", {"reason": "too big"}, ("reason",)),
    ("POST /orders/o/refunds", {"reason": "broken"}, ("reason",)),
]
UNFIT = [
    "",
    " ",
    "\u00a0\u00a0",
    "\u200b\u200b",
    "\u2028\u2028",
    "\u3164\u3164",
    "\u0301\u0301",
    "a\tb",
    "a\x85",
]


def with_text(body: dict[str, Any], place: tuple[str, ...], said: str) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    within = changed
    for name in place[:-1]:
        within = within[name]
    within[place[-1]] = said
    return changed


def test_every_text_is_refused_where_it_says_nothing_or_controls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            for route, body, place in TEXTS:
                for said in UNFIT:
                    method, path = path_of(route)
                    changed = with_text(body, place, said)
                    answer = await shop.client.request(method, path, json=changed, headers=key())
                    assert answer.status_code == 422, (route, place, ascii(said), answer.text)
                    fields = {fault["field"] for fault in answer.json()["errors"]}
                    assert fields == {".".join(("body", *place))}, (route, ascii(said))
            assert shop.log.head() == 0

    asyncio.run(scenario())


def test_a_product_is_spelt_as_it_is_looked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            said = {
                **PRODUCT,
                "title": "\u00a0Cafe\u0301\u2007cup ",
                "category": "Kitchen\u00a0>\u00a0Cafe\u0301",
                "attributes": {"mate\u0301riau": "gre\u0300s\u00a0e\u0301maille\u0301"},
                "description": "Deux\u00a0tasses\r\nen gre\u0300s",
            }
            assert (await shop.post("/products", said)).status_code == 201
            (listed,) = shop.events("catalog.product_listed")
            assert (listed.title, listed.category) == ("Café cup", "Kitchen > Café")
            assert listed.attributes == {"matériau": "grès émaillé"}
            assert listed.description == "Deux tasses\nen grès"
            assert (await shop.post("/products", said)).status_code == 200, "the same again"

    asyncio.run(scenario())


def test_an_attribute_is_named_once_whatever_its_spelling(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            for names in (("caf\u00e9", "cafe\u0301"), ("a b", "a\u00a0b"), ("a", " a")):
                answer = await shop.post("/products", {**PRODUCT, "attributes": dict.fromkeys(names, "x")})
                assert answer.status_code == 422
                assert answer.json()["errors"][0]["field"] == "body.attributes"

    asyncio.run(scenario())


def test_a_key_is_of_characters_that_can_be_seen(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            for unfit in ("x" * 20 + "\x80", "x" * 10 + "\xa0" + "x" * 10):
                answer = await shop.client.post(
                    "/api/v1/carts",
                    json={"currency": "GBP"},
                    headers={b"Idempotency-Key": unfit.encode("latin-1")},
                )
                assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-unfit")

    asyncio.run(scenario())


def test_no_text_comes_in_that_is_not_of_a_form(tmp_path: Path) -> None:
    """Every text of a body has a pattern, a format, or one value or a list of them."""

    def texts(schema: Any, place: str) -> Iterator[str]:
        if isinstance(schema, dict):
            if schema.get("type") == "string" and not {"pattern", "enum", "const", "format"} & schema.keys():
                yield place
            for name, within in schema.items():
                yield from texts(within, f"{place}.{name}")
        elif isinstance(schema, list):
            for within in schema:
                yield from texts(within, place)

    async def scenario() -> None:
        async with open_shop(MemoryLog(), tmp_path) as shop:
            schemas = (await shop.client.get("/openapi.json")).json()["components"]["schemas"]
            bodies = {name: schema for name, schema in schemas.items() if name.endswith("Body")}
            assert len(bodies) > 10
            found = list(texts({name: one.get("properties") for name, one in bodies.items()}, ""))
            assert found == [".AnswerBody.id"], "which goes out"

    asyncio.run(scenario())
