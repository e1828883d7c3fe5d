"""Which lines a selector selects, and when a condition holds."""

from __future__ import annotations

import pytest

from aggregates.pricing.context import Context, Destination, PricedLine, Shopper, Traits
from aggregates.pricing.matching import Basis, Cart, Selectors, holds, tokens
from aggregates.pricing.rules import Condition, Selector
from tests.pricing.cases import NOON, line, skus

MUG = line("a", "1.00", category="Kitchen > Mugs", attributes={"color": "red"}, seller="anna", group="mugs")
LAMP = line("b", "2.00", 3, category="Living > Lamps", attributes={"color": "blue"}, seller="boris")
KITCHENWARE = line("c", "4.00", category="Kitchenware", on_sale=True)
FIXED_PRICE = line("d", "8.00", category="Kitchen", discountable=False)
OLD = PricedLine(line_id="e", sku="E", quantity=1, list_id="base", tiers=MUG.tiers)
GIFT = PricedLine(
    line_id="f", sku="F", quantity=1, list_id="base", tiers=MUG.tiers, traits=Traits(), gift_of="present"
)
LINES = (MUG, LAMP, KITCHENWARE, FIXED_PRICE, OLD, GIFT)


def selected(selector: Selector) -> str:
    """The ids of the selected lines, found by the index and without it."""
    selectors = Selectors()
    compiled = selectors.compile(selector)
    cart = Cart(LINES, Context(market="main", currency="GBP", at=NOON), selectors.mentioned)
    ids = "".join(LINES[place].line_id for place in cart.indices(cart.select(compiled)))
    if compiled.parts:
        indexed = Cart(LINES, cart.context, selectors.mentioned)
        index = {token: [compiled] for token in compiled.parts[0]}
        assert indexed.find(index) == ([compiled] if ids else [])
        assert indexed.select(compiled) == cart.select(compiled)
    return ids


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        (Selector(), "abce"),
        (Selector(skus=("A", "B", "Z")), "ab"),
        (Selector(skus=("a",)), ""),
        (Selector(groups=("mugs",)), "a"),
        (Selector(categories=("Kitchen",)), "a"),
        (Selector(categories=("Kitchen > Mugs", "Living")), "ab"),
        (Selector(categories=("Mugs",)), ""),
        (Selector(attributes={"color": ("red", "blue")}), "ab"),
        (Selector(attributes={"colo": ("r\x1fred",)}), ""),
        (Selector(sellers=("boris",)), "b"),
        (Selector(categories=("Kitchen", "Living"), sellers=("boris",)), "b"),
        (Selector(attributes={"color": ("red",), "size": ("L",)}), ""),
        (Selector(skus=("A",), sellers=("boris",)), ""),
        (Selector(not_skus=("A",)), "bc"),
        (Selector(not_categories=("Kitchen",)), "bc"),
        (Selector(not_categories=("Kitchen > Mugs > Large",)), "abc"),
        (Selector(categories=("Kitchen", "Living"), not_skus=("A",)), "b"),
        (Selector(not_on_sale=True), "ab"),
        (Selector(skus=("D", "E", "F")), ""),
    ],
    ids=str,
)
def test_all_parts_of_a_selector_hold_and_each_is_any_of(selector: Selector, ids: str) -> None:
    assert selected(selector) == ids


def test_a_lines_tokens_can_be_made_beforehand() -> None:
    made = tokens(MUG.sku, MUG.traits)
    kept = PricedLine(
        line_id="a", sku="A", quantity=1, list_id="base", tiers=MUG.tiers, traits=MUG.traits, tokens=made
    )
    assert kept == MUG
    assert tokens("E", None) == ()
    selectors = Selectors()
    mugs = selectors.compile(Selector(categories=("Kitchen > Mugs",), sellers=("anna",)))
    cart = Cart([kept], Context(market="main", currency="GBP", at=NOON), selectors.mentioned)
    assert cart.select(mugs) == 0b1


def test_equal_selectors_are_compiled_once() -> None:
    selectors = Selectors()
    assert selectors.compile(skus("a", "b")) is selectors.compile(skus("a", "b"))
    assert selectors.compile(skus("a", "b")) is not selectors.compile(Selector(not_skus=("A", "B")))


def condition_holds(condition: Condition, amounts: list[int] | None = None, **context: object) -> bool:
    selectors = Selectors()
    compiled = selectors.compile_condition(condition)
    facts = {"market": "main", "currency": "GBP", "at": NOON} | context
    cart = Cart(LINES, Context(**facts), selectors.mentioned)  # type: ignore[arg-type]
    return holds(compiled, cart, Basis(cart, amounts or [100, 600, 400, 800, 100, 100]))


def test_an_amount_is_that_of_the_selected_lines_alone() -> None:
    lamps = Selector(categories=("Living",))
    assert condition_holds(Condition(kind="amount_at_least", selector=lamps, amount={"GBP": 600}))
    assert not condition_holds(Condition(kind="amount_at_least", selector=lamps, amount={"GBP": 601}))
    assert condition_holds(Condition(kind="amount_at_least", amount={"GBP": 1200}))
    assert not condition_holds(Condition(kind="amount_at_least", amount={"GBP": 1201}))


def test_units_are_counted_over_the_selected_lines() -> None:
    colored = Selector(attributes={"color": ("red", "blue")})
    assert condition_holds(Condition(kind="quantity_at_least", selector=colored, quantity=4))
    assert not condition_holds(Condition(kind="quantity_at_least", selector=colored, quantity=5))


def test_a_first_order_is_that_of_a_shopper_of_whom_none_is_counted() -> None:
    first = Condition(kind="first_order")
    assert condition_holds(first, shopper=Shopper())
    assert condition_holds(first)
    assert not condition_holds(first, shopper=Shopper(orders=1))


def test_one_of_the_customer_groups_and_countries_is_enough() -> None:
    groups = Condition(kind="customer_groups", customer_groups=("trade", "staff"))
    assert condition_holds(groups, customer_groups=("new", "staff"))
    assert not condition_holds(groups, customer_groups=("new",))
    countries = Condition(kind="countries", countries=("GB", "IE"))
    assert condition_holds(countries, destination=Destination(country="IE"))
    assert not condition_holds(countries, destination=Destination(country="FR"))
    assert not condition_holds(countries)


def test_one_condition_of_any_of_is_enough() -> None:
    staff = Condition(kind="customer_groups", customer_groups=("staff",))
    many = Condition(kind="quantity_at_least", quantity=6)
    either = Condition(kind="any_of", any_of=(staff, many))
    assert condition_holds(either)
    assert condition_holds(Condition(kind="any_of", any_of=(staff,)), customer_groups=("staff",))
    assert not condition_holds(Condition(kind="any_of", any_of=(staff,)))
    assert not condition_holds(Condition(kind="any_of"))
