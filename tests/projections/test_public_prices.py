"""What a product's page shows of its prices, and what it says of those of before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from aggregates.catalog.events import PriceChanged, PriceWithdrawn, ProductDelisted, ProductListed
from aggregates.kernel import UnitPrice
from aggregates.pricing.rules import BASE, PriceList
from projections.views import catalog, price_history
from projections.views.public_prices import POINTS_MAX
from tests.shop.facts import NOON, listed, recorded

SPRING = PriceList(list_id="spring", currency="GBP", kind="sale", label="Spring sale")
TRADE = PriceList(list_id="trade", currency="GBP", customer_groups=("trade",))
ABROAD = PriceList(list_id="abroad", currency="GBP", markets=("fr",))
OWN = PriceList(list_id=BASE, currency="GBP")
POUNDS_100 = listed("MUG", price="100.00")


def changed(price_list: PriceList, *tiers: tuple[int, str]) -> PriceChanged:
    exact = tuple((start, Decimal(price)) for start, price in tiers)
    return PriceChanged(sku="MUG", list=price_list, currency=price_list.currency, tiers=exact)


def withdrawn(price_list: PriceList) -> PriceWithdrawn:
    return PriceWithdrawn(sku="MUG", list_id=price_list.list_id, currency=price_list.currency)


def folded(view: Any, *happened: Any) -> dict[str, Any]:
    """The document after events, or pairs of a moment and an event."""
    document = None
    for position, one in enumerate(happened, start=1):
        at, event = one if isinstance(one, tuple) else (NOON, one)
        envelope = msgspec.structs.replace(recorded(position, event), valid_at=at)
        document = view.evolve("MUG", document, event, envelope)
        document = msgspec.json.decode(msgspec.json.encode(document), type=view.shape)  # as it is stored
    shown: dict[str, Any] = msgspec.to_builtins(document)
    return shown


def pounds(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "GBP"}


def test_the_page_shows_the_tiers_of_every_list_without_groups_and_of_no_other() -> None:
    page = folded(
        catalog.VIEW,
        POUNDS_100,
        changed(OWN, (1, "100.00"), (10, "2.555")),
        changed(SPRING, (5, "80.00")),
        changed(TRADE, (1, "70.00")),
        changed(ABROAD, (1, "60.00")),
    )
    assert (page["price"], page["was"], page["prior_price"]) == (pounds(10_000), None, None)
    base, spring, abroad = page["prices"]
    assert (abroad["list_id"], abroad["markets"], base["markets"]) == ("abroad", ["fr"], [])
    assert base["tiers"] == [
        {"from": 1, **pounds(10_000)},
        {"from": 10, **pounds(256), "exact": "2.555"},
    ]
    assert (spring["list_id"], spring["kind"], spring["label"]) == ("spring", "sale", "Spring sale")


def test_a_sale_is_shown_with_what_it_beat_until_it_is_withdrawn() -> None:
    sale = (POUNDS_100, changed(SPRING, (1, "80.00")))
    page = folded(catalog.VIEW, *sale)
    assert (page["price"], page["was"]) == (pounds(8_000), pounds(10_000))
    page = folded(catalog.VIEW, *sale, changed(SPRING, (1, "120.00")))
    assert (page["price"], page["was"]) == (pounds(10_000), None)
    page = folded(catalog.VIEW, *sale, withdrawn(SPRING))
    assert (page["price"], page["was"], len(page["prices"])) == (pounds(10_000), None, 1)


def test_a_page_is_in_the_currency_of_its_listing_with_tax_as_in_its_base_price() -> None:
    euros = PriceList(list_id=BASE, currency="EUR")
    page = folded(catalog.VIEW, POUNDS_100, changed(euros, (1, "110")), changed(OWN, (1, "90")))
    assert page["price"] == pounds(9_000)
    assert [price["currency"] for price in page["prices"]] == ["GBP", "EUR"]
    net = replace(OWN, tax_included=False)
    page = folded(catalog.VIEW, POUNDS_100, changed(net, (1, "100.00")), changed(SPRING, (1, "1")))
    assert page["price"] == pounds(10_000)
    in_euros = replace(POUNDS_100, price=UnitPrice(Decimal(5), "EUR"))
    gone = ProductDelisted(sku="MUG", reason="")
    page = folded(catalog.VIEW, POUNDS_100, gone, in_euros)
    assert page["price"] == {"amount": 500, "currency": "EUR"}
    assert page["prior_price"] is None


MARCH, MAY_10, MAY_20 = (datetime(2026, *day, tzinfo=UTC) for day in ((3, 1), (5, 10), (5, 20)))


@pytest.mark.parametrize(("falls_at", "prior"), [((6, 1), 8_000), ((6, 25), 10_000)])
def test_the_prior_price_is_the_lowest_of_the_30_days_before_the_fall(
    falls_at: tuple[int, int], prior: int
) -> None:
    before = (
        (MARCH, POUNDS_100),
        (MAY_10, changed(OWN, (1, "80.00"))),
        (MAY_20, changed(OWN, (1, "100.00"))),
    )
    falls = datetime(2026, *falls_at, tzinfo=UTC), changed(OWN, (1, "70.00"))
    assert folded(catalog.VIEW, *before)["prior_price"] is None
    assert folded(catalog.VIEW, *before, falls)["prior_price"] == pounds(prior)
    later = datetime(2026, 9, 1, tzinfo=UTC)
    other = later, changed(TRADE, (1, "1.00"))
    assert folded(catalog.VIEW, *before, falls, other)["prior_price"] == pounds(prior)
    rises = later, changed(OWN, (1, "90.00"))
    assert folded(catalog.VIEW, *before, falls, rises)["prior_price"] is None


def test_in_a_series_that_only_falls_the_first_step_counts_where_the_market_says_so() -> None:
    day = timedelta(days=1)
    rises = (MARCH + 5 * day, changed(OWN, (1, "110.00")))
    falls = [(MAY_10 + n * 20 * day, changed(OWN, (1, f"{90 - n}.00"))) for n in range(6)]
    page = folded(catalog.VIEW, (MARCH, POUNDS_100), rises, *falls)
    assert (page["prior_price"], page["progressive_prior_price"]) == (pounds(8_600), pounds(11_000))
    assert page["price_points"][0]["amount"] == 11_000, "what the first step looks back to is remembered"
    page = folded(catalog.VIEW, (MARCH, POUNDS_100), rises, falls[0])
    assert (page["prior_price"], page["progressive_prior_price"]) == (pounds(11_000), None)
    later = falls[-1][0] + day, changed(OWN, (1, "95.00"))
    page = folded(catalog.VIEW, (MARCH, POUNDS_100), rises, *falls, later)
    assert (page["prior_price"], page["progressive_prior_price"]) == (None, None)


def test_a_sale_that_starts_is_a_fall_and_its_end_is_none() -> None:
    day = timedelta(days=1)
    sale = ((MARCH, POUNDS_100), (MAY_10, changed(SPRING, (1, "80.00"))))
    assert folded(catalog.VIEW, *sale)["prior_price"] == pounds(10_000)
    assert folded(catalog.VIEW, *sale, (MAY_20, withdrawn(SPRING)))["prior_price"] is None
    again = (*sale, (MAY_10 + day, withdrawn(SPRING)), (MAY_20, changed(SPRING, (1, "90.00"))))
    assert folded(catalog.VIEW, *again)["prior_price"] == pounds(8_000)


def test_what_no_later_fall_looks_back_to_is_forgotten() -> None:
    daily = [(MARCH + timedelta(days=n), changed(OWN, (1, f"{100 + n % 7}.00"))) for n in range(1, 100)]
    page = folded(catalog.VIEW, (MARCH, POUNDS_100), *daily)
    assert 30 <= len(page["price_points"]) <= 32
    assert page["price_points"][-1]["amount"] == page["price"]["amount"]


def test_the_history_has_each_public_price_from_its_own_moment_on() -> None:
    history = folded(
        price_history.VIEW,
        (MARCH, POUNDS_100),
        (MAY_10, changed(SPRING, (1, "80.00"))),
        (MAY_10, changed(TRADE, (1, "70.00"))),
        (MAY_10, withdrawn(TRADE)),
        (MAY_10, changed(OWN, (1, "100.00"), (5, "90.00"))),
        (MAY_20, withdrawn(SPRING)),
    )
    march, may_10, may_20 = (f"{at:%Y-%m-%d}T00:00:00Z" for at in (MARCH, MAY_10, MAY_20))
    everybodys = {
        **{"currency": "GBP", "kind": "override", "tax_included": True, "priority": 0, "markets": []},
    }
    assert history["series"] == [
        everybodys | {"list_id": "base", "points": [{"from": march, "amount": 10_000}]},
        everybodys
        | {
            "list_id": "spring",
            "kind": "sale",
            "points": [{"from": may_10, "amount": 8_000}, {"from": may_20, "amount": None}],
        },
    ]


def test_base_prices_with_and_without_tax_are_two_series_of_the_history() -> None:
    net = replace(OWN, tax_included=False)
    listed_net = (MARCH, POUNDS_100), (MARCH, changed(net, (1, "100.00")))
    (only,) = folded(price_history.VIEW, *listed_net)["series"]
    assert (only["tax_included"], [point["amount"] for point in only["points"]]) == (False, [10_000])
    (later,) = folded(price_history.VIEW, *listed_net, (MAY_10, changed(net, (1, "90.00"))))["series"]
    assert [point["amount"] for point in later["points"]] == [10_000, 9_000]
    gross, own = folded(price_history.VIEW, (MARCH, POUNDS_100), (MAY_10, changed(net, (1, "90.00"))))[
        "series"
    ]
    assert [point["amount"] for point in gross["points"]] == [10_000, None]
    assert [point["amount"] for point in own["points"]] == [9_000]


def test_a_list_without_a_price_for_one_unit_has_none_in_the_history() -> None:
    history = folded(price_history.VIEW, POUNDS_100, changed(OWN, (5, "90.00")))
    assert [point["amount"] for point in history["series"][0]["points"]] == [10_000, None]


def test_a_history_has_so_many_points_and_no_more() -> None:
    many: list[ProductListed | PriceChanged] = [POUNDS_100]
    many += [changed(OWN, (1, f"{n}.00")) for n in range(POINTS_MAX + 20)]
    points = folded(price_history.VIEW, *many)["series"][0]["points"]
    assert (len(points), points[-1]["amount"]) == (POINTS_MAX, (POINTS_MAX + 19) * 100)
