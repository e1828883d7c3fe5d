"""Which shipping methods reach a destination, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aggregates.pricing.context import Context, Destination, ShippingAnswer
from aggregates.pricing.destinations import postal_prefixes
from aggregates.pricing.explanation import Notice, Step
from aggregates.pricing.rules import (
    Market,
    PickupPoint,
    ShippingMethod,
    ShippingTier,
    TaxArea,
    Terms,
    Zone,
)
from aggregates.pricing.shipping import OfferedMethod, ShippingQuote, digest, methods_for, quote
from aggregates.pricing.shipping_methods import compile_methods


def gbp(amount: int) -> dict[str, int]:
    return {"GBP": amount}


BY_WEIGHT = ShippingMethod(
    method_id="parcel",
    label="Parcel",
    tiers=(
        ShippingTier(price=gbp(395)),
        ShippingTier(price=gbp(595), at_least=2000),
        ShippingTier(price=gbp(895), at_least=5000, step=500, step_price=gbp(80)),
    ),
    free_from=gbp(5000),
)
FREE = ShippingMethod(method_id="free", label="Free")


def terms(*methods: ShippingMethod, where: Market | None = None) -> Terms:
    return Terms(
        shipping_methods={one.method_id: one for one in methods},
        markets={where.market_id: where} if where else {},
    )


def place(country: str = "GB", region: str | None = None, prefix: str | None = None) -> Destination:
    return Destination(country=country, region=region, postal_prefix=prefix)


GB = place()


def context(
    method_id: str | None = "parcel", destination: Destination | None = GB, **more: object
) -> Context:
    return Context(
        market="main",
        currency="GBP",
        at=datetime(2026, 11, 25, tzinfo=UTC),
        destination=destination,
        method_id=method_id,
        **more,  # type: ignore[arg-type]
    )


def quoted(
    rules: Terms,
    at: Context,
    weight_grams: int = 0,
    amount: int = 0,
    quantity: int = 1,
    ships: bool = True,
) -> ShippingQuote | None:
    return quote(
        compile_methods(rules),
        at,
        weight_grams=weight_grams,
        amount=amount,
        quantity=quantity,
        ships=ships,
    )


def rate(rules: Terms, at: Context, **cart: int) -> int:
    found = quoted(rules, at, **cart)
    assert found is not None
    assert found.method_id == at.method_id, found.notices
    return found.rate


def lacking(kind: str, rule: str = "", why: str | None = None) -> ShippingQuote:
    return ShippingQuote(notices=(Notice(kind=kind, rule=rule, why=why),))  # type: ignore[arg-type]


def test_case_14_started_steps_of_weight_and_free_from_an_amount() -> None:
    """30 % off 52.00 leaves 36.40, which is charged for; 52.00 is not."""
    assert rate(terms(BY_WEIGHT), context(), weight_grams=5200, amount=3640) == 975
    assert rate(terms(BY_WEIGHT), context(), weight_grams=5200, amount=5200) == 0


@pytest.mark.parametrize(
    ("weight_grams", "expected"),
    [(0, 395), (1999, 395), (2000, 595), (5000, 895), (5001, 975), (5500, 975), (5501, 1055), (6000, 1055)],
)
def test_a_tier_counts_from_its_weight_on_and_a_step_as_soon_as_it_is_started(
    weight_grams: int, expected: int
) -> None:
    assert rate(terms(BY_WEIGHT), context(), weight_grams=weight_grams) == expected


def test_the_quote_explains_itself_and_says_what_is_missing_for_free_delivery() -> None:
    assert quoted(terms(BY_WEIGHT), context(), weight_grams=5200, amount=4680) == ShippingQuote(
        method_id="parcel",
        label="Parcel",
        rate=975,
        step=Step(
            step="shipping",
            rule="parcel",
            label="Parcel",
            base=5200,
            rate="from 5000 g: 8.95 + 1 × 0.80",
            amount=975,
            shares={"shipping": 975},
        ),
        notices=(Notice(kind="free_delivery", rule="parcel", amount=320),),
    )


def test_the_quote_of_a_method_that_is_never_free_explains_itself_too() -> None:
    found = quoted(terms(replace(BY_WEIGHT, free_from={})), context(), weight_grams=2500, amount=4680)
    assert found is not None and found.step is not None
    assert (found.step.base, found.step.rate, found.notices) == (2500, "from 2000 g: 5.95", ())


@pytest.mark.parametrize(("amount", "free"), [(4999, False), (5000, True), (5001, True)])
def test_delivery_is_free_from_the_amount_on(amount: int, free: bool) -> None:
    found = quoted(terms(BY_WEIGHT), context(), amount=amount)
    assert found is not None
    assert (found.rate == 0, found.notices == ()) == (free, free)
    if free:
        assert found.step is not None
        assert (found.step.rate, found.step.amount, found.step.shares) == ("free from 50.00", 0, {})
        assert found.step.base == 0


def test_what_costs_nothing_anyway_cannot_become_free() -> None:
    nothing = ShippingMethod(
        method_id="parcel", label="", tiers=(ShippingTier(price=gbp(0)),), free_from=gbp(5000)
    )
    found = quoted(terms(nothing), context())
    assert found is not None
    assert (found.rate, found.notices) == (0, ())


def test_tiers_by_amount_and_by_quantity() -> None:
    by_amount = ShippingMethod(
        method_id="parcel",
        label="Parcel",
        by="amount",
        tiers=(ShippingTier(price=gbp(500)), ShippingTier(price=gbp(200), from_amount=gbp(3000))),
    )
    assert [rate(terms(by_amount), context(), amount=amount) for amount in (0, 2999, 3000)] == [500, 500, 200]
    by_quantity = ShippingMethod(
        method_id="parcel",
        label="Parcel",
        by="quantity",
        tiers=(ShippingTier(price=gbp(300), at_least=1, step=2, step_price=gbp(50)),),
    )
    assert [rate(terms(by_quantity), context(), quantity=units) for units in (1, 2, 3, 4)] == [
        300,
        350,
        350,
        400,
    ]


def test_the_order_of_tiers_and_methods_changes_nothing() -> None:
    shuffled = ShippingMethod(method_id="parcel", label="Parcel", tiers=BY_WEIGHT.tiers[::-1])
    for weight_grams in (0, 2000, 7000):
        expected = rate(terms(BY_WEIGHT, FREE), context(), weight_grams=weight_grams)
        assert rate(terms(FREE, shuffled), context(), weight_grams=weight_grams) == expected


def test_a_method_without_tiers_costs_nothing() -> None:
    assert quoted(terms(FREE), context("free")) == ShippingQuote(method_id="free", label="Free")


@pytest.mark.parametrize(
    "method",
    [
        ShippingMethod(method_id="parcel", label="", tiers=(ShippingTier(price={"EUR": 500}),)),
        ShippingMethod(method_id="parcel", label="", tiers=(ShippingTier(price=gbp(5), at_least=1),)),
        ShippingMethod(
            method_id="parcel",
            label="",
            tiers=(ShippingTier(price=gbp(5), step=100, step_price={"EUR": 50}),),
        ),
        ShippingMethod(
            method_id="parcel",
            label="",
            by="amount",
            tiers=(ShippingTier(price=gbp(5), from_amount={"EUR": 0}),),
        ),
    ],
    ids=["currency", "lightest", "step", "amount"],
)
def test_a_method_without_a_price_for_the_cart_does_not_fit(method: ShippingMethod) -> None:
    assert quoted(terms(method), context()) == lacking("shipping_method_unfit", "parcel", "price")


# -- whether a method is needed, and which fit --


def test_without_methods_or_without_anything_to_ship_there_is_no_shipping() -> None:
    assert quoted(terms(), context(None)) is None
    assert quoted(terms(BY_WEIGHT), context(), ships=False) is None


def test_a_cart_that_ships_needs_a_method_where_the_market_has_any() -> None:
    needed = lacking("shipping_method_required")
    assert needed.notices[0].blocks
    assert quoted(terms(BY_WEIGHT), context(None)) == needed
    assert quoted(terms(BY_WEIGHT), context(None, None)) == needed
    elsewhere = ShippingMethod(method_id="parcel", label="", markets=("us",))
    assert quoted(terms(elsewhere), context(None)) is None


def test_methods_are_for_their_markets() -> None:
    here = ShippingMethod(method_id="here", label="", markets=("main", "us"))
    there = ShippingMethod(method_id="there", label="", markets=("us",))
    rules = terms(here, there, FREE)
    assert rate(rules, context("here")) == 0
    assert rate(rules, context("free")) == 0
    unfit = lacking("shipping_method_unfit", "there", "market")
    assert unfit.notices[0].blocks
    assert quoted(rules, context("there")) == unfit
    assert quoted(rules, context("gone")) == lacking("shipping_method_unfit", "gone", "retired")


ISLANDS = ShippingMethod(
    method_id="parcel",
    label="",
    zones=(
        Zone(
            country="GB",
            except_regions=("NIR",),
            except_postal_prefixes=("im", "JE", "iv 4"),
        ),
        Zone(country="US", regions=("CA", "NV"), postal_prefixes=("90", "941")),
        Zone(country="FR"),
    ),
)


@pytest.mark.parametrize(
    ("destination", "fits"),
    [
        (place(), True),
        (place("GB", "ENG", "SW1"), True),
        (place("GB", "NIR"), False),
        (place("GB", None, "IM"), False),
        (place("GB", None, "IV4"), False),
        (place("GB", None, "IV"), True),
        (place("US", "CA", "90"), True),
        (place("US", "CA", "9411"), True),
        (place("US", "CA", "94"), False),
        (place("US", "CA"), False),
        (place("US", "OR", "90"), False),
        (place("US", None, "90"), False),
        (place("FR", "75"), True),
        (None, False),
    ],
)
def test_a_zone_is_a_country_its_regions_and_prefixes_but_not_what_is_excepted(
    destination: Destination | None, fits: bool
) -> None:
    found = quoted(terms(ISLANDS, FREE), context(destination=destination))
    expected = lacking("shipping_method_unfit", "parcel", "destination")
    assert found == (ShippingQuote(method_id="parcel") if fits else expected)


def test_where_no_method_reaches_the_cart_cannot_be_delivered() -> None:
    away = lacking("not_deliverable", "JP", "destination")
    assert away.notices[0].blocks
    for method_id in ("parcel", None):
        assert quoted(terms(ISLANDS), context(method_id, place("JP"))) == away


def test_a_market_delivers_to_its_countries_only() -> None:
    market = Market(market_id="main", countries=("GB", "IE"), currencies=("GBP",))
    away = lacking("not_deliverable", "FR", "market")
    for rules in (terms(where=market), terms(FREE, where=market)):
        for ships in (True, False):
            assert quoted(rules, context("free", place("FR")), ships=ships) == away
    assert rate(terms(FREE, where=market), context("free", place("IE"))) == 0


POINTS = ShippingMethod(
    method_id="parcel",
    label="Shops",
    kind="pickup",
    points=(
        PickupPoint(point_id="leeds", label="Leeds", country="GB"),
        PickupPoint(point_id="york", label="York", country="GB"),
        PickupPoint(point_id="cork", label="Cork", country="IE"),
    ),
)


def test_a_pickup_method_reaches_the_countries_of_its_points() -> None:
    rules = terms(POINTS, FREE)
    assert rate(rules, context(destination=place("IE"))) == 0
    for destination in (place("FR"), None):
        found = quoted(rules, context(destination=destination))
        assert found == lacking("shipping_method_unfit", "parcel", "destination")


# -- carriers --

CARRIER = ShippingMethod(method_id="parcel", label="Swift", provider="swift", free_from=gbp(9000))
CART = {"weight_grams": 700, "amount": 4000, "quantity": 3}


def answered(amount: int = 640, **cart: int) -> Context:
    asked = digest(context(), "parcel", **{**CART, **cart})
    return context(
        shipping_answer=ShippingAnswer(digest=asked, provider="swift", reference="s-1", amount=amount)
    )


def test_a_carriers_price_counts_for_what_was_asked() -> None:
    found = quoted(terms(CARRIER), answered(), **CART)
    assert found is not None
    assert (found.method_id, found.rate) == ("parcel", 640)
    assert found.step is not None
    assert found.step.rate == "swift s-1"
    wanted = lacking("quote_required", "swift", "shipping")
    assert wanted.notices[0].blocks
    assert quoted(terms(CARRIER), context(), **CART) == wanted
    for other in ({"weight_grams": 701}, {"amount": 4001}, {"quantity": 2}):
        assert quoted(terms(CARRIER), answered(), **{**CART, **other}) == wanted


def test_nobody_is_asked_for_what_is_free() -> None:
    assert rate(terms(CARRIER), context(), **{**CART, "amount": 9000}) == 0


def test_what_a_carrier_is_asked_has_32_digits() -> None:
    assert len(digest(context(), "parcel", weight_grams=1, amount=2, quantity=3)) == 32


def test_what_a_carrier_is_asked_names_the_place_the_method_and_the_currency() -> None:
    first = digest(context(), "parcel", **CART)
    other = [
        digest(context(), "other", **CART),
        digest(context(destination=place("IE")), "parcel", **CART),
        digest(context(destination=place("GB", "SCT")), "parcel", **CART),
        digest(context(destination=place("GB", None, "AB")), "parcel", **CART),
        digest(context(destination=None), "parcel", **CART),
    ]
    assert len({first, *other}) == 1 + len(other)


# -- the list for a shopper --


def test_the_methods_for_a_destination_with_their_prices() -> None:
    swift = ShippingMethod(method_id="swift", label="", provider="swift", markets=("main",))
    parcel = ShippingMethod(
        method_id="a-parcel", label="", tiers=BY_WEIGHT.tiers, free_from={"GBP": 5000, "EUR": 6000}
    )
    heavy = ShippingMethod(
        method_id="heavy", label="", tiers=(ShippingTier(price=gbp(2000), at_least=30_000),)
    )
    usa = ShippingMethod(method_id="usa", label="", zones=(Zone(country="US"),))
    foreign = ShippingMethod(method_id="foreign", label="", markets=("us",))
    compiled = compile_methods(terms(swift, POINTS, usa, foreign, heavy, parcel))
    found = methods_for(compiled, context(None), weight_grams=2000, amount=100)
    assert list(found) == [
        OfferedMethod(parcel, price=595, free_from=5000, points=()),
        OfferedMethod(POINTS, price=0, free_from=None, points=POINTS.points[:2]),
        OfferedMethod(swift, price=None, free_from=None, points=()),
    ]
    everywhere = {one.method.method_id for one in methods_for(compiled, context(None, None))}
    assert everywhere == {"a-parcel", "parcel", "swift", "usa"}


def test_a_market_lists_no_methods_for_other_countries() -> None:
    market = Market(market_id="main", countries=("GB",), currencies=("GBP",))
    compiled = compile_methods(terms(FREE, where=market))
    assert list(methods_for(compiled, context(None, place("FR")))) == []
    assert [one.method for one in methods_for(compiled, context(None, GB))] == [FREE]


def test_tiers_without_the_currency_are_passed_over_wherever_they_stand() -> None:
    euros = {"EUR": 100}
    method = ShippingMethod(
        method_id="parcel",
        label="",
        by="amount",
        tiers=(
            ShippingTier(price=euros | gbp(1), from_amount=euros),
            ShippingTier(price=gbp(300), from_amount=gbp(0)),
        ),
    )
    found = quoted(terms(method), context(), amount=5000)
    assert found is not None and found.rate == 300
    stepped = ShippingTier(price=euros | gbp(500), step=500, step_price={"EUR": 10})
    cheap = ShippingTier(price=euros | gbp(300), at_least=0)
    found = quoted(terms(replace(method, by="weight_grams", tiers=(stepped, cheap))), context())
    assert found is not None and found.rate == 300


def test_a_currency_that_a_tier_lacks_leaves_the_tier_to_the_others() -> None:
    prices = {"EUR": 100} | gbp(300)
    by_amount = ShippingTier(price=prices, from_amount=gbp(0))
    stepped = ShippingTier(price=prices, step=500, step_price=gbp(10))
    for by, tier in (("amount", by_amount), ("weight_grams", stepped)):
        method = ShippingMethod(method_id="parcel", label="", by=by, tiers=(tier,))  # type: ignore[arg-type]
        assert rate(terms(method), context(), weight_grams=0) == 300


def test_what_does_not_reach_a_destination_is_left_out_wherever_it_stands() -> None:
    usa = ShippingMethod(method_id="a-usa", label="", zones=(Zone(country="US"),))
    dear = ShippingMethod(method_id="b-dear", label="", tiers=(ShippingTier(price={"EUR": 1}),))
    compiled = compile_methods(terms(usa, dear, FREE))
    assert [one.method for one in methods_for(compiled, context(None, GB))] == [FREE]


def test_methods_are_listed_at_the_price_for_the_cart_and_for_an_empty_one() -> None:
    first, second = ShippingTier(price=gbp(300)), ShippingTier(price=gbp(200), at_least=1)
    compiled = compile_methods(
        terms(
            ShippingMethod(method_id="weight", label="", tiers=(first, second)),
            ShippingMethod(method_id="units", label="", by="quantity", tiers=(first, second)),
            ShippingMethod(
                method_id="sum",
                label="",
                by="amount",
                tiers=(
                    ShippingTier(price=gbp(300), from_amount=gbp(0)),
                    ShippingTier(price=gbp(200), from_amount=gbp(1)),
                ),
            ),
        )
    )

    def prices(**cart: int) -> dict[str, int | None]:
        return {one.method.method_id: one.price for one in methods_for(compiled, context(None), **cart)}

    assert prices() == {"sum": 300, "units": 300, "weight": 300}
    assert prices(weight_grams=1) == {"sum": 300, "units": 300, "weight": 200}
    assert prices(quantity=1) == {"sum": 300, "units": 200, "weight": 300}
    assert prices(amount=1) == {"sum": 200, "units": 300, "weight": 300}


# -- what is kept of a postal code --

NAMED = Terms(
    tax_areas={
        "sf": TaxArea(area_id="sf", country="US", postal_prefixes=("941", "94")),
        "gb": TaxArea(area_id="gb", country="GB"),
        "fr": TaxArea(area_id="fr", country="FR", postal_prefixes=("7",)),
    },
    shipping_methods={"parcel": ISLANDS},
)


@pytest.mark.parametrize(
    ("country", "postal_code", "expected"),
    [
        ("US", "94110-1234", "941"),
        ("US", "94999", "94"),
        ("US", "90210", "90"),
        ("US", "10001", None),
        ("US", "9", None),
        ("US", "", None),
        ("GB", "iv4 7jp", "IV4"),
        ("GB", "IM1 1AA", "IM"),
        ("GB", "94110", None),
        ("DE", "94110", None),
        ("FR", "75001", "7"),
    ],
)
def test_a_postal_code_is_kept_as_the_longest_beginning_that_a_rule_names(
    country: str, postal_code: str, expected: str | None
) -> None:
    assert postal_prefixes(NAMED).longest(country, postal_code) == expected
