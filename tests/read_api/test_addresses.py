"""What an address must have, as a checkout page asks."""

from __future__ import annotations

import re

import httpx
import pytest

from deploy.edge.address_forms import COUNTRIES, address_form
from tests.shop.views import ViewShop


def test_a_country_says_what_its_addresses_need(shop: ViewShop, api: httpx.Client) -> None:
    answer = api.get("/api/v1/countries/US/address-form")
    form = answer.json()
    assert form["required"] == ["name", "line1", "city", "region", "postal_code"]
    assert form["allowed"] == ["name", "line1", "line2", "city", "region", "postal_code"]
    assert form["labels"] == {"city": "city", "region": "state", "postal_code": "ZIP code"}
    assert {"code": "NY", "name": "New York"} in form["regions"]
    assert re.fullmatch(form["pattern"], "89501")
    assert not re.fullmatch(form["pattern"], "8950")
    assert "Daybook-View-Position" not in answer.headers
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert api.get("/api/v1/countries/US/address-form", headers=tag).status_code == 304


def test_what_a_country_does_not_know_is_not_in_its_form(shop: ViewShop, api: httpx.Client) -> None:
    form = api.get("/api/v1/countries/HK/address-form").json()
    assert (form["pattern"], "postal_code" in form["allowed"], form["examples"]) == (None, False, [])
    assert api.get("/api/v1/countries/GB/address-form").json()["labels"]["city"] == "post town"


@pytest.mark.parametrize(("country", "status"), [("XX", 404), ("XK", 404), ("gb", 422), ("GBR", 422)])
def test_what_is_no_country_has_no_form(shop: ViewShop, api: httpx.Client, country: str, status: int) -> None:
    assert api.get(f"/api/v1/countries/{country}/address-form").status_code == status


def test_every_country_has_a_form_that_its_own_examples_fit() -> None:
    assert len(COUNTRIES) == 249
    for country in COUNTRIES:
        form = address_form(country)
        assert set(form.required) <= set(form.allowed), country
        assert set(form.labels) == set(form.allowed) & {"city", "region", "postal_code"}, country
        for example in form.examples:
            assert form.pattern is None or re.fullmatch(form.pattern, example), (country, example)
