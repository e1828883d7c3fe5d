"""Amounts, rules and claims that cannot all be so: verification names them, one changed fact at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from aggregates.customers.events import OrderCounted, OrderUncounted
from aggregates.kernel import Money
from aggregates.orders.events import OrderCanceled, OrderPlaced
from aggregates.promotions.events import CouponClaimed, CouponReleased, UseClaimed, UseReleased
from event_store.memory.log import MemoryLog
from event_store.records import Appended, Entry, NewEvent, RecordedEvent
from replays.verification.verify import verify
from tests.commands.test_priced_carts import MARKET, POST, TEN, VAT, opened, rules
from tests.shop.facts import CODEC, stream_of
from tests.shop.http import open_shop

LIMITED = TEN | {"uses_max": 1, "uses_per_shopper_max": 1, "guests": "by_email", "budget": {"GBP": 500}}
GIFT = {"promotion_id": "cup", "label": "A cup", "action": {"kind": "gift", "skus": ["CUP"]}}
OTHER = "01999999-0000-7000-8000-000000000000"
PLACED = "orders.order_placed"


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> MemoryLog:
    """An order of goods, a gift, a discount by coupon, shipping and tax."""

    async def scenario(folder: Path) -> MemoryLog:
        log = MemoryLog()
        async with open_shop(log, folder) as shop:
            await shop.product("MUG", units=9, pence=1000)
            await shop.product("JUG", units=9, pence=777)
            await shop.product("CUP", units=9, pence=750)
            await rules(
                shop,
                markets=[MARKET],
                tax_areas=[VAT],
                shipping_methods=[POST],
                promotions=[LIMITED, GIFT],
                coupons=[{"code": "ONCE", "promotion_id": "ten", "uses_max": 1}],
            )
            cart_id = await opened(shop, "uk", MUG=3, JUG=1)
            await shop.post(f"/carts/{cart_id}/coupons", {"code": "ONCE"})
            delivery = {"country": "GB", "method_id": "post"}
            await shop.client.put(f"/api/v1/carts/{cart_id}/delivery", json=delivery)
            placed = await shop.checkout(cart_id)
            assert placed.status_code == 201, placed.text
        return log

    return asyncio.run(scenario(tmp_path_factory.mktemp("shop")))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> MemoryLog:
    """An order of a shop without rules."""

    async def scenario(folder: Path) -> MemoryLog:
        log = MemoryLog()
        async with open_shop(log, folder) as shop:
            await shop.product("MUG", units=9, pence=1000)
            placed = await shop.checkout(await shop.cart(MUG=2))
            assert placed.status_code == 201, placed.text
        return log

    return asyncio.run(scenario(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def given_up(sold: MemoryLog, tmp_path_factory: pytest.TempPathFactory) -> MemoryLog:
    """The order was canceled, and gave all its uses back."""

    async def scenario(folder: Path) -> MemoryLog:
        log = copied(sold)
        async with open_shop(log, folder) as shop:
            canceled = await shop.post(f"/orders/{order_of(sold).order_id}/cancel", {})
            assert canceled.status_code == 200, canceled.text
        return log

    return asyncio.run(scenario(tmp_path_factory.mktemp("given_up")))


def order_of(log: MemoryLog) -> OrderPlaced:
    """The log's last order."""
    *_, placed = [CODEC.decode(one) for one in log.read_all(after=0, limit=10_000) if one.type == PLACED]
    assert isinstance(placed, OrderPlaced)
    return placed


def findings(log: MemoryLog) -> list[str]:
    found: list[str] = []
    verify(log, CODEC, report=lambda finding: found.append(str(finding)))
    return found


def changed(log: MemoryLog, type_: str, change: Callable[[dict[str, Any]], None]) -> MemoryLog:
    """The same log, but for the last event of this type."""
    last = max(one.position for one in log.read_all(after=0, limit=10_000) if one.type == type_)
    return copied(log, last, change)


