"""The rules of a product."""

from dataclasses import replace
from decimal import Decimal

from aggregates.catalog.events import PriceChanged, ProductDelisted, ProductListed
from aggregates.catalog.prices import change_price
from aggregates.catalog.product import ProductAlreadyListed, delist, list_product
from aggregates.catalog.product import evolve as evolve_product
from aggregates.catalog.product import initial as no_product
from aggregates.kernel import ProductNotOnSale, UnitPrice, UnknownProduct
from aggregates.pricing.context import Traits
from aggregates.pricing.offer import ListPrice, Offer
from aggregates.pricing.rules import BASE, PriceList
from tests.aggregates.given import given

POUNDS_9 = UnitPrice(Decimal("9.00"), "GBP")
POUNDS_12 = UnitPrice(Decimal("12.00"), "GBP")
FACTS = {
    "sku": "MUG",
    "title": "Mug",
    "description": "Holds tea.",
    "category": "Kitchen > Mugs",
    "attributes": {"color": "blue"},
    "price": POUNDS_9,
    "seller": "shop",
}
LISTED = ProductListed(**FACTS)
OWN = PriceList(list_id=BASE, currency="GBP")
AT_12 = PriceChanged(sku="MUG", list=OWN, currency="GBP", tiers=((1, Decimal("12.00")),))


def test_a_product_is_listed_once():
    given().when(list_product, listed=LISTED).then_once(LISTED)


def test_a_product_on_sale_cannot_be_listed_with_other_facts():
    given(LISTED).when(list_product, listed=replace(LISTED, title="Cup")).then_rejected(
        ProductAlreadyListed("MUG")
    )


def test_a_product_whose_price_changed_is_not_listed_at_the_old_one():
    given(LISTED, AT_12).when(list_product, listed=LISTED).then_rejected(ProductAlreadyListed("MUG"))


def test_a_delisted_product_may_be_listed_again_with_any_facts():
    given(LISTED, ProductDelisted(sku="MUG", reason="")).when(list_product, listed=LISTED).then_once(LISTED)
    given(LISTED, ProductDelisted(sku="MUG", reason="")).when(
        list_product, listed=replace(LISTED, title="Cup")
    ).then_once(replace(LISTED, title="Cup"))


def test_a_price_changes_once():
    given(LISTED).when(change_price, sku="MUG", price_list=OWN, tiers=AT_12.tiers).then_once(AT_12)


def test_the_same_price_is_no_change_however_many_zeros_it_is_written_with():
    given(LISTED).when(change_price, sku="MUG", price_list=OWN, tiers=((1, Decimal("9")),)).then_nothing()


def test_a_price_in_a_further_currency_opens_that():
    euro = PriceList(list_id=BASE, currency="EUR")
    tiers = ((1, Decimal("9")),)
    given(LISTED).when(change_price, sku="MUG", price_list=euro, tiers=tiers).then_once(
        PriceChanged(sku="MUG", list=euro, currency="EUR", tiers=tiers)
    )


def test_only_what_is_on_sale_has_a_price_to_change():
    given().when(change_price, sku="MUG", price_list=OWN, tiers=AT_12.tiers).then_rejected(
        UnknownProduct("MUG")
    )
    given(LISTED, ProductDelisted(sku="MUG", reason="")).when(
        change_price, sku="MUG", price_list=OWN, tiers=AT_12.tiers
    ).then_rejected(ProductNotOnSale("MUG"))


def test_a_product_is_delisted_once():
    given(LISTED).when(delist, sku="MUG", reason="worn").then_once(ProductDelisted(sku="MUG", reason="worn"))
    given().when(delist, sku="MUG", reason="worn").then_rejected(UnknownProduct("MUG"))


def test_other_contexts_get_todays_prices_and_whether_it_is_on_sale():
    product = no_product()
    assert product.offer is None
    for event in (LISTED, AT_12):
        product = evolve_product(product, event)
    offer = Offer(
        sku="MUG",
        title="Mug",
        seller="shop",
        traits=Traits(category="Kitchen > Mugs", attributes={"color": "blue"}, seller="shop"),
        prices=(ListPrice(price_list=OWN, tiers=AT_12.tiers),),
        on_sale=True,
    )
    assert product.offer == offer
    product = evolve_product(product, ProductDelisted(sku="MUG", reason=""))
    assert product.offer == replace(offer, on_sale=False)
