"""The rules of a product."""

from dataclasses import replace
from decimal import Decimal

from aggregates.catalog.events import PriceChanged, ProductDelisted, ProductListed, Variant
from aggregates.catalog.product import ProductAlreadyListed, change_price, delist, list_product
from aggregates.catalog.product import evolve as evolve_product
from aggregates.catalog.product import initial as no_product
from aggregates.kernel import Offer, ProductNotOnSale, UnitPrice, UnknownProduct, WrongCurrency
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
LISTED = ProductListed(**FACTS, variants=(Variant(sku="MUG", title="Mug"),))


def test_a_listed_product_has_one_variant_under_its_own_sku():
    given().when(list_product, **FACTS).then_once(LISTED)


def test_a_product_with_variants_keeps_them():
    small = Variant(sku="MUG-S", title="Small")
    given().when(list_product, **FACTS, variants=(small,)).then_once(replace(LISTED, variants=(small,)))


def test_a_product_on_sale_cannot_be_listed_with_other_facts():
    given(LISTED).when(list_product, **(FACTS | {"title": "Cup"})).then_rejected(ProductAlreadyListed("MUG"))


def test_a_product_whose_price_changed_is_not_listed_at_the_old_one():
    given(LISTED, PriceChanged(sku="MUG", price=POUNDS_12)).when(list_product, **FACTS).then_rejected(
        ProductAlreadyListed("MUG")
    )


def test_a_delisted_product_may_be_listed_again_with_any_facts():
    given(LISTED, ProductDelisted(sku="MUG", reason="")).when(list_product, **FACTS).then_once(LISTED)
    given(LISTED, ProductDelisted(sku="MUG", reason="")).when(
        list_product, **(FACTS | {"title": "Cup"})
    ).then_once(replace(LISTED, title="Cup", variants=(Variant(sku="MUG", title="Cup"),)))


def test_a_price_changes_once():
    given(LISTED).when(change_price, sku="MUG", price=POUNDS_12).then_once(
        PriceChanged(sku="MUG", price=POUNDS_12)
    )


def test_the_same_price_is_no_change_however_many_zeros_it_is_written_with():
    given(LISTED).when(change_price, sku="MUG", price=UnitPrice(Decimal("9"), "GBP")).then_nothing()


def test_a_price_stays_in_the_currency_of_the_listing():
    given(LISTED).when(change_price, sku="MUG", price=UnitPrice(Decimal(9), "EUR")).then_rejected(
        WrongCurrency(asked="EUR", expected="GBP")
    )


def test_only_what_is_on_sale_has_a_price_to_change():
    given().when(change_price, sku="MUG", price=POUNDS_9).then_rejected(UnknownProduct("MUG"))
    given(LISTED, ProductDelisted(sku="MUG", reason="")).when(
        change_price, sku="MUG", price=POUNDS_12
    ).then_rejected(ProductNotOnSale("MUG"))


def test_a_product_is_delisted_once():
    given(LISTED).when(delist, sku="MUG", reason="worn").then_once(ProductDelisted(sku="MUG", reason="worn"))
    given().when(delist, sku="MUG", reason="worn").then_rejected(UnknownProduct("MUG"))


def test_other_contexts_are_told_todays_price_and_whether_it_is_on_sale():
    product = no_product()
    assert product.offer is None
    for event in (LISTED, PriceChanged(sku="MUG", price=POUNDS_12)):
        product = evolve_product(product, event)
    offer = Offer(sku="MUG", title="Mug", seller="shop", unit_price=POUNDS_12, on_sale=True)
    assert product.offer == offer
    product = evolve_product(product, ProductDelisted(sku="MUG", reason=""))
    assert product.offer == replace(offer, on_sale=False)