def copied(
    log: MemoryLog, position: int = 0, change: Callable[[dict[str, Any]], None] | None = None
) -> MemoryLog:
    """The same log; what `change` does to the event at that position apart."""
    events = log.read_all(after=0, limit=10_000)
    copy = MemoryLog()
    for command_id, written in groupby(events, key=lambda one: one.command_id):
        parts = list(written)
        row = log.journal_row(command_id)
        assert row is not None
        reads: dict[str, int] = {}
        for one in parts:
            reads.setdefault(one.stream, one.version - 1)
        entry = Entry(
            command_id=command_id,
            name=row.name,
            verdict=row.verdict,
            reads=reads,
            events=[new_event(one, change if one.position == position else None) for one in parts],
            actor=row.actor,
            channel=row.channel,
            new_subject_keys=log.subject_keys([one.stream for one in parts if one.type == PLACED]),
        )
        (outcome,) = copy.append([entry])
        assert isinstance(outcome, Appended), outcome
    return copy


def new_event(recorded: RecordedEvent, change: Callable[[dict[str, Any]], None] | None) -> NewEvent:
    data = recorded.data
    if change is not None:
        fields = json.loads(data)
        change(fields)
        assert fields != json.loads(data)
        data = json.dumps(fields).encode()
    return NewEvent(recorded.stream, recorded.type, recorded.schema_number, data)


def with_event(log: MemoryLog, event: Any) -> MemoryLog:
    """The same log, and one more event."""
    copy = copied(log)
    stream = stream_of(event)
    version = len(copy.read_stream(stream))
    entry = Entry(
        command_id=uuid4(),
        name="test",
        verdict="accepted",
        reads={stream: version},
        events=[CODEC.encode(stream, event, version=version + 1)],
        actor="system:test",
        channel="test",
    )
    (outcome,) = copy.append([entry])
    assert isinstance(outcome, Appended), outcome
    return copy


def at(*path: str | int, by: int = 1) -> Callable[[dict[str, Any]], None]:
    """Changes the number that lies there."""

    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] += by

    return change


