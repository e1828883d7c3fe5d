"""How much of a postal code is kept: what rules name, and what providers are asked."""

from __future__ import annotations

import pytest

from aggregates.pricing.compiled_terms import compile_terms
from aggregates.pricing.destinations import named_regions, postal_prefixes
from aggregates.pricing.rules import Home, ShippingMethod, TaxArea, Terms, Zone

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
        ("GB", "N11", "N"),
        ("GB", "N1", "N"),
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


def test_a_postal_code_may_be_all_of_what_a_rule_names() -> None:
    north = TaxArea(area_id="n", country="US", postal_prefixes=("941", "9"))
    prefixes = postal_prefixes(Terms(tax_areas={"n": north}))
    assert [prefixes.longest("US", code) for code in ("9", "94", "941", "9410")] == ["9", "9", "941", "941"]


def test_a_beginning_of_signs_alone_names_nothing() -> None:
    signs = TaxArea(area_id="s", country="US", postal_prefixes=("--", " "))
    assert postal_prefixes(Terms(tax_areas={"s": signs})).by_country == {}


NAMING = Terms(
    home=Home(country="DE", region="BY"),
    tax_areas={
        "ca": TaxArea(area_id="ca", country="US", regions=("CA",), postal_prefixes=("9",)),
        "tx": TaxArea(area_id="tx", country="US", regions=("TX", "OK")),
        "FR": TaxArea(area_id="FR", country="FR"),
    },
    shipping_methods={
        "post": ShippingMethod(
            method_id="post",
            label="",
            zones=(
                Zone(country="GB", regions=("SCT",), except_regions=("NIR",)),
                Zone(country="IT"),
                Zone(country="ES", except_regions=("CN",)),
            ),
        )
    },
)


def test_regions_are_known_that_areas_zones_or_the_home_name() -> None:
    assert named_regions(NAMING) == {
        "US": {"CA", "TX", "OK"},
        "GB": {"SCT", "NIR"},
        "ES": {"CN"},
        "DE": {"BY"},
    }
    assert named_regions(Terms(home=Home(country="DE"))) == {}


def test_compiled_terms_know_what_they_need_of_a_destination() -> None:
    compiled = compile_terms(NAMING)
    assert compiled.regions == named_regions(NAMING)
    assert compiled.postal_prefixes.longest("US", "94105") == "9"
