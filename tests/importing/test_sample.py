"""The sample shop: the same for everyone, believable, and filled in once."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aggregates.catalog.events import PriceChanged
from aggregates.inventory import stock
from aggregates.inventory.events import StockReceived
from aggregates.orders.events import CreditNoteIssued, OrderCanceled, OrderPlaced
from aggregates.pricing.context import Context, PricedLine, Traits
from aggregates.pricing.explanation import Priced
from aggregates.pricing.price import price
from aggregates.promotions.events import CouponIssued
from aggregates.terms.terms import MAIN_TERMS, TermsState
from commands.handlers.registry import HANDLERS
from commands.handlers.terms import (
    DefineMarket,
    DefineShippingMethod,
    EndPriceList,
    EndPromotion,
    RetireTaxArea,
)
from commands.loop.decision import Actor
from commands.loop.decision import Context as HandlingContext
from commands.loop.handling import Handling
from commands.loop.state_cache import StateCache
from deploy.sample.filling import fill_shop
from deploy.sample.orders import FREE_SHIPPING_PENCE, WEEKS, sample_orders
from deploy.sample.products import sample_products
from event_store.errors import StoreUnavailable
from event_store.memory.log import MemoryLog
from event_store.records import EventLog
from tests.importing.faults import FailingLog
from tests.importing.files import SMALL, run
from tests.shop.facts import CODEC
from tests.shop.log import events, events_of
from tests.terms.samples import BRITAIN

TODAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fill(log: EventLog, today: date = TODAY) -> int:
    return asyncio.run(fill_shop(log, CODEC, today=today))


def facts(log: EventLog) -> list[tuple[str, datetime]]:
    """What the log holds of the world, without what is sealed and the ids that follow from its secret."""
    result = []
    after = 0
    while page := log.read_all(after=after, limit=5_000):
        result += [
            (
                f"{recorded.type} {re.sub('[0-9a-f]{32}', '#', str(CODEC.decode_public_json(recorded)))}",
                recorded.valid_at,
            )
            for recorded in page
        ]
        after = page[-1].position
    return result


def test_two_hundred_products_in_a_category_tree() -> None:
    products = sample_products()
    assert len(products) == 200
    assert len({product.sku for product in products}) == len({product.title for product in products}) == 200
    assert len({product.description for product in products}) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", product.sku) for product in products)
    assert all(300 <= product.pence <= 25_000 for product in products)
    assert all(40 <= len(product.description) <= 300 for product in products)
    tops = Counter(product.category.partition(" > ")[0] for product in products)
    assert len(tops) >= 6
    assert len({product.category for product in products}) >= 30
    assert all(product.attributes for product in products if not product.sku.startswith("BULB"))


def test_the_same_day_gives_the_same_orders() -> None:
    first_day = date(2026, 1, 18)
    orders = sample_orders(sample_products(), first_day=first_day)
    assert orders == sample_orders(sample_products(), first_day=first_day)
    assert orders != sample_orders(sample_products(), first_day=first_day, seed=1)
    assert [order.nth for order in orders] == list(range(1, len(orders) + 1))
    assert orders == sorted(orders, key=lambda order: order.placed_at)
    days = {order.placed_at.date() for order in orders}
    assert min(days) >= first_day
    assert (max(days) - first_day).days < WEEKS * 7
    assert {order.ending for order in orders} == {
        "kept",
        "returned",
        "returned in part",
        "refunded in part",
        "canceled",
    }
    assert all((order.shipping_pence == 0) == (order.goods_pence >= FREE_SHIPPING_PENCE) for order in orders)


def test_the_sample_fills_an_empty_shop_and_leaves_a_full_one_alone(log: EventLog) -> None:
    assert fill(log) > 900
    head = log.head()
    assert fill(log) == 0
    assert fill(log, date(2026, 4, 1)) == 0
    assert log.head() == head
    placed = events_of(log, OrderPlaced)
    assert len(placed) == 500
    assert {event.channel for event in placed} == {"import"}
    last = max(recorded.valid_at for recorded in log.read_all(after=0, limit=10_000))
    assert datetime(2026, 2, 27, tzinfo=UTC) < last < datetime(2026, 3, 1, tzinfo=UTC)
    assert events_of(log, OrderCanceled)
    assert events_of(log, CreditNoteIssued)


def test_what_happened_is_in_the_order_of_its_time_and_always_in_stock(tmp_path: Path) -> None:
    log = MemoryLog()
    fill(log)
    times = [recorded.valid_at for recorded in log.read_all(after=0, limit=10_000)]
    assert times == sorted(times)
    assert {event.source for event in events_of(log, StockReceived)} == {
        "sample:opening"
    }  # nothing topped up
    shelves: dict[str, stock.Stock] = {}
    for event in events(log):
        if type(event).__module__ == "aggregates.inventory.events":
            stock.evolve(shelves.setdefault(event.sku, stock.initial()), event)
    left = sorted(shelf.available for shelf in shelves.values())
    assert len(left) == 201
    assert left[0] < 4
    assert left[20] > 3  # most can be bought


@pytest.mark.parametrize("appends", [1, 2, 3])
def test_a_half_filled_shop_is_filled_up_to_the_same_also_another_day(appends: int) -> None:
    complete = MemoryLog()
    fill(complete)
    log = FailingLog()
    log.left = appends
    with pytest.raises(StoreUnavailable):
        fill(log)
    log.left = None
    assert fill(log, TODAY if appends == 1 else date(2026, 3, 9)) > 0
    assert sorted(facts(log)) == sorted(facts(complete))


def test_the_sample_and_a_real_shops_books_go_together(log: EventLog, tmp_path: Path) -> None:
    fill(log)
    assert run(log, SMALL, tmp_path).account.adds_up
    assert fill(log) == 0


def submit(log: EventLog, *commands: Any) -> None:
    async def handle() -> None:
        context = HandlingContext(actor=Actor("operator", "test"), channel="api")
        async with Handling(log, CODEC, HANDLERS, deadline_seconds=30) as handling:
            for command in commands:
                await handling.handle(command, context)

    asyncio.run(handle())


def rules_of(log: EventLog) -> TermsState:
    cache = StateCache(CODEC)
    cache.load(MAIN_TERMS, log.read_streams([MAIN_TERMS])[MAIN_TERMS])
    state: TermsState = cache.state(MAIN_TERMS)
    return state


def price_of(terms: TermsState, market: str, currency: str, quantity: int) -> Priced:
    """A cart of six mugs and a tea at 10.00 each, to go nowhere yet."""
    lines = [
        PricedLine(
            line_id=str(nth),
            sku=sku,
            quantity=quantity,
            list_id="base",
            tiers=((1, Decimal("10.00")),),
            traits=Traits(category=category),
        )
        for nth, (sku, category) in enumerate((("MUG", "Kitchen > Mugs"), ("TEA", "Pantry > Tea and coffee")))
    ]
    return price(lines, terms.compiled, Context(market=market, currency=currency, at=NOON))


def test_the_rules_of_sale_are_there_and_concern_their_own_markets_alone(log: EventLog) -> None:
    fill(log)
    terms = rules_of(log)
    assert set(terms.rules.markets) == {"uk", "us"}
    assert len(terms.rules.shipping_methods) == 3
    assert len({promotion.action.kind for promotion in terms.rules.promotions.values()}) == 5
    assert price_of(terms, "uk", "GBP", 6).total == 12_000 - 2_000 - 500
    plain = price_of(terms, "main", "GBP", 6)
    assert (plain.total, plain.charges, plain.notices, plain.gifts) == (12_000, (), (), ())
    dollars = [event for event in events_of(log, PriceChanged) if event.currency == "USD"]
    assert len({event.sku for event in dollars}) == 200
    assert not any(event.list.tax_included for event in dollars)
    assert [event.code for event in events_of(log, CouponIssued)] == ["WELCOME10"]


def test_a_rule_that_an_operator_ended_or_changed_stays_so(log: EventLog) -> None:
    fill(log)
    terms = rules_of(log)
    dearer = replace(terms.rules.shipping_methods["uk-post"], free_from={"GBP": 9_000})
    submit(
        log,
        EndPromotion(promotion_id="chocolate", reason="sold out"),
        RetireTaxArea(area_id="us-ca"),
        EndPriceList(list_id="us-dollars"),
        DefineShippingMethod(method=dearer),
    )
    head = log.head()
    assert fill(log) == 0
    assert log.head() == head


def test_a_shop_with_rules_of_its_own_is_left_without_the_samples(log: EventLog) -> None:
    submit(log, DefineMarket(market=BRITAIN))
    fill(log)
    assert set(rules_of(log).rules.markets) == {BRITAIN.market_id}
    assert not rules_of(log).rules.promotions