def to(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """Puts the value there."""

    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        data[path[-1]] = value

    return change


def step_of(kind: str, *path: str | int, by: int = 1) -> Callable[[dict[str, Any]], None]:
    """Changes a number of the explanation's step of this kind."""

    def change(data: Any) -> None:
        at(*path, by=by)(next(step for step in data["explanation"]["steps"] if step["step"] == kind))

    return change


def without(*path: str | int) -> Callable[[dict[str, Any]], None]:
    """Takes the list's member that lies there out."""

    def change(data: Any) -> None:
        for step in path[:-1]:
            data = data[step]
        del data[path[-1]]

    return change


def unexplained(data: dict[str, Any]) -> None:
    data.update(explanation=None, context=None)


def test_a_sound_log_of_orders_has_nothing_wrong(
    sold: MemoryLog, given_up: MemoryLog, plain: MemoryLog
) -> None:
    assert [findings(log) for log in (sold, given_up, plain)] == [[], [], []]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (step_of("cart_promotion", "shares", "1"), "step cart_promotion ten: its shares make"),
        (step_of("cart_promotion", "amount"), "step cart_promotion ten: its shares make"),
        (step_of("tax", "amount"), "of tax, its groups"),
        (at("lines", 0, "discount", "amount", by=9_999), "line 1: 10299 off 3000"),
        (at("lines", 0, "discount", "amount", by=-301), "line 1: -1 off 3000"),
        (at("shipping", "discount", by=9_999), "shipping: 9999 off 395"),
        (at("shipping", "net"), "shipping: 396 is not its rate less its discount"),
        (at("lines", 1, "paid", "amount"), "is paid for lines and shipping, its total is"),
        (at("shipping", "paid", by=-1), "is paid for lines and shipping, its total is"),
        (at("tenders", 0, "amount", "amount"), "its tenders make"),
        (at("lines", 0, "tax", "amount"), "tax GB/standard: its shares make"),
        (at("taxes", 0, "amount"), "tax GB/standard: its shares make"),
        (to("lines", 0, "tax_group", value="FR/standard"), "of tax of FR/standard, which the order has not"),
        (at("shipping", "tax"), "shipping: its taxes make"),
        (at("lines", 0, "tax", "amount"), "priced again, it has other lines"),
        (to("lines", 0, "was", value="99.00"), "priced again, it has other lines"),
        (to("charges", 0, "label", value="Discount"), "priced again, it has other charges"),
        (to("taxes", 0, "rate", value="19 %"), "priced again, it has other taxes"),
        (to("shipping", "label", value="Courier"), "priced again, it has other shipping"),
        (step_of("cart_promotion", "base"), "priced again, it has other explanation"),
        (to("context", "destination", value=None), "priced again, it has other"),
        (to("context", "codes", value={}), "priced again, it has other"),
        (at("claims", 1, "amount"), "priced again, it has other claims"),
        (to("claims", 0, "key", value="TWICE"), "priced again, it has other claims"),
        (to("claims", 2, "promotion_id", value="cup"), "priced again, it has other claims"),
        (without("claims", 0), "priced again, it has other claims"),
        (without("claims", 2), "priced again, it has other claims"),
        (unexplained, "nothing says how it was priced, though the rules were at 5"),
        (unexplained, "line 1: 300 off 3000, 2700 paid, and no rule says why"),
        (at("explanation", "terms", by=-1), "priced by version 4 of the rules, which were at 5"),
        (to("context", value=None), "nothing says what it was priced from"),
    ],
)
def test_an_order_that_was_changed_is_found(
    sold: MemoryLog, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    found = findings(changed(sold, PLACED, change))
    assert [one for one in found if one.startswith("price: ") and words in one], found


@pytest.mark.parametrize(
    ("type_", "change", "words"),
    [
        ("cart.item_added", to("quantity", value=2), "priced again, it has other"),
        ("cart.coupon_entered", to("promotion_id", value="eleven"), None),
        ("terms.tax_area_defined", at("area", "rates", 0, "components", 0, "percent"), "other taxes"),
        ("terms.promotion_defined", to("promotion", "label", value="Mug"), "other charges, explanation"),
        ("terms.market_defined", to("market", "shipping_tax", value="none"), "priced again, it has other"),
        ("terms.market_defined", to("market", value=3), "the rules of sale cannot be followed from here on"),
    ],
)
def test_a_cart_or_a_rule_that_was_changed_makes_another_price(
    sold: MemoryLog, type_: str, change: Callable[[dict[str, Any]], None], words: str | None
) -> None:
    found = findings(changed(sold, type_, change))
    if words is None:  # the order's own context says which codes counted
        assert found == []
    else:
        assert [one for one in found if one.startswith("price: ") and words in one], found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (at("tenders", 0, "amount", "amount"), "its tenders make 2001, its total is 2000"),
        (at("lines", 0, "discount", "amount"), "line 1: 1 off 2000, 2000 paid, and no rule says why"),
        (at("lines", 0, "tax", "amount"), "line 1: 0 off 2000, 2000 paid, and no rule says why"),
        (at("lines", 0, "paid", "amount", by=-1), "line 1: 0 off 2000, 1999 paid, and no rule says why"),
        (
            to("claims", value=[{"limit": "coupon", "key": "ONCE", "promotion_id": "ten"}]),
            "it has taxes, shipping or claims, and no rule says why",
        ),
    ],
)
def test_an_order_without_rules_that_was_changed_is_found(
    plain: MemoryLog, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    found = findings(changed(plain, PLACED, change))
    assert [one for one in found if one.startswith("price: ") and words in one], found


@pytest.mark.parametrize(
    ("type_", "change", "words"),
    [
        (PLACED, without("claims", 0), "took a use of coupon ONCE, and does not say so"),
        (PLACED, without("claims", 1), "took a use of promotion ten, and does not say so"),
        (PLACED, without("claims", 2), "took a use of shopper"),
        (PLACED, to("claims", 0, "key", value="TWICE"), "says that it used coupon TWICE, and took none so"),
        (PLACED, at("claims", 1, "amount"), "says that it used promotion ten, and took none so"),
        (PLACED, to("shopper", value="c-1"), "says that it used shopper c-1, and took none so"),
        ("promotions.coupon_claimed", to("order_id", value=OTHER), "used coupon ONCE, and took none so"),
        ("promotions.use_claimed", at("amount", "amount"), "used promotion ten, and took none so"),
        ("customers.order_counted", to("uses", value=[]), "and took none so"),
        (
            "customers.order_counted",
            to("order_id", value=OTHER),
            f"order {OTHER} took a use of shopper",
        ),
    ],
)
def test_what_an_order_says_it_used_and_what_its_command_took_are_the_same(
    sold: MemoryLog, type_: str, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    found = findings(changed(sold, type_, change))
    assert [one for one in found if one.startswith("limit: ") and words in one], found


def test_an_order_that_is_canceled_gives_everything_back_and_no_other_does(
    sold: MemoryLog, given_up: MemoryLog
) -> None:
    placed = order_of(sold)
    canceled = OrderCanceled(
        order_id=placed.order_id,
        cause="canceled",
        placed_on=placed.placed_on,
        currency="GBP",
        total=placed.total,
        credited=Money(0, "GBP"),
        lines=(),
    )
    found = findings(with_event(sold, canceled))
    assert [one for one in found if "was canceled, and gave 3 uses not back" in one], found
    released = CouponReleased(code="ONCE", order_id=placed.order_id)
    found = findings(with_event(sold, released))
    assert [one for one in found if "gives uses back, though it is not canceled here" in one], found
    found = findings(with_event(given_up, released))
    assert [one for one in found if "has no use of ONCE to give back" in one], found


def facts() -> Iterator[tuple[Any, str]]:
    ten = Money(100, "GBP")
    yield CouponClaimed(code="ONCE", order_id=OTHER), "2 uses of ONCE, of 1"
    yield CouponReleased(code="ONCE", order_id=OTHER), f"order {OTHER} has no use of ONCE to give back"
    yield CouponClaimed(code="NEVER", order_id=OTHER), "1 uses of NEVER, of 0"
    yield UseClaimed(promotion_id="ten", order_id=OTHER, amount=ten), "2 uses of ten, of 1"
    yield (
        UseClaimed(promotion_id="ten", order_id=OTHER, amount=Money(200, "GBP")),
        "578 GBP taken off by ten, of 500",
    )
    yield UseClaimed(promotion_id="none", order_id=OTHER, amount=ten), "a use of none, which is not in force"
    yield UseReleased(promotion_id="ten", order_id=OTHER, amount=ten), f"order {OTHER} gives back"
    yield OrderUncounted(shopper="c-1", order_id=OTHER, uses=()), f"order {OTHER} was not counted so"


@pytest.mark.parametrize(("event", "words"), list(facts()))
def test_a_claim_beyond_its_limit_or_given_back_by_another_is_found(
    sold: MemoryLog, event: Any, words: str
) -> None:
    found = findings(with_event(sold, event))
    assert [one for one in found if one.startswith("limit: ") and words in one], found


def test_a_shopper_uses_a_promotion_no_more_often_than_each_may(sold: MemoryLog) -> None:
    (counted,) = [
        CODEC.decode(one)
        for one in sold.read_all(after=0, limit=10_000)
        if one.type == "customers.order_counted"
    ]
    again = OrderCounted(shopper=counted.shopper, order_id=OTHER, uses=counted.uses)
    found = findings(with_event(sold, again))
    assert [one for one in found if "2 uses of ten, of 1 each" in one], found


def test_the_same_use_is_not_claimed_twice_by_an_order(sold: MemoryLog) -> None:
    (claimed,) = [
        CODEC.decode(one)
        for one in sold.read_all(after=0, limit=10_000)
        if one.type == "promotions.use_claimed"
    ]
    found = findings(with_event(sold, claimed))
    assert [one for one in found if "has a use of ten already" in one], found
