"""The rules of a cart."""

from decimal import Decimal

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as some

from aggregates.cart import cart
from aggregates.cart.cart import (
    CartAlreadyOpened,
    CartClosed,
    CartEmpty,
    UnknownCart,
    check_out,
    open_cart,
)
from aggregates.cart.events import (
    CartCheckedOut,
    CartOpened,
    ItemAdded,
    ItemRemoved,
    QuantityChanged,
    TakenPrice,
)
from aggregates.cart.items import (
    CartFull,
    Limits,
    QuantityOverLimit,
    add_item,
    remove_item,
    set_quantity,
)
from aggregates.kernel import (
    Money,
    NotForSale,
    ProductNotOnSale,
    Rejected,
    UnitPrice,
    UnknownProduct,
    WrongCurrency,
)
from aggregates.pricing.context import Traits
from aggregates.pricing.offer import ListPrice, Offer
from aggregates.pricing.rules import BASE, PriceList
from tests.aggregates.given import given, state_after

CART, ORDER = "c" * 32, "d" * 32
TRAITS = Traits(category="Kitchen", seller="shop")
OPENED = CartOpened(cart_id=CART, currency="GBP", customer_id="anna")


def offer(sku="MUG", price="9.00", currency="GBP", on_sale=True):
    own = PriceList(list_id=BASE, currency=currency)
    return Offer(
        sku=sku,
        title=sku.title(),
        seller="shop",
        traits=TRAITS,
        prices=(ListPrice(price_list=own, tiers=((1, Decimal(price)),)),),
        on_sale=on_sale,
    )


def taken(price="9.00"):
    return TakenPrice(list_id=BASE, currency="GBP", tiers=((1, Decimal(price)),))


def added(sku="MUG", quantity=1, line_id="1", price="9.00"):
    return ItemAdded(
        cart_id=CART,
        line_id=line_id,
        sku=sku,
        title=sku.title(),
        quantity=quantity,
        price=taken(price),
        traits=TRAITS,
        seller="shop",
    )


def changed(sku="MUG", quantity=1, line_id="1"):
    return QuantityChanged(cart_id=CART, line_id=line_id, sku=sku, quantity=quantity)


def removed(sku="MUG", line_id="1"):
    return ItemRemoved(cart_id=CART, line_id=line_id, sku=sku)


CLOSED = CartCheckedOut(cart_id=CART, order_id=ORDER)
ADD_MUG = {
    "cart_id": CART,
    "sku": "MUG",
    "quantity": 1,
    "offer": offer(),
    "price": taken(),
    "locked_until": None,
    "limits": Limits(lines_max=3, quantity_max=10),
}


def test_a_cart_is_opened_once():
    given().when(open_cart, cart_id=CART, currency="GBP", customer_id="anna").then_once(OPENED)


def test_an_open_cart_keeps_its_currency_and_customer():
    given(OPENED).when(open_cart, cart_id=CART, currency="EUR", customer_id="anna").then_rejected(
        CartAlreadyOpened(CART)
    )
    given(OPENED).when(open_cart, cart_id=CART, currency="GBP", customer_id=None).then_rejected(
        CartAlreadyOpened(CART)
    )


def test_an_item_is_added_at_the_title_and_price_of_the_moment():
    given(OPENED).when(add_item, **ADD_MUG).then(added())


def test_adding_what_is_there_raises_its_quantity_and_keeps_its_price():
    given(OPENED, added(quantity=2)).when(
        add_item, **(ADD_MUG | {"quantity": 3, "offer": offer(price="99.00")})
    ).then(changed(quantity=5))


def test_line_ids_are_never_given_twice():
    given(OPENED, added(), removed()).when(add_item, **ADD_MUG).then(added(line_id="2"))


def test_only_what_the_catalog_sells_can_be_added():
    given(OPENED).when(add_item, **(ADD_MUG | {"offer": None})).then_rejected(UnknownProduct("MUG"))
    given(OPENED).when(add_item, **(ADD_MUG | {"offer": offer(on_sale=False)})).then_rejected(
        ProductNotOnSale("MUG")
    )


