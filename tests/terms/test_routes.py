"""The routes of the rules of sale: what they take, what they answer, and what they name as wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from aggregates.pricing.rules import (
    Action,
    ActionTier,
    BundlePart,
    Condition,
    Home,
    Market,
    PriceList,
    Promotion,
    Selector,
    ShippingMethod,
    ShippingTier,
    TaxArea,
    TaxComponent,
    TaxRate,
    Terms,
    Zone,
)
from aggregates.terms import terms
from aggregates.terms.events import PromotionDefined, TermsEvent
from commands.http.promotion_bodies import EXAMPLES
from event_store.memory.log import MemoryLog
from tests.shop.http import Shop, key, open_shop
from tests.terms.samples import PERCENT

BRITAIN = {"market_id": "gb", "countries": ["GB"], "currencies": ["GBP"]}
AREA = {"area_id": "gb", "country": "GB"}
RATE = {"tax_category": "standard", "components": [{"name": "VAT", "percent": 20}]}
LIST = {"list_id": "trade", "currency": "GBP"}
METHOD = {"method_id": "post", "label": "Post", "tiers": [{"price": {"GBP": 395}}]}
TEN = {"promotion_id": "ten", "label": "10 % off", "action": {"kind": "percent_off", "percent": 10}}


def in_a_shop(tmp_path: Path, scenario: Callable[[Shop], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with open_shop(MemoryLog(), tmp_path, **settings) as shop:
            await scenario(shop)

    asyncio.run(run())


def rules_of(shop: Shop) -> Terms:
    """The rules that the log says."""
    defined = [event for event in shop.events() if isinstance(event, TermsEvent)]
    state: terms.TermsState = terms.stream.fold(terms.initial(), defined)
    return state.rules


DEFINE: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "/home", {"country": "GB"}),
    ("POST", "/markets", BRITAIN),
    ("POST", "/tax-areas", AREA),
    ("POST", "/shipping-methods", METHOD),
    ("POST", "/price-lists", LIST),
    ("POST", "/promotions", TEN),
]
RETIRE: list[tuple[str, dict[str, Any] | None, str]] = [
    ("/markets/gb/retire", None, "terms.market_retired"),
    ("/tax-areas/gb/retire", None, "terms.tax_area_retired"),
    ("/shipping-methods/post/retire", None, "terms.shipping_method_retired"),
    ("/price-lists/trade/end", None, "terms.price_list_ended"),
    ("/promotions/ten/end", {"reason": "sold out"}, "terms.promotion_ended"),
]


def test_a_rule_is_made_once_and_changed_and_every_answer_says_where_the_log_stands(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for n, (method, path, body) in enumerate(DEFINE, start=1):
            made = await shop.client.request(method, f"/api/v1{path}", json=body)
            rule_id = next(iter(body.values())) if path != "/home" else "home"
            assert made.status_code == 201, made.text
            assert made.json() == {"id": rule_id, "version": n, "position": n}
            again = await shop.client.request(method, f"/api/v1{path}", json=body)
            assert (again.status_code, again.json()) == (200, made.json())
        for n, (path, body, kind) in enumerate(RETIRE, start=len(DEFINE) + 1):
            answers = [await shop.post(path, body) for _ in range(2)]
            for done in answers:
                assert done.status_code == 200, done.text
                assert done.json()["version"] == n
                # A process writes of an ended list what that does to its prices.
                assert done.json()["position"] >= n
            assert answers[0].json() == answers[1].json()
            assert len(shop.events(kind)) == 1
        assert shop.events("terms.promotion_ended")[0].reason == "sold out"
        assert len(shop.log.read_stream("terms-main")) == len(DEFINE) + len(RETIRE)

    in_a_shop(tmp_path, scenario)


def test_what_changes_a_rule_is_answered_with_200_and_the_next_version(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        assert (await shop.post("/tax-areas", AREA)).status_code == 201
        rates = await shop.post("/tax-areas/gb/rates", {"rates": [RATE]})
        assert (rates.status_code, rates.json()["version"]) == (200, 2)
        named = await shop.post("/tax-areas", {**AREA, "label": "United Kingdom"})
        assert (named.status_code, named.json()["version"]) == (200, 3)
        kept = rules_of(shop).tax_areas["gb"]
        assert (kept.label, len(kept.rates)) == ("United Kingdom", 1)
        assert (await shop.post("/tax-areas", {**AREA, "rates": []})).status_code == 200
        assert rules_of(shop).tax_areas["gb"].rates == ()

    in_a_shop(tmp_path, scenario)


def test_a_repeated_request_is_answered_as_the_first_time(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        header = key()
        first = await shop.post("/promotions", TEN, **header)
        await shop.post("/promotions/ten/end")
        again = await shop.post("/promotions", TEN, **header)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"
        assert rules_of(shop).promotions == {}

    in_a_shop(tmp_path, scenario)


STORED: list[tuple[str, str, dict[str, Any], Any]] = [
    (
        "PUT",
        "/home",
        {
            "country": "US",
            "region": "TX",
            "postal_code": "78701",
            "vat_numbers": {"DE": "DE123456789"},
            "tax_included": False,
        },
        Home(
            country="US",
            region="TX",
            postal_code="78701",
            vat_numbers={"DE": "DE123456789"},
            tax_included=False,
        ),
    ),
    (
        "POST",
        "/tax-areas",
        {
            "area_id": "quebec",
            "country": "CA",
            "regions": ["QC"],
            "postal_prefixes": ["h-2", "g1 a"],
            "components_rounded": "each",
            "sourcing": "origin",
            "provider": "acme",
            "provider_fallback": True,
            "rates": [
                {
                    "tax_category": "standard",
                    "label": "GST and QST",
                    "starts_on": "2013-01-01",
                    "ends_on": "2199-12-31",
                    "components": [
                        {"name": "GST", "percent": 5},
                        {"name": "QST", "percent": "9.975", "compound": True},
                        {"name": "Other", "percent": 0.375},
                    ],
                }
            ],
        },
        TaxArea(
            area_id="quebec",
            country="CA",
            regions=("QC",),
            postal_prefixes=("H2", "G1A"),
            components_rounded="each",
            sourcing="origin",
            provider="acme",
            provider_fallback=True,
            rates=(
                TaxRate(
                    tax_category="standard",
                    label="GST and QST",
                    starts_on=date(2013, 1, 1),
                    ends_on=date(2199, 12, 31),
                    components=(
                        TaxComponent(name="GST", percent=50_000),
                        TaxComponent(name="QST", percent=99_750, compound=True),
                        TaxComponent(name="Other", percent=3_750),
                    ),
                ),
            ),
        ),
    ),
    (
        "POST",
        "/markets",
        {
            **BRITAIN,
            "label": "United Kingdom",
            "locales": ["en-GB", "cy"],
            "tax_pricing": "inclusive_by_country",
            "reference_area": "quebec",
            "shipping_tax": "highest",
            "progressive": True,
        },
        Market(
            market_id="gb",
            countries=("GB",),
            currencies=("GBP",),
            label="United Kingdom",
            locales=("en-GB", "cy"),
            tax_pricing="inclusive_by_country",
            reference_area="quebec",
            shipping_tax="highest",
            progressive=True,
        ),
    ),
    (
        "POST",
        "/price-lists",
        {
            "list_id": "spring",
            "kind": "sale",
            "currency": "GBP",
            "label": "  Spring sale ",
            "markets": ["gb"],
            "customer_groups": ["trade"],
            "starts_at": "2026-03-01T00:00:00+01:00",
            "ends_at": "2199-04-01T12:30:00.5Z",
        },
        PriceList(
            list_id="spring",
            kind="sale",
            currency="GBP",
            label="Spring sale",
            markets=("gb",),
            customer_groups=("trade",),
            starts_at=datetime(2026, 2, 28, 23, tzinfo=UTC),
            ends_at=datetime(2199, 4, 1, 12, 30, 0, 500_000, tzinfo=UTC),
        ),
    ),
    (
        "POST",
        "/shipping-methods",
        {
            **METHOD,
            "markets": ["gb"],
            "zones": [{"country": "GB", "except_postal_prefixes": ["bt"]}],
            "tiers": [
                {"price": {"GBP": 395}},
                {"at_least": 5000, "price": {"GBP": 895}, "step": 500, "step_price": {"GBP": 80}},
            ],
            "free_from": {"GBP": 5000},
            "tax_category": "shipping",
            "days": [2, 4],
        },
        ShippingMethod(
            method_id="post",
            label="Post",
            markets=("gb",),
            zones=(Zone(country="GB", except_postal_prefixes=("BT",)),),
            tiers=(
                ShippingTier(price={"GBP": 395}),
                ShippingTier(at_least=5_000, price={"GBP": 895}, step=500, step_price={"GBP": 80}),
            ),
            free_from={"GBP": 5_000},
            tax_category="shipping",
            days=(2, 4),
        ),
    ),
]


def test_the_terms_hold_what_the_bodies_said(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for method, path, body, _ in STORED:
            made = await shop.client.request(method, f"/api/v1{path}", json=body)
            assert made.status_code == 201, made.text
        rules = rules_of(shop)
        assert [
            rules.home,
            *rules.tax_areas.values(),
            *rules.markets.values(),
            *rules.price_lists.values(),
            *rules.shipping_methods.values(),
        ] == [rule for *_, rule in STORED]

    in_a_shop(tmp_path, scenario)


MUGS = Selector(categories=("Kitchen > Mugs",))
PROMOTIONS = {
    "spring10": Promotion(
        promotion_id="spring10",
        label="10 % off",
        action=Action(kind="percent_off", percent=10 * PERCENT),
        starts_at=datetime(2026, 3, 1, tzinfo=UTC),
        ends_at=datetime(2199, 3, 31, 23, tzinfo=UTC),
        cap={"GBP": 5_000, "USD": 6_000},
    ),
    "mugs": Promotion(
        promotion_id="mugs",
        label="5 % off 3 mugs, 10 % off 6",
        action=Action(
            kind="percent",
            selector=Selector(categories=("Kitchen > Mugs",), not_on_sale=True),
            tiers=(ActionTier(quantity=3, percent=50_000), ActionTier(quantity=6, percent=99_750)),
            tiers_by="selection",
        ),
        group="kitchen",
        priority=200,
    ),
    "three-for-two": Promotion(
        promotion_id="three-for-two",
        label="3 for 2",
        action=Action(
            kind="buy_get",
            buy=Selector(attributes={"brand": ("Acme",)}),
            buy_quantity=2,
            get=Selector(attributes={"brand": ("Acme",)}),
            get_quantity=1,
            percent=100 * PERCENT,
            times_max=4,
        ),
    ),
    "breakfast": Promotion(
        promotion_id="breakfast",
        label="A mug and two teas for 12.00",
        action=Action(
            kind="bundle",
            parts=(
                BundlePart(selector=MUGS, quantity=1),
                BundlePart(selector=Selector(categories=("Tea",)), quantity=2),
            ),
            price={"GBP": 1_200},
        ),
    ),
    "welcome": Promotion(
        promotion_id="welcome",
        label="5.00 off your first order, or for the trade",
        automatic=False,
        action=Action(
            kind="amount_off",
            tiers=(
                ActionTier(from_amount={"GBP": 2_500}, amount={"GBP": 500}),
                ActionTier(from_amount={"GBP": 5_000}, amount={"GBP": 1_200}),
            ),
        ),
        conditions=(
            Condition(
                kind="any_of",
                any_of=(
                    Condition(kind="first_order"),
                    Condition(kind="customer_groups", customer_groups=("trade",)),
                ),
            ),
            Condition(kind="countries", countries=("GB", "IE")),
        ),
        uses_max=1_000,
        uses_per_shopper_max=1,
        budget={"GBP": 500_000},
        guests="by_email",
    ),
    "tea-gift": Promotion(
        promotion_id="tea-gift",
        label="A tea from 40.00",
        action=Action(kind="gift", skus=("TEA-GREEN", "TEA-BLACK")),
        conditions=(Condition(kind="amount_at_least", amount={"GBP": 4_000}),),
        announce=True,
    ),
    "free-delivery": Promotion(
        promotion_id="free-delivery",
        label="Free delivery from 3 mugs",
        action=Action(kind="shipping_price", price={"GBP": 0, "USD": 0}),
        conditions=(Condition(kind="quantity_at_least", selector=MUGS, quantity=3),),
        exclusive=True,
    ),
}


def test_the_documents_promotions_are_taken_and_kept_as_they_were_sent(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for body in EXAMPLES:
            made = await shop.post("/promotions", body)
            assert made.status_code == 201, made.text
        assert rules_of(shop).promotions == PROMOTIONS
        kept = shop.events("terms.promotion_defined")
        assert kept == [PromotionDefined(promotion=one) for one in PROMOTIONS.values()]

    in_a_shop(tmp_path, scenario)


def test_every_example_of_the_document_is_taken(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        document = (await shop.client.get("/openapi.json")).json()
        bodies = document["components"]["schemas"]
        for method, path, _ in DEFINE:
            schema = document["paths"][f"/api/v1{path}"][method.lower()]["requestBody"]["content"]
            name = schema["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert bodies[name]["examples"], name
            for body in bodies[name]["examples"]:
                made = await shop.client.request(method, f"/api/v1{path}", json=body)
                assert made.status_code in (200, 201), made.text

    in_a_shop(tmp_path, scenario)


def promotion(**parts: Any) -> dict[str, Any]:
    return TEN | parts


def action(**parts: Any) -> dict[str, Any]:
    return TEN | {"action": {"kind": "percent_off", **parts}}


def condition(**parts: Any) -> dict[str, Any]:
    return TEN | {"conditions": [parts]}


def rate(**parts: Any) -> dict[str, Any]:
    return {"rates": [RATE | parts]}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("PUT /home", {}, "country"),
    ("PUT /home", {"country": "XX"}, "country"),
    ("PUT /home", {"country": "GB", "vat_numbers": {"XX": "1234"}}, "vat_numbers.XX"),
    ("PUT /home", {"country": "GB", "vat_numbers": {"GB": "12 34"}}, "vat_numbers.GB"),
    ("PUT /home", {"country": "GB", "tax_included": 1}, "tax_included"),
    ("POST /markets", BRITAIN | {"countries": []}, "countries"),
    ("POST /markets", BRITAIN | {"countries": ["GB", "ZZ"]}, "countries.1"),
    ("POST /markets", BRITAIN | {"currencies": ["GBX"]}, "currencies.0"),
    ("POST /markets", BRITAIN | {"locales": ["English"]}, "locales.0"),
    ("POST /markets", BRITAIN | {"tax_pricing": "net"}, "tax_pricing"),
    ("POST /markets", BRITAIN | {"tax_pricing": "inclusive_by_country"}, "reference_area"),
    ("POST /markets", BRITAIN | {"market_id": "Great Britain"}, "market_id"),
    ("POST /tax-areas", AREA | {"regions": ["\u0007"]}, "regions.0"),
    ("POST /tax-areas", AREA | {"postal_prefixes": ["--"]}, "postal_prefixes.0"),
    ("POST /tax-areas", AREA | {"provider": "Acme Ltd"}, "provider"),
    ("POST /tax-areas", AREA | {"provider_fallback": True}, "provider_fallback"),
    ("POST /tax-areas", AREA | rate(components=[]), "rates.0.components"),
    (
        "POST /tax-areas",
        AREA | rate(components=[{"name": "VAT", "percent": 101}]),
        "rates.0.components.0.percent",
    ),
    ("POST /tax-areas", AREA | {"rates": [RATE, RATE]}, "rates.1.starts_on"),
    ("POST /tax-areas/gb/rates", rate(starts_on="2026-02-30"), "rates.0.starts_on"),
    ("POST /tax-areas/gb/rates", rate(starts_on="2026-02-01T00:00:00Z"), "rates.0.starts_on"),
    ("POST /tax-areas/gb/rates", rate(starts_on="2026-02-02", ends_on="2026-02-02"), "rates.0.ends_on"),
    ("POST /tax-areas/gb/rates", {"rates": [RATE | {"tax_category": f"c{n}"} for n in range(1001)]}, "rates"),
    ("POST /tax-areas/gb/rates", {}, "rates"),
    ("POST /price-lists", LIST | {"list_id": "base"}, "list_id"),
    ("POST /price-lists", LIST | {"kind": "discount"}, "kind"),
    ("POST /price-lists", LIST | {"priority": 1.5}, "priority"),
    ("POST /price-lists", LIST | {"markets": ["fr"]}, "markets.0"),
    ("POST /price-lists", LIST | {"starts_at": "2026-03-01"}, "starts_at"),
    ("POST /price-lists", LIST | {"starts_at": "2026-03-01T00:00:00"}, "starts_at"),
    ("POST /price-lists", LIST | {"starts_at": 1772323200}, "starts_at"),
    ("POST /price-lists", LIST | {"ends_at": "2026-03-01T00:00:00Z"}, "ends_at"),
    ("POST /shipping-methods", METHOD | {"days": [1]}, "days"),
    ("POST /shipping-methods", METHOD | {"days": [4, 2]}, "days"),
    ("POST /shipping-methods", METHOD | {"tiers": []}, "tiers"),
    ("POST /shipping-methods", METHOD | {"tiers": [{"price": {"GBP": -1}}]}, "tiers.0.price.GBP"),
    ("POST /shipping-methods", METHOD | {"tiers": [{"price": {}}]}, "tiers.0.price"),
    ("POST /shipping-methods", METHOD | {"tiers": [{"price": 395}]}, "tiers.0.price"),
    ("POST /shipping-methods", METHOD | {"zones": [{"country": "UK"}]}, "zones.0.country"),
    ("POST /promotions", promotion(label=" "), "label"),
    ("POST /promotions", promotion(ends_at="2026-03-01T00:00:00Z"), "ends_at"),
    ("POST /promotions", promotion(starts_at="2026-03-01 00:00"), "starts_at"),
    ("POST /promotions", promotion(uses_max=0), "uses_max"),
    ("POST /promotions", promotion(budget={"GBX": 5}), "budget.GBX"),
    ("POST /promotions", promotion(cap={"GBP": 1.5}), "cap.GBP"),
    ("POST /promotions", promotion(cap={"GBP": 0}), "cap.GBP"),
    ("POST /promotions", promotion(markets=["fr"]), "markets.0"),
    ("POST /promotions", promotion(colour="red"), "colour"),
    ("POST /promotions", action(), "action.percent"),
    ("POST /promotions", action(percent=100.5), "action.percent"),
    ("POST /promotions", action(percent=-1), "action.percent"),
    ("POST /promotions", action(percent=9.97501), "action.percent"),
    ("POST /promotions", action(percent="10 %"), "action.percent"),
    ("POST /promotions", action(percent=True), "action.percent"),
    ("POST /promotions", action(percent=0), "action.percent"),
    ("POST /promotions", action(percent=10, amount={"GBP": 5}), "action.amount"),
    ("POST /promotions", action(percent=10, selector={"colour": "red"}), "action.selector.colour"),
    ("POST /promotions", action(percent=10, selector={"skus": ["a b"]}), "action.selector.skus.0"),
    (
        "POST /promotions",
        action(percent=10, selector={"categories": ["Kitchen >"]}),
        "action.selector.categories.0",
    ),
    ("POST /promotions", action(kind="cashback"), "action.kind"),
    ("POST /promotions", action(tiers=[{"from_amount": {"GBP": 5}}]), "action.tiers.0.percent"),
    (
        "POST /promotions",
        action(kind="gift", skus=["MUG"], quantity=1_000),
        "action.quantity",
    ),
    ("POST /promotions", condition(kind="countries", countries=["UK"]), "conditions.0.countries.0"),
    ("POST /promotions", condition(kind="countries"), "conditions.0.countries"),
    (
        "POST /promotions",
        condition(kind="any_of", any_of=[{"kind": "any_of"}]),
        "conditions.0.any_of.0.kind",
    ),
    (
        "POST /promotions",
        condition(kind="any_of", any_of=[{"kind": "first_order", "any_of": []}]),
        "conditions.0.any_of.0.any_of",
    ),
    ("POST /promotions/ten/end", {"reason": ""}, "reason"),
]


def test_every_bad_field_is_named_by_its_path_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await shop.post("/tax-areas", AREA)
        await shop.post("/promotions", TEN)
        before = shop.log.head()
        for route, body, field in WRONG:
            method, path = route.split(" ")
            refused = await shop.client.request(method, f"/api/v1{path}", json=body)
            assert refused.status_code == 422, (route, body, refused.text)
            problem = refused.json()
            assert [one["field"] for one in problem["errors"]] == [f"body.{field}"], (route, body)
            assert problem["detail"] == f"body.{field}: {problem['errors'][0]['message']}"
            if "field" in problem:
                assert problem["field"] == field
                assert problem["type"] in ("/problems/promotion-unfit", "/problems/rule-unfit")
        assert shop.log.head() == before

    in_a_shop(tmp_path, scenario)


def test_an_unfit_promotion_says_which_part_of_it_and_why(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        tiers = [{"from_amount": {"GBP": n}, "amount": {"GBP": 5}} for n in (500, 400)]
        refused = await shop.post("/promotions", action(kind="amount_off", tiers=tiers))
        assert refused.json() == {
            "type": "/problems/promotion-unfit",
            "title": "The promotion could never apply, or contradicts another",
            "status": 422,
            "detail": "body.action.tiers.1.from_amount.GBP: does not start above the tier before",
            "field": "action.tiers.1.from_amount.GBP",
            "why": "does not start above the tier before",
            "errors": [
                {
                    "field": "body.action.tiers.1.from_amount.GBP",
                    "message": "does not start above the tier before",
                }
            ],
        }

    in_a_shop(tmp_path, scenario)


def test_what_rules_name_is_not_retired_and_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        await shop.post("/markets", BRITAIN)
        await shop.post("/promotions", promotion(markets=["gb"]))
        named = await shop.post("/markets/gb/retire")
        assert named.status_code == 409
        assert named.json()["type"] == "/problems/rule-in-use"
        assert named.json()["by"] == ["promotion ten"]
        for path, _, _ in RETIRE[1:4]:
            unknown = await shop.post(path)
            assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-rule"), path
        await shop.post("/price-lists", LIST)
        changed = await shop.post("/price-lists", LIST | {"currency": "USD"})
        assert (changed.status_code, changed.json()["why"]) == (409, "changed")
        assert changed.json()["type"] == "/problems/price-list-in-use"
        await shop.post("/price-lists/trade/end")
        assert (await shop.post("/price-lists", LIST)).json()["why"] == "ended"

    in_a_shop(tmp_path, scenario)


def test_units_beyond_what_a_cart_may_hold_are_refused_by_the_settings(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        body = condition(kind="quantity_at_least", quantity=21)
        refused = await shop.post("/promotions", body)
        assert refused.json()["why"] == "is more units than there may be: 20"
        body = condition(kind="quantity_at_least", quantity=20)
        assert (await shop.post("/promotions", body)).status_code == 201

    in_a_shop(tmp_path, scenario, line_quantity_max=10, cart_lines_max=2)


def test_1000_rates_with_every_field_fit_into_one_request(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        rates = [
            {
                "tax_category": f"c{n}",
                "label": "VAT",
                "starts_on": "2026-01-01",
                "ends_on": "2027-01-01",
                "components": [{"name": "VAT", "percent": "20.0", "compound": False}],
            }
            for n in range(1_000)
        ]
        made = await shop.post("/tax-areas", AREA | {"rates": rates})
        assert made.status_code == 201, made.text
        assert len(rules_of(shop).tax_areas["gb"].rates) == 1_000

    in_a_shop(tmp_path, scenario)


def test_rules_are_the_operators_where_a_token_is_set(tmp_path: Path) -> None:
    async def scenario(shop: Shop) -> None:
        for method, path, body in DEFINE:
            refused = await shop.client.request(method, f"/api/v1{path}", json=body)
            assert refused.status_code == 401, path
        for path, body, _ in RETIRE:
            assert (await shop.post(path, body)).status_code == 401, path
        assert (await shop.post("/tax-areas/gb/rates", {"rates": []})).status_code == 401
        made = await shop.post("/promotions", TEN, Authorization="Bearer token-of-the-operator")
        assert made.status_code == 201, made.text

    in_a_shop(tmp_path, scenario, operator_token="token-of-the-operator")
