"""How much of a postal code is kept: what rules name, and what providers are asked."""

from __future__ import annotations

import pytest

from aggregates.pricing.destinations import postal_prefixes
from aggregates.pricing.rules import ShippingMethod, TaxArea, Terms, Zone

ASKED = TaxArea(area_id="US", country="US", provider="taxer")
SWIFT = ShippingMethod(method_id="swift", label="", provider="swift")


@pytest.mark.parametrize(
    ("country", "code", "kept"),
    [
        ("US", "94105-1234", "94105"),
        ("US", "941", "941"),
        ("GB", "N1 1AA", "N11"),
        ("GB", "SW1A 1AA", "SW1A1"),
        ("NL", "1012 AB", "1012"),
        ("US", "--", None),
    ],
)
def test_a_provider_is_told_a_place_and_never_a_street(country: str, code: str, kept: str | None) -> None:
    everywhere = Terms(shipping_methods={"swift": SWIFT})
    assert postal_prefixes(everywhere).longest(country, code) == kept


def test_where_no_provider_is_asked_only_what_rules_name_is_kept() -> None:
    zoned = ShippingMethod(method_id="z", label="", provider="swift", zones=(Zone(country="FR"),))
    north = TaxArea(area_id="n", country="US", postal_prefixes=("941051", "9"))
    prefixes = postal_prefixes(Terms(tax_areas={"US": ASKED, "n": north}, shipping_methods={"z": zoned}))
    assert prefixes.longest("GB", "N1 1AA") is None
    assert prefixes.longest("FR", "75001") == "75001"
    assert prefixes.longest("US", "94105-1234") == "941051"
    assert prefixes.longest("US", "94105-9999") == "94105"