def test_every_price_in_a_cart_is_in_its_currency():
    given(OPENED).when(add_item, **(ADD_MUG | {"offer": offer(currency="EUR"), "price": None})).then_rejected(
        WrongCurrency(asked="EUR", expected="GBP")
    )


def test_a_line_holds_no_more_than_the_limit_however_it_gets_there():
    over = QuantityOverLimit(sku="MUG", asked=11, limit=10)
    given(OPENED).when(add_item, **(ADD_MUG | {"quantity": 11})).then_rejected(over)
    given(OPENED).when(add_item, **(ADD_MUG | {"quantity": 10})).then(added(quantity=10))
    given(OPENED, added(quantity=9)).when(add_item, **(ADD_MUG | {"quantity": 2})).then_rejected(over)
    given(OPENED, added()).when(set_quantity, **(ADD_MUG | {"quantity": 11})).then_rejected(over)


def test_a_full_cart_takes_no_new_line_but_more_of_an_old_one():
    full = (OPENED, added(), added("CUP", line_id="2"), added("PAN", line_id="3"))
    given(*full).when(add_item, **(ADD_MUG | {"sku": "POT", "offer": offer("POT")})).then_rejected(
        CartFull(cart_id=CART, lines_max=3)
    )
    given(*full).when(add_item, **ADD_MUG).then(changed(quantity=2))


def test_a_quantity_is_set_once():
    given(OPENED, added(quantity=2)).when(set_quantity, **(ADD_MUG | {"quantity": 7})).then_once(
        changed(quantity=7)
    )


def test_setting_the_quantity_to_nothing_removes_the_line():
    given(OPENED, added()).when(set_quantity, **(ADD_MUG | {"quantity": 0})).then_once(removed())


def test_setting_the_quantity_of_what_is_not_there_adds_it():
    given(OPENED).when(set_quantity, **(ADD_MUG | {"quantity": 3})).then(added(quantity=3))
    given(OPENED).when(set_quantity, **(ADD_MUG | {"offer": None})).then_rejected(UnknownProduct("MUG"))


def test_removing_what_is_not_there_decides_nothing():
    given(OPENED, added()).when(remove_item, cart_id=CART, sku="MUG").then_once(removed())
    given(OPENED).when(remove_item, cart_id=CART, sku="MUG").then_nothing()


def test_a_cart_is_checked_out_once_for_one_order():
    products = {"MUG": offer()}
    given(OPENED, added()).when(check_out, cart_id=CART, order_id=ORDER, offers=products).then_once(CLOSED)
    given(OPENED, added(), CLOSED).when(
        check_out, cart_id=CART, order_id="e" * 32, offers=products
    ).then_rejected(CartClosed(cart_id=CART, cart_status="checked_out"))


def test_an_empty_cart_cannot_be_checked_out():
    given(OPENED, added(), removed()).when(check_out, cart_id=CART, order_id=ORDER, offers={}).then_rejected(
        CartEmpty(CART)
    )


def test_what_was_delisted_meanwhile_cannot_be_checked_out():
    given(OPENED, added()).when(
        check_out, cart_id=CART, order_id=ORDER, offers={"MUG": offer(on_sale=False)}
    ).then_rejected(ProductNotOnSale("MUG"))


def test_all_that_is_not_sold_as_it_was_is_refused_at_once():
    full = (OPENED, added(), added("POT", line_id="2"), added("PAN", line_id="3"), added("TEA", line_id="4"))
    products = {
        "MUG": offer(),
        "POT": offer("POT", currency="EUR"),
        "PAN": None,
        "TEA": offer("TEA", on_sale=False),
    }
    given(*full).when(check_out, cart_id=CART, order_id=ORDER, offers=products).then_rejected(
        ProductNotOnSale(
            "POT",
            (
                NotForSale("POT", "other_currency", "EUR"),
                NotForSale("PAN", "delisted"),
                NotForSale("TEA", "delisted"),
            ),
        )
    )


