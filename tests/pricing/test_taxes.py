"""Tax on lines and shipping: once per group, half up, shared to the penny."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates.pricing.context import (
    Context,
    Destination,
    Exemption,
    TargetTax,
    TaxAnswer,
    TaxStatus,
)
from aggregates.pricing.explanation import ChargePrice, Notice, Step, TaxTotal
from aggregates.pricing.rules import Home, Market, TaxArea, TaxComponent, TaxRate, Terms
from aggregates.pricing.taxes import TaxOutcome, TaxTarget, compile_taxes, digest, tax

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def component(percent: str, name: str = "VAT", *, compound: bool = False) -> TaxComponent:
    """`percent` as it is said: "9.975"."""
    return TaxComponent(name=name, percent=round(float(percent) * 10_000), compound=compound)


def rate(percent: str, tax_category: str = "standard", **more: object) -> TaxRate:
    return TaxRate(tax_category=tax_category, components=(component(percent),), **more)  # type: ignore[arg-type]


def area(area_id: str, *rates: TaxRate, country: str = "GB", **more: object) -> TaxArea:
    return TaxArea(area_id=area_id, country=country, rates=rates, **more)  # type: ignore[arg-type]


def market(tax_pricing: str = "inclusive", **more: object) -> Market:
    return Market(
        market_id="main",
        countries=(),
        currencies=("GBP",),
        tax_pricing=tax_pricing,
        **more,  # type: ignore[arg-type]
    )


def terms(*areas: TaxArea, where: Market | None = None, home: Home | None = None) -> Terms:
    return Terms(
        home=home,
        markets={where.market_id: where} if where else {},
        tax_areas={one.area_id: one for one in areas},
    )


GB = Destination(country="GB")


def context(destination: Destination | None = GB, **more: object) -> Context:
    return Context(market="main", currency="GBP", at=NOON, destination=destination, **more)  # type: ignore[arg-type]


def line(target: str, net: int, tax_category: str = "standard") -> TaxTarget:
    return TaxTarget(target, tax_category, net)


def shipped(net: int, tax_category: str = "standard") -> TaxTarget:
    return TaxTarget("shipping", tax_category, net)


def taxed(
    rules: Terms,
    *targets: TaxTarget,
    shipping: TaxTarget | None = None,
    at: Context | None = None,
) -> TaxOutcome:
    """The outcome, after the laws that every one of them keeps."""
    outcome = tax(targets, shipping, compile_taxes(rules), at or context())
    keeps_the_laws(outcome, [*targets, shipping] if shipping else targets)
    return outcome


def keeps_the_laws(outcome: TaxOutcome, targets: list[TaxTarget] | tuple[TaxTarget, ...]) -> None:
    nets = {one.target: one.net for one in targets}
    assert outcome.tax.keys() == outcome.paid.keys() == nets.keys()
    total = sum(outcome.tax.values())
    assert total == sum(one.amount for one in outcome.totals)
    assert total == sum(sum(groups.values()) for groups in outcome.groups.values())
    assert total == sum(step.amount for step in outcome.steps if step.step == "tax")
    for target, groups in outcome.groups.items():
        assert outcome.tax[target] == sum(groups.values())
    for one in outcome.totals:
        assert sum(one.components.values()) == one.amount
        assert one.amount == sum(groups.get(one.group, 0) for groups in outcome.groups.values())
    for step in outcome.steps:
        assert sum(step.shares.values()) == step.amount
        assert all(step.shares.values())
    charged = sum(charge.amount for charge in outcome.charges)
    assert sum(outcome.paid.values()) == sum(nets.values()) + charged
    assert all(0 <= outcome.tax[target] <= outcome.paid[target] for target in nets)


def charged(outcome: TaxOutcome) -> int:
    return sum(charge.amount for charge in outcome.charges)


def total(outcome: TaxOutcome) -> int:
    return sum(outcome.paid.values())


# -- the cases of the page --

SEVEN_NINETEEN = area("DE", rate("19"), rate("7", "books"))


def test_case_15_shipping_shares_the_rates_of_the_goods() -> None:
    outcome = taxed(
        terms(SEVEN_NINETEEN, where=market("exclusive")),
        line("book", 1000, "books"),
        line("beans", 2000),
        shipping=shipped(600),
    )
    assert outcome.tax == {"book": 70, "beans": 380, "shipping": 90}
    assert outcome.groups["shipping"] == {"DE/books": 14, "DE/standard": 76}
    assert outcome.charges == (
        ChargePrice(kind="tax", rule="DE/books", label="VAT 7 %", amount=84),
        ChargePrice(kind="tax", rule="DE/standard", label="VAT 19 %", amount=456),
    )
    assert total(outcome) == 4140


def test_case_16_goods_at_nothing_draw_no_shipping() -> None:
    outcome = taxed(
        terms(SEVEN_NINETEEN, where=market()), line("a", 0), line("b", 1000, "books"), shipping=shipped(500)
    )
    assert outcome.tax == {"a": 0, "b": 65, "shipping": 33}
    assert (total(outcome), outcome.charges) == (1500, ())


ZERO_TWENTY = area("GB", rate("20"), rate("0", "books"))


def test_case_16_shipping_at_the_highest_rate() -> None:
    outcome = taxed(
        terms(ZERO_TWENTY, where=market(shipping_tax="highest")),
        line("book", 3000, "books"),
        line("toy", 500),
        shipping=shipped(300),
    )
    assert outcome.tax == {"book": 0, "toy": 83, "shipping": 50}
    assert total(outcome) == 3800


def test_case_17_tax_inside_is_rounded_once_and_shared() -> None:
    outcome = taxed(terms(area("GB", rate("20"))), line("a", 999), line("b", 999), line("c", 499))
    assert outcome.tax == {"a": 167, "b": 166, "c": 83}
    assert outcome.paid == {"a": 999, "b": 999, "c": 499}
    assert outcome.totals == (
        TaxTotal(
            group="GB/standard",
            label="VAT 20 %",
            tax_category="standard",
            treatment="taxed",
            base=2497,
            rate="20 %",
            amount=416,
            inside=True,
            components={"VAT": 416},
        ),
    )


def test_the_explanation_says_what_was_applied_and_what_came_out_before_rounding() -> None:
    """The step that the page shows."""
    outcome = taxed(terms(area("GB", rate("20"))), line("1", 2999), line("2", 3000), line("3", 3000))
    assert outcome.steps == (
        Step(
            step="tax",
            rule="GB/standard",
            label="VAT 20 %",
            base=8999,
            rate="20/120",
            exact="1499.8333",
            amount=1500,
            shares={"1": 500, "2": 500, "3": 500},
            inside=True,
        ),
    )


NL_HOME = Home(country="NL")
ACROSS = context(Destination(country="DE"), tax_status=TaxStatus(reverse_charge=True))


def test_case_18_reverse_charge_takes_off_the_tax_that_was_inside() -> None:
    rules = terms(area("DE", rate("21"), country="DE"), home=NL_HOME)
    outcome = taxed(rules, line("a", 10000), at=ACROSS)
    assert (total(outcome), charged(outcome), outcome.tax) == (8264, -1736, {"a": 0})
    outcome = taxed(rules, line("a", 10000), shipping=shipped(500), at=ACROSS)
    assert (total(outcome), charged(outcome)) == (8678, -1822)
    assert outcome.paid == {"a": 8265, "shipping": 413}
    assert outcome.steps == (
        Step(
            step="tax_adjustment",
            rule="DE/standard/reverse_charge",
            label="VAT 21 %",
            base=10500,
            rate="-21/121",
            exact="-1822.314",
            amount=-1822,
            shares={"a": -1735, "shipping": -87},
        ),
    )
    assert [(one.treatment, one.base, one.rate, one.amount) for one in outcome.totals] == [
        ("reverse_charge", 8678, "0 %", 0)
    ]


BY_COUNTRY = market("inclusive_by_country", reference_area="reference")


def test_of_rates_that_overlap_the_one_that_started_last_counts() -> None:
    always, later = rate("20"), rate("10", starts_on=date(2026, 1, 1))
    ended = rate("30", starts_on=date(2025, 1, 1), ends_on=date(2026, 6, 1))
    rules = Terms(markets={"main": market()}, tax_areas={"GB": area("GB", later, always, ended)})
    for rates in ((later, always, ended), (always, ended, later), (ended, later, always)):
        rules.tax_areas["GB"] = area("GB", *rates)
        outcome = tax([line("a", 1100)], None, compile_taxes(rules), context())
        assert outcome.tax["a"] == 100


def test_components_of_one_name_are_summed() -> None:
    both = TaxRate(tax_category="standard", components=(component("10"), component("5")))
    rules = Terms(markets={"main": market("exclusive")}, tax_areas={"GB": area("GB", both)})
    (total,) = tax([line("a", 1000)], None, compile_taxes(rules), context()).totals
    assert (total.amount, total.components) == (150, {"VAT": 150})


def test_what_a_provider_is_asked_has_32_digits() -> None:
    assert len(digest([line("a", 1000)], None, context())) == 32


def by_country(reference: str, due: str) -> Terms:
    return terms(area("reference", rate(reference), country="NL"), area("there", rate(due)), where=BY_COUNTRY)


def test_case_19_the_price_changes_with_the_rate_of_the_country() -> None:
    outcome = taxed(by_country("20", "19"), line("a", 12000))
    assert (total(outcome), charged(outcome), outcome.tax) == (11900, -100, {"a": 1900})
    adjustment, step = outcome.steps
    assert (adjustment.rate, adjustment.exact, adjustment.shares) == (
        "-20/120 + 19 %",
        "-2000 + 1900",
        {"a": -100},
    )
    assert (step.base, step.rate, step.exact, step.inside) == (10000, "19 %", "1900", True)
    assert [(one.base, one.inside) for one in outcome.totals] == [(11900, True)]


def test_case_19_equal_rates_leave_the_price() -> None:
    outcome = taxed(by_country("4", "4"), line("a", 299))
    assert (total(outcome), outcome.tax, outcome.charges) == (299, {"a": 12}, ())


def test_case_20_components_together_are_rounded_once() -> None:
    parts = (component("4", "state"), component("4.5", "city"), component("0.375", "district"))
    rules = terms(
        area("US-NY", TaxRate(tax_category="standard", components=parts)), where=market("exclusive")
    )
    outcome = taxed(rules, line("a", 1999), line("b", 1350), line("c", 21))
    assert outcome.tax == {"a": 177, "b": 120, "c": 2}
    assert outcome.totals[0].components == {"state": 135, "city": 151, "district": 13}
    assert outcome.totals[0].label == "state 4 % + city 4.5 % + district 0.375 %"
    assert (outcome.steps[0].rate, outcome.steps[0].exact) == ("8.875 %", "299.0875")
    assert total(outcome) == 3669
    half = taxed(terms(area("US-NY", rate("8.5")), where=market("exclusive")), line("a", 500))
    assert total(half) == 543


def each(*components: TaxComponent) -> Terms:
    return terms(
        area("CA-QC", TaxRate(tax_category="standard", components=components), components_rounded="each"),
        where=market("exclusive"),
    )


def test_case_21_components_that_are_rounded_each() -> None:
    outcome = taxed(each(component("5", "GST"), component("9.975", "QST")), line("a", 1030))
    assert outcome.totals[0].components == {"GST": 52, "QST": 103}
    assert total(outcome) == 1185
    assert (outcome.steps[0].rate, outcome.steps[0].exact) == ("5 % + 9.975 %", "51.5 + 102.7425")


def test_case_21_a_compound_component_is_on_what_was_rounded_before() -> None:
    outcome = taxed(each(component("5", "GST"), component("7.5", "PST", compound=True)), line("a", 3333))
    assert outcome.totals[0].components == {"GST": 167, "PST": 263}
    assert outcome.steps[0].rate == "5 % + 7.5 % compound"
    assert total(outcome) == 3763


def test_case_22_yen_and_dinars_as_the_smallest_of_their_units() -> None:
    japan = terms(area("JP", rate("10"), rate("8", "food"), country="JP"))
    outcome = taxed(japan, line("a", 849, "food"), line("b", 1216), at=context(Destination(country="JP")))
    assert (outcome.tax, total(outcome)) == ({"a": 63, "b": 111}, 2065)
    bahrain = terms(area("BH", rate("10"), country="BH"), where=market("exclusive"))
    outcome = taxed(bahrain, line("a", 2099), line("b", 5), at=context(Destination(country="BH")))
    assert (outcome.tax, total(outcome)) == ({"a": 210, "b": 0}, 2314)


def test_case_23_a_line_too_small_for_any_tax_has_none() -> None:
    outcome = taxed(terms(area("GB", rate("20")), where=market("exclusive")), line("a", 8999), line("b", 1))
    assert (outcome.paid, outcome.tax) == ({"a": 10799, "b": 1}, {"a": 1800, "b": 0})


def test_tax_on_top_is_explained_by_its_base_under_its_own_label() -> None:
    rules = terms(area("GB", rate("20", label="VAT at the full rate")), where=market("exclusive"))
    outcome = taxed(rules, line("a", 1000), line("b", 500))
    (step,) = outcome.steps
    assert (step.base, step.rate, step.amount, step.inside) == (1500, "20 %", 300, False)
    assert {step.label, outcome.totals[0].label, outcome.charges[0].label} == {"VAT at the full rate"}


def test_case_5_a_cart_at_nothing_has_no_tax() -> None:
    outcome = taxed(terms(area("GB", rate("20"))), line("a", 0), line("b", 0))
    assert (outcome.tax, outcome.steps) == ({"a": 0, "b": 0}, ())


def test_case_3_tax_on_top_of_a_discounted_cart() -> None:
    outcome = taxed(terms(area("GB", rate("20")), where=market("exclusive")), line("a", 20500))
    assert (charged(outcome), total(outcome)) == (4100, 24600)


# -- where no tax is known --


def test_without_areas_or_without_a_destination_nothing_is_done() -> None:
    plain = TaxOutcome({"a": 0, "shipping": 0}, {"a": 500, "shipping": 300})
    assert taxed(terms(where=market("exclusive")), line("a", 500), shipping=shipped(300)) == plain
    for pricing in ("exclusive", "inclusive", "inclusive_by_country"):
        rules = terms(area("GB", rate("20")), where=market(pricing, reference_area="GB"))
        assert taxed(rules, line("a", 500), shipping=shipped(300), at=context(None)) == plain


def test_outside_all_areas_the_price_stays() -> None:
    away = context(Destination(country="JE"))
    for pricing in ("exclusive", "inclusive"):
        outcome = taxed(terms(area("GB", rate("20")), where=market(pricing)), line("a", 500), at=away)
        assert (outcome.paid, outcome.tax, outcome.steps) == ({"a": 500}, {"a": 0}, ())
        assert [(one.group, one.treatment, one.base) for one in outcome.totals] == [
            ("JE/standard/outside", "outside", 500)
        ]


def test_outside_all_areas_the_reference_tax_comes_off() -> None:
    outcome = taxed(
        by_country("20", "19"), line("a", 1200), shipping=shipped(120), at=context(Destination(country="JE"))
    )
    assert outcome.paid == {"a": 1000, "shipping": 100}
    assert (charged(outcome), outcome.tax) == (-220, {"a": 0, "shipping": 0})


def test_an_area_of_regions_does_not_tax_the_rest_of_its_country() -> None:
    rules = terms(area("US-TX", rate("6.25"), country="US", regions=("TX",)), where=market("exclusive"))
    for region, paid in (("TX", 1063), ("OR", 1000), (None, 1000)):
        outcome = taxed(rules, line("a", 1000), at=context(Destination(country="US", region=region)))
        assert outcome.paid == {"a": paid}


# -- which area and which rate --


def where(region: str | None, prefix: str | None) -> Context:
    return context(Destination(country="US", region=region, postal_prefix=prefix))


NESTED = terms(
    area("us", rate("1"), country="US"),
    area("ca", rate("2"), country="US", regions=("CA", "NV")),
    area("94", rate("3"), country="US", postal_prefixes=("94", "95")),
    area("941", rate("4"), country="US", postal_prefixes=("941-",), regions=("CA",)),
    where=market("exclusive"),
)


@pytest.mark.parametrize(
    ("region", "prefix", "area_id"),
    [
        ("OR", None, "us"),
        (None, None, "us"),
        ("NV", None, "ca"),
        ("CA", "90", "ca"),
        ("CA", "94", "94"),
        ("CA", "94x", "94"),
        ("CA", "941", "941"),
        ("CA", "9411", "941"),
        ("OR", "941", "94"),
    ],
)
def test_the_narrowest_area_counts(region: str | None, prefix: str | None, area_id: str) -> None:
    outcome = taxed(NESTED, line("a", 100), at=where(region, prefix))
    assert [one.group for one in outcome.totals] == [f"{area_id}/standard"]


def test_the_order_of_definition_changes_nothing() -> None:
    backwards = replace(NESTED, tax_areas=dict(reversed(NESTED.tax_areas.items())))
    for place in (where("CA", "941"), where("CA", "94"), where("NV", None)):
        assert taxed(backwards, line("a", 100), at=place) == taxed(NESTED, line("a", 100), at=place)


@pytest.mark.parametrize(
    ("region", "prefix", "sourcing", "expected"),
    [
        ("TX", "75", "origin", "austin"),  # within the merchant's region: the area he sends from
        ("TX", "75", "destination", "dallas"),
        ("OK", "73", "origin", "ok"),
    ],
)
def test_by_origin_the_merchants_own_area_counts_in_his_region(
    region: str, prefix: str, sourcing: str, expected: str
) -> None:
    rules = terms(
        area("austin", rate("1"), country="US", regions=("TX",), postal_prefixes=("787",)),
        area("dallas", rate("2"), country="US", regions=("TX",), postal_prefixes=("75",), sourcing=sourcing),
        area("ok", rate("3"), country="US", regions=("OK",), sourcing=sourcing),
        home=Home(country="US", region="TX", postal_code="78701"),
    )
    outcome = taxed(rules, line("a", 100), at=where(region, prefix))
    assert [one.group for one in outcome.totals] == [f"{expected}/standard"]


def test_by_origin_a_home_without_a_postal_code_is_in_no_area_of_postal_codes() -> None:
    rules = terms(
        area("codes", rate("1"), country="US", regions=("TX",), postal_prefixes=("X", "7")),
        area("tx", rate("2"), country="US", regions=("TX",), sourcing="origin"),
        home=Home(country="US", region="TX"),
    )
    outcome = taxed(rules, line("a", 100), at=where("TX", None))
    assert [one.group for one in outcome.totals] == ["tx/standard"]


def test_by_origin_a_home_outside_all_areas_changes_nothing() -> None:
    rules = terms(
        area("dallas", rate("2"), country="US", postal_prefixes=("75",), sourcing="origin"),
        home=Home(country="US", region="TX", postal_code="78701"),
    )
    outcome = taxed(rules, line("a", 100), at=where("TX", "75"))
    assert [one.group for one in outcome.totals] == ["dallas/standard"]


DATED = area(
    "DE",
    rate("19", ends_on=date(2026, 7, 1)),
    rate("16", starts_on=date(2026, 7, 1), ends_on=date(2027, 1, 1)),
    rate("19", starts_on=date(2027, 1, 1)),
    rate("5", "food", starts_on=date(2026, 7, 1), ends_on=date(2027, 1, 1)),
)


@pytest.mark.parametrize(
    ("at", "tax_category", "expected"),
    [
        (datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), "standard", 190),
        (datetime(2026, 7, 1, tzinfo=UTC), "standard", 160),
        (datetime(2026, 7, 1, 1, tzinfo=timezone(timedelta(hours=2))), "standard", 190),  # in UTC still June
        (datetime(2026, 12, 31, 23, tzinfo=UTC), "food", 50),
        (datetime(2027, 1, 1, tzinfo=UTC), "standard", 190),
        (datetime(2027, 1, 1, tzinfo=UTC), "food", 190),  # without a rate of its own: the standard one
    ],
)
def test_a_rate_holds_from_its_day_until_before_its_last(
    at: datetime, tax_category: str, expected: int
) -> None:
    moment = replace(context(), at=at)
    outcome = taxed(terms(DATED, where=market("exclusive")), line("a", 1000, tax_category), at=moment)
    assert outcome.tax == {"a": expected}


def test_an_area_without_any_rate_is_outside() -> None:
    outcome = taxed(terms(area("GB", rate("5", "food")), where=market("exclusive")), line("a", 1000))
    assert [(one.group, one.treatment) for one in outcome.totals] == [("GB/standard/outside", "outside")]


def test_a_zero_rate_is_a_tax_of_nothing() -> None:
    for rules in (terms(ZERO_TWENTY), terms(ZERO_TWENTY, where=market("exclusive"))):
        outcome = taxed(rules, line("a", 1000, "books"))
        assert (outcome.paid, outcome.groups, outcome.steps) == ({"a": 1000}, {"a": {"GB/books": 0}}, ())
        assert [(one.treatment, one.rate, one.base) for one in outcome.totals] == [("taxed", "0 %", 1000)]


# -- shipping --


def shipping_tax(how: str, *lines: TaxTarget, shipping: TaxTarget | None = None) -> dict[str, int]:
    rules = terms(
        area("GB", rate("20"), rate("5", "food"), rate("10", "shipping")),
        where=market("exclusive", shipping_tax=how),
    )
    outcome = taxed(rules, *lines, shipping=shipping or shipped(1000))
    return outcome.groups.get("shipping", {})


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("proportional", {"GB/food": 38, "GB/standard": 50}),
        ("highest", {"GB/standard": 200}),
        ("category", {"GB/shipping": 100}),
        ("none", {}),
    ],
)
def test_how_shipping_is_taxed(how: str, expected: dict[str, int]) -> None:
    assert shipping_tax(how, line("a", 300, "food"), line("b", 100)) == expected


@pytest.mark.parametrize("how", ["proportional", "highest", "category"])
def test_beside_goods_at_nothing_shipping_has_its_own_category(how: str) -> None:
    assert shipping_tax(how, line("a", 0, "food"), line("b", 0)) == {"GB/shipping": 100}


def test_shipping_that_is_not_taxed_stays_so_beside_goods_at_nothing() -> None:
    assert shipping_tax("none", line("a", 0)) == {}


def test_an_area_without_a_rate_for_shipping_has_that_of_the_method() -> None:
    rules = terms(
        area("GB", rate("20"), rate("5", "food")), where=market("exclusive", shipping_tax="category")
    )
    outcome = taxed(rules, line("a", 10), shipping=shipped(1000, "food"))
    assert outcome.groups["shipping"] == {"GB/food": 50}
    outcome = taxed(rules, line("a", 2), shipping=shipped(1))
    assert outcome.totals[0].amount == 1  # 0.6 of both together, and not 0.4 and 0.2


def test_goods_at_the_least_amount_there_is_draw_shipping() -> None:
    rules = terms(area("GB", rate("20"), rate("0", "books")), where=market("exclusive"))
    outcome = taxed(rules, line("a", 1, "books"), shipping=shipped(300))
    assert outcome.groups["shipping"].keys() == {"GB/books"}
    assert outcome.tax["shipping"] == 0


def test_shipping_for_nothing_is_in_no_group() -> None:
    outcome = taxed(terms(ZERO_TWENTY), line("a", 100), shipping=shipped(0))
    assert (outcome.tax, "shipping" in outcome.groups) == ({"a": 17, "shipping": 0}, False)


# -- who owes no tax --


def exempt(*categories: str, until: date | None = None, area_id: str = "GB") -> Context:
    certificate = Exemption(area_id=area_id, tax_categories=categories, until=until)
    return context(tax_status=TaxStatus(exemptions=(certificate,)))


def test_a_certificate_covers_its_categories() -> None:
    rules = terms(ZERO_TWENTY, where=market("exclusive"))
    outcome = taxed(rules, line("a", 100), line("b", 100, "tools"), at=exempt("tools"))
    assert outcome.paid == {"a": 120, "b": 100}
    assert [(one.group, one.treatment) for one in outcome.totals] == [
        ("GB/standard", "taxed"),
        ("GB/tools/exempt", "exempt"),
    ]
    assert taxed(rules, line("a", 100), line("b", 100, "tools"), at=exempt()).paid == {"a": 100, "b": 100}


@pytest.mark.parametrize(
    ("status", "tax_due"),
    [
        (exempt(until=date(2026, 11, 25)), 0),
        (exempt(until=date(2026, 11, 24)), 20),
        (exempt(area_id="NI"), 20),
    ],
)
def test_a_certificate_holds_in_its_area_up_to_its_day(status: Context, tax_due: int) -> None:
    assert taxed(terms(ZERO_TWENTY, where=market("exclusive")), line("a", 100), at=status).tax == {
        "a": tax_due
    }


def test_a_certificate_takes_the_tax_off_a_price_that_contains_it() -> None:
    outcome = taxed(terms(ZERO_TWENTY), line("a", 1200), at=exempt())
    assert (outcome.paid, charged(outcome), outcome.tax) == ({"a": 1000}, -200, {"a": 0})


@pytest.mark.parametrize(("home", "destination"), [("DE", "DE"), ("GB", "DE"), ("NL", "GB"), (None, "DE")])
def test_reverse_charge_is_for_sales_between_two_eu_countries(home: str | None, destination: str) -> None:
    rules = terms(area("there", rate("21"), country=destination), home=Home(country=home) if home else None)
    at = replace(ACROSS, destination=Destination(country=destination))
    assert taxed(rules, line("a", 121), at=at).tax == {"a": 21}


@pytest.mark.parametrize(
    ("tax_pricing", "paid"), [("inclusive", 1000), ("inclusive_by_country", 1050), ("exclusive", 1210)]
)
def test_without_any_tax_due_shipping_follows_the_highest_rate_that_was_inside(
    tax_pricing: str, paid: int
) -> None:
    rules = terms(
        area("DE", rate("21"), rate("7", "books"), country="DE"),
        area("reference", rate("5"), rate("15.24", "books"), country="NL"),
        where=market(tax_pricing, shipping_tax="highest", reference_area="reference"),
        home=NL_HOME,
    )
    outcome = taxed(rules, line("a", 100, "books"), line("b", 100), shipping=shipped(1210), at=ACROSS)
    assert outcome.paid["shipping"] == paid


def test_by_country_reverse_charge_takes_off_the_reference_tax() -> None:
    rules = terms(
        area("reference", rate("20"), country="NL"),
        area("DE", rate("19"), country="DE"),
        where=BY_COUNTRY,
        home=NL_HOME,
    )
    assert taxed(rules, line("a", 12000), at=ACROSS).paid == {"a": 10000}


def test_a_price_too_small_to_change_is_not_adjusted() -> None:
    outcome = taxed(by_country("20", "19"), line("a", 1))
    assert (outcome.paid, outcome.steps, outcome.charges) == ({"a": 1}, (), ())


def test_what_is_left_of_a_price_is_shared_and_not_what_comes_off() -> None:
    outcome = taxed(by_country("0.5", "0"), line("a", 100), line("b", 100))
    assert outcome.paid == {"a": 100, "b": 99}


def test_by_country_without_a_reference_area_the_price_stays() -> None:
    rules = terms(area("GB", rate("19")), where=market("inclusive_by_country", reference_area="gone"))
    assert taxed(rules, line("a", 11900)).tax == {"a": 1900}


def test_tax_inside_a_price_is_split_over_components_by_largest_remainder() -> None:
    parts = (component("5", "GST"), component("10", "PST", compound=True))
    for rounded in ("each", "together"):
        one = area("CA", TaxRate(tax_category="standard", components=parts), components_rounded=rounded)
        outcome = taxed(terms(one), line("a", 1155), line("b", 4))
        # 15.5/115.5 of 1159 is 155.54; of 156 the components' 5 and 10.5 parts of 15.5 are 50.32 and 105.68
        assert outcome.totals[0].components == {"GST": 50, "PST": 106}
        assert outcome.steps[0].rate == "15.5/115.5"


# -- outside providers --

ASKED = area("US", rate("5"), country="US", provider="taxer")
IN_US = context(Destination(country="US", region="CA", postal_prefix="94"))
LINES = (line("a", 1000), line("b", 500))


def answered(fallback: bool = False, **answers: TargetTax) -> TaxOutcome:
    rules = terms(replace(ASKED, provider_fallback=fallback), where=market("exclusive"))
    answer = TaxAnswer(
        digest=digest(LINES, shipped(300), IN_US), provider="taxer", reference="r1", answers=answers
    )
    return taxed(rules, *LINES, shipping=shipped(300), at=replace(IN_US, tax_answer=answer))


def test_a_provider_says_what_is_due_on_each_target() -> None:
    state, city = component("6", "state"), component("1.5", "city")
    outcome = answered(
        a=TargetTax(treatment="taxed", components=(state, city)),
        b=TargetTax(treatment="exempt"),
        shipping=TargetTax(treatment="taxed", components=(state,)),
    )
    assert outcome.tax == {"a": 75, "b": 0, "shipping": 18}
    assert {one.group: one.treatment for one in outcome.totals} == {
        "US/standard/state 6 % + city 1.5 %": "taxed",
        "US/standard/exempt/No tax": "exempt",
        "US/standard/state 6 %": "taxed",
    }


def test_components_of_a_provider_are_rounded_as_the_area_says() -> None:
    half = TargetTax(treatment="taxed", components=(component("0.05", "state"), component("0.05", "city")))
    assert answered(a=half, b=half, shipping=TargetTax(treatment="exempt")).tax["a"] == 1
    rules = terms(replace(ASKED, components_rounded="each"), where=market("exclusive"))
    answer = TaxAnswer(
        digest=digest(LINES[:1], None, IN_US), provider="taxer", reference="", answers={"a": half}
    )
    outcome = taxed(rules, LINES[0], at=replace(IN_US, tax_answer=answer))
    assert outcome.totals[0].components == {"state": 1, "city": 1}
    assert outcome.tax == {"a": 2}


def test_without_an_answer_on_shipping_the_market_says_how_it_is_taxed() -> None:
    same = TargetTax(treatment="taxed", components=(component("6", "state"),))
    assert answered(a=same, b=same).tax == {"a": 60, "b": 30, "shipping": 18}


def test_an_answer_that_is_missing_or_does_not_name_a_line_asks_for_a_quote() -> None:
    wanted = (Notice(kind="quote_required", rule="taxer", why="tax"),)
    outcome = taxed(terms(ASKED, where=market("exclusive")), *LINES, shipping=shipped(300), at=IN_US)
    assert (outcome.notices, outcome.totals, total(outcome)) == (wanted, (), 1800)
    assert wanted[0].blocks
    assert answered(a=TargetTax(treatment="taxed")).notices == wanted


def test_an_answer_counts_for_what_was_asked_and_nothing_else() -> None:
    first = digest(LINES, shipped(300), IN_US)
    assert digest(LINES, shipped(300), replace(IN_US, at=NOON + timedelta(days=1))) == first
    other = [
        digest((line("a", 1001), LINES[1]), shipped(300), IN_US),
        digest((line("a", 1000, "books"), LINES[1]), shipped(300), IN_US),
        digest(LINES[:1], shipped(300), IN_US),
        digest(LINES, shipped(301), IN_US),
        digest(LINES, None, IN_US),
        digest(LINES, shipped(300), replace(IN_US, currency="USD")),
        digest(LINES, shipped(300), replace(IN_US, market="us")),
        digest(LINES, shipped(300), context(Destination(country="US", region="CA", postal_prefix="95"))),
        digest(LINES, shipped(300), context(Destination(country="US", region="NV", postal_prefix="94"))),
        digest(LINES, shipped(300), context(None)),
    ]
    assert len({first, *other}) == 1 + len(other)


def test_where_the_area_allows_it_its_own_rates_hold_and_the_explanation_says_so() -> None:
    rules = terms(replace(ASKED, provider_fallback=True), where=market("exclusive"))
    outcome = taxed(rules, *LINES, at=IN_US)
    assert (outcome.tax, outcome.notices) == ({"a": 50, "b": 25}, ())
    assert outcome.steps[0].label == "VAT 5 % (own rates: no answer of taxer)"


# -- the laws, over generated carts --

CATEGORIES = ("standard", "books", "food")
PERCENTS = st.sampled_from(["0", "2.1", "5", "7.7", "9.975", "20", "25.5"])


@st.composite
def rules_and_context(draw: st.DrawFn) -> tuple[Terms, Context]:
    def rates() -> tuple[TaxRate, ...]:
        return tuple(
            TaxRate(
                tax_category=category,
                components=tuple(
                    component(draw(PERCENTS), f"c{number}", compound=number > 0 and draw(st.booleans()))
                    for number in range(draw(st.integers(0, 3)))
                ),
            )
            for category in draw(st.sets(st.sampled_from([*CATEGORIES, "shipping"])))
        )

    rounded = draw(st.sampled_from(["each", "together"]))
    rules = terms(
        area("DE", *rates(), country="DE", components_rounded=rounded),
        area("reference", *rates(), country="NL"),
        where=market(
            draw(st.sampled_from(["exclusive", "inclusive", "inclusive_by_country"])),
            shipping_tax=draw(st.sampled_from(["proportional", "highest", "category", "none"])),
            reference_area=draw(st.sampled_from(["reference", "DE", None])),
        ),
        home=NL_HOME,
    )
    status = TaxStatus(
        reverse_charge=draw(st.booleans()),
        exemptions=(Exemption(area_id="DE", tax_categories=("books",)),) if draw(st.booleans()) else (),
    )
    country = draw(st.sampled_from(["DE", "DE", "JE"]))
    return rules, context(Destination(country=country), tax_status=draw(st.sampled_from([None, status])))


NETS = st.one_of(st.just(0), st.integers(1, 9), st.integers(0, 100_000))
CARTS = st.lists(st.tuples(NETS, st.sampled_from(CATEGORIES)), min_size=1, max_size=8)


@settings(deadline=None)
@given(rules_and_context(), CARTS, st.none() | NETS)
def test_tax_is_the_sum_of_its_groups_and_of_its_shares(
    rules: tuple[Terms, Context], cart: list[tuple[int, str]], shipping: int | None
) -> None:
    lines = [line(str(number), net, category) for number, (net, category) in enumerate(cart)]
    outcome = taxed(rules[0], *lines, shipping=None if shipping is None else shipped(shipping), at=rules[1])
    if rules[0].markets["main"].tax_pricing == "inclusive" and not rules[1].tax_status:
        assert outcome.paid == {one.target: one.net for one in lines} | (
            {} if shipping is None else {"shipping": shipping}
        )
