"""The routes of customers: groups, and what taxes follow from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from aggregates.customers.events import GroupsSet, TaxStatusSet
from aggregates.pricing.context import Exemption
from event_store.memory.log import MemoryLog
from tests.shop.facts import CODEC
from tests.shop.http import Shop, key, open_shop

PATH = "/api/v1/customers/17850"
EXEMPTION = Exemption(area_id="tx", tax_categories=("standard",), until=date(2030, 12, 31))


def in_a_shop(tmp_path: Path, scenario: Callable[[Shop], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with open_shop(MemoryLog(), tmp_path, **settings) as shop:
            await scenario(shop)

    asyncio.run(run())


async def put(shop: Shop, what: str, body: Any, **headers: str) -> Any:
    return await shop.client.put(f"{PATH}/{what}", json=body, headers=headers)


def test_groups_are_replaced_and_their_order_and_repeats_change_nothing(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for groups in (["trade", "staff"], ["staff", "trade", "staff"], []):
            answer = await put(shop, "groups", {"groups": groups})
            assert answer.status_code == 200, answer.text
        assert shop.events() == [
            GroupsSet(customer_id="17850", groups=("staff", "trade")),
            GroupsSet(customer_id="17850", groups=()),
        ]
        assert answer.json() == {"id": "17850", "version": 2, "position": 2}

    in_a_shop(tmp_path, scenario)


def test_a_vat_number_is_stored_encrypted_and_in_one_spelling(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        assert (await put(shop, "groups", {"groups": ["trade"]})).status_code == 200
        for written in ("de 136.695.976", "DE136695976"):
            answer = await put(
                shop, "tax-status", {"vat_number": written}, **{"Idempotency-Key": "k" * 20 + written}
            )
            assert answer.status_code == 200, answer.text
        for recorded in shop.log.read_all(after=1, limit=10):
            assert b"136695976" not in recorded.data
            keys = shop.log.subject_keys(["customer-17850"])
            assert CODEC.decode(recorded, keys) == TaxStatusSet(
                customer_id="17850", vat_number="DE136695976", vat_country="DE"
            )
        assert shop.log.head() == 3

    in_a_shop(tmp_path, scenario)


def test_the_journal_holds_no_vat_number_in_the_clear(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        header = key()
        assert (await put(shop, "tax-status", {"vat_number": "DE136695976"}, **header)).status_code == 200
        again = await put(shop, "tax-status", {"vat_number": "DE136695976"}, **header)
        assert again.headers["Idempotency-Replayed"] == "true"
        kept = repr(vars(shop.log))
        assert "set_tax_status" in kept
        assert "136695976" not in kept

    in_a_shop(tmp_path, scenario)


def test_a_status_without_a_vat_number_is_set_once(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        assert (await put(shop, "tax-status", {})).status_code == 200
        assert shop.log.head() == 0  # of whom nothing is known: taxed as anybody
        await shop.post("/tax-areas", {"area_id": "tx", "country": "US", "regions": ["TX"]})
        exempt = {"area_id": "tx", "tax_categories": ["standard"], "until": "2030-12-31"}
        for _ in range(2):
            assert (await put(shop, "tax-status", {"exemptions": [exempt]})).status_code == 200
        assert (await put(shop, "tax-status", {})).status_code == 200
        assert shop.events("customers.tax_status_set") == [
            TaxStatusSet(customer_id="17850", exemptions=(EXEMPTION,)),
            TaxStatusSet(customer_id="17850"),
        ]

    in_a_shop(tmp_path, scenario)


def test_an_exemption_is_of_an_area_that_is_taxed(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        refused = await put(shop, "tax-status", {"exemptions": [{"area_id": "tx"}]})
        assert (refused.status_code, refused.json()["type"]) == (404, "/problems/unknown-rule")
        assert shop.log.head() == 0

    in_a_shop(tmp_path, scenario)


FIT = {
    "ATU57194903": ("AT", "ATU57194903"),
    "FR 61 954 506 077": ("FR", "FR61954506077"),
    "EL094259216": ("EL", "EL094259216"),
    "GR094259216": ("EL", "EL094259216"),
    "gb 980 7806 84": ("GB", "GB980780684"),
    "XI980780684": ("XI", "XI980780684"),
    "BE697449992": ("BE", "BE0697449992"),
}
UNFIT = [
    "DE136695977",
    "DE12",
    "GB980780685",
    "XI980780685",
    "EU372022452",
    "IM980780684",
    "US123456789",
    "CHE1",
]


def test_vat_numbers_of_the_eu_northern_ireland_and_great_britain_fit(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for written in FIT:
            assert (await put(shop, "tax-status", {"vat_number": written})).status_code == 200, written
        keys = shop.log.subject_keys(["customer-17850"])
        stored = [CODEC.decode(recorded, keys) for recorded in shop.log.read_all(after=0, limit=50)]
        assert [(one.vat_country, one.vat_number) for one in stored] == list(FIT.values())

    in_a_shop(tmp_path, scenario)


@pytest.mark.parametrize("written", UNFIT)
def test_a_vat_number_of_another_form_is_refused_by_name(tmp_path: Path, written: str) -> None:
    async def scenario(shop: Shop) -> None:
        refused = await put(shop, "tax-status", {"vat_number": written})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/vat-number-unfit")
        assert [fault["field"] for fault in refused.json()["errors"]] == ["body.vat_number"]
        assert shop.log.head() == 0

    in_a_shop(tmp_path, scenario)


def test_only_the_operator_says_what_a_customer_is(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for what, body in (("groups", {"groups": []}), ("tax-status", {})):
            refused = await put(shop, what, body)
            assert (refused.status_code, refused.json()["type"]) == (401, "/problems/operator-token-required")

    in_a_shop(tmp_path, scenario, operator_token="t" * 32)