@pytest.mark.parametrize(
    ("product", "refusal"),
    [
        (offer(on_sale=False), ProductNotOnSale("MUG")),
        (offer(currency="EUR"), WrongCurrency(asked="EUR", expected="GBP")),
    ],
)
def test_a_line_of_what_is_not_sold_as_it_was_may_shrink_or_go_and_nothing_else(product, refusal):
    line = given(OPENED, added(quantity=5))
    euros = isinstance(refusal, WrongCurrency)
    now = ADD_MUG | {"offer": product, "price": None if euros else taken()}
    line.when(set_quantity, **(now | {"quantity": 6})).then_rejected(refusal)
    line.when(add_item, **now).then_rejected(refusal)
    line.when(set_quantity, **(now | {"quantity": 4})).then_once(changed(quantity=4))
    line.when(set_quantity, **(now | {"quantity": 5})).then_nothing()
    line.when(set_quantity, **(now | {"quantity": 0})).then_once(removed())
    given(OPENED).when(set_quantity, **now).then_rejected(refusal)


def test_a_checked_out_cart_changes_no_more():
    gone = CartClosed(cart_id=CART, cart_status="checked_out")
    given(OPENED, added(), CLOSED).when(add_item, **ADD_MUG).then_rejected(gone)
    given(OPENED, added(), CLOSED).when(set_quantity, **(ADD_MUG | {"quantity": 1})).then_rejected(gone)
    given(OPENED, added(), CLOSED).when(remove_item, cart_id=CART, sku="MUG").then_rejected(gone)


def test_a_cart_nobody_opened_is_unknown():
    unknown = UnknownCart(CART)
    given().when(add_item, **ADD_MUG).then_rejected(unknown)
    given().when(set_quantity, **(ADD_MUG | {"quantity": 1})).then_rejected(unknown)
    given().when(remove_item, cart_id=CART, sku="MUG").then_rejected(unknown)
    given().when(check_out, cart_id=CART, order_id=ORDER, offers={}).then_rejected(unknown)


def test_the_total_sums_lines_that_were_each_rounded():
    state = state_after(
        cart,
        OPENED,
        added(price="0.125"),  # 12.5 pence → 12
        added("CUP", line_id="2", price="0.135"),  # 13.5 pence → 14
    )
    assert [line.line_total.amount for line in state.lines.values()] == [12, 14]
    assert state.total == Money(26, "GBP")


EDITS = some.tuples(
    some.sampled_from(["add", "set", "remove"]),
    some.sampled_from(["MUG", "CUP", "PAN", "POT"]),
    some.integers(0, 12),
)


@settings(max_examples=200, deadline=None)
@forall(edits=some.lists(EDITS, max_size=30), price=some.decimals("0", "500", places=3))
def test_whatever_is_edited_a_cart_holds_what_was_asked_within_its_limits(edits, price):
    state, ordered = state_after(cart, OPENED), {}
    for kind, sku, quantity in edits:
        try:
            asking = ADD_MUG | {"sku": sku, "quantity": quantity, "price": taken(price)}
            if kind == "add" and quantity:
                events = add_item(state, **asking)
                ordered[sku] = ordered.get(sku, 0) + quantity
            elif kind == "set":
                events = set_quantity(state, **asking)
                ordered[sku] = quantity
            else:
                events = remove_item(state, cart_id=CART, sku=sku)
                ordered[sku] = 0
        except Rejected:
            continue
        for event in events:
            state = cart.evolve(state, event)
    assert {sku: line.quantity for sku, line in state.lines.items()} == {
        s: q for s, q in ordered.items() if q
    }
    assert len(state.lines) <= 3
    assert all(line.quantity <= 10 for line in state.lines.values())
    assert len({line.line_id for line in state.lines.values()}) == len(state.lines)
    assert state.total.amount == sum(UnitPrice(price, "GBP").times(q).amount for q in ordered.values())
