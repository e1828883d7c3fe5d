"""Filling a shop with the sample: products, stock, rules of sale and weeks of orders, each step once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from aggregates.catalog.events import PriceChanged
from aggregates.catalog.product import stream as product_stream
from aggregates.credit.account import stream as account_stream
from aggregates.inventory.events import StockReceived
from aggregates.inventory.stock import stream as stock_stream
from aggregates.orders.order import Order
from aggregates.orders.order import stream as order_stream
from aggregates.promotions.coupon import stream as coupon_stream
from aggregates.terms.terms import MAIN_TERMS, TermsState
from commands.gift_codes import GiftCodes
from commands.handlers.registry import HANDLERS
from commands.importing.online_retail.handlers import IMPORT_HANDLERS
from commands.importing.online_retail.identity import Identity
from commands.importing.online_retail.recording import ReceiveOpeningStock
from commands.importing.submitting import Submitter
from commands.loop.handling import Handling
from commands.loop.state_cache import StateCache
from deploy.sample.gift_cards import SOLD, issued_account, missing_gift_cards
from deploy.sample.orders import ORDERS, first_day_before, opening_stock, sample_orders
from deploy.sample.planning import listing, number_of, record, undo
from deploy.sample.products import SampleProduct, sample_products
from deploy.sample.rules import COUPON, DOLLARS, are_own, missing_rules
from deploy.sample.unpaid import SAMPLE_HANDLERS
from event_store.codec import Codec
from event_store.records import EventLog, EventReader

SOURCE = "sample"
OPENING = "sample:opening"  # the source of its opening stock
DEADLINE_SECONDS = 60.0
EVENTS_EACH = 8  # by a command, about


@dataclass(frozen=True, slots=True)
class Existing:
    """What a shop holds of the sample; `first_day` of its orders is None where none of its stock came."""

    orders: dict[str, Order]  # by number, those that are missing too
    listed: set[str]  # SKUs
    received: set[str]  # SKUs
    first_day: date | None
    terms: TermsState
    priced: set[str]  # SKUs that had a price in dollars once, or are not on sale any more
    has_coupon: bool
    has_gift_card: bool  # the one that is issued


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the sample, and when it was true."""

    command: Any
    at: datetime


async def fill_shop(log: EventLog, codec: Codec, *, today: date) -> int:
    """Writes what is missing of the sample; how many commands had something to write.

    The weeks of orders end the day before `today`; in a half-filled shop they are those it began with.
    """
    identity = Identity(log.installation_secret(), SOURCE)
    codes = GiftCodes(log.installation_secret())
    existing = await asyncio.to_thread(find_existing, log, codec, identity, sample_products(), codes)
    handlers = {**HANDLERS, **IMPORT_HANDLERS, **SAMPLE_HANDLERS}
    async with Handling(log, codec, handlers, deadline_seconds=DEADLINE_SECONDS) as handling:
        submitter = Submitter(handling, actor=SOURCE)
        try:
            steps = missing_steps(identity, existing, today=today, codes=codes)
            for step in steps:
                await submitter.submit(step.command, valid_at=step.at, events=EVENTS_EACH)
            await submitter.flush()
        finally:
            await submitter.abandon()
    return submitter.written


def find_existing(
    log: EventReader, codec: Codec, identity: Identity, products: Sequence[SampleProduct], codes: GiftCodes
) -> Existing:
    """Reads what the shop holds of the sample. Raises StoreUnavailable."""
    cache = StateCache(codec)
    ids = {number: identity.order(number) for number in map(number_of, range(1, ORDERS + 1))}
    gift_card = account_stream(issued_account(codes))
    streams = [MAIN_TERMS, coupon_stream(COUPON.code), gift_card]
    streams += [order_stream(order_id) for order_id in ids.values()]
    skus = [*(product.sku for product in products), SOLD.sku]
    for sku in skus:
        streams += [product_stream(sku), stock_stream(sku)]
    first_day, received, priced = None, set(), set()
    for stream, history in log.read_streams(streams).items():
        cache.load(stream, history)
        for recorded in history:
            event = codec.decode(recorded)
            if isinstance(event, StockReceived) and event.source == OPENING:
                received.add(event.sku)
                first_day = recorded.valid_at.date() + timedelta(days=1)
            elif isinstance(event, PriceChanged) and event.list.list_id == DOLLARS.list_id:
                priced.add(event.sku)
    states = {sku: cache.state(product_stream(sku)) for sku in skus}
    priced |= {sku for sku, state in states.items() if state.facts is not None and not state.on_sale}
    return Existing(
        orders={number: cache.state(order_stream(order_id)) for number, order_id in ids.items()},
        listed={sku for sku, state in states.items() if state.facts is not None},
        received=received,
        first_day=first_day,
        terms=cache.state(MAIN_TERMS),
        priced=priced,
        has_coupon=cache.state(coupon_stream(COUPON.code)).issued is not None,
        has_gift_card=cache.state(gift_card).opened is not None,
    )


def missing_steps(identity: Identity, existing: Existing, *, today: date, codes: GiftCodes) -> Iterator[Step]:
    """The commands still to be handled, earliest first."""
    first_day = existing.first_day or first_day_before(today)
    opening = datetime.combine(first_day - timedelta(days=1), time(9), UTC)
    products = sample_products()
    orders = sample_orders(products, first_day=first_day)
    for product in products:
        if product.sku not in existing.listed:
            yield Step(listing(product), opening)
    for sku, quantity in opening_stock(products, orders).items():
        if sku not in existing.received:
            receipt = ReceiveOpeningStock(sku=sku, quantity=quantity, reason="opening stock", source=OPENING)
            yield Step(receipt, opening)
    for command in missing_gift_cards(
        codes,
        is_listed=SOLD.sku in existing.listed,
        has_stock=SOLD.sku in existing.received,
        is_issued=existing.has_gift_card,
        source=OPENING,
        today=opening.date(),
    ):
        yield Step(command, opening)
    if not are_own(existing.terms):
        unpriced = [product for product in products if product.sku not in existing.priced]
        for command in missing_rules(existing.terms, unpriced, has_coupon=existing.has_coupon, at=opening):
            yield Step(command, opening)
    steps = []
    for order in orders:
        state = existing.orders[number_of(order.nth)]
        if state.placed is None:
            steps.append(Step(record(order, identity), order.placed_at))
        if order.ended_at is not None:
            steps += [Step(command, order.ended_at) for command in undo(order, identity, state)]
    yield from sorted(steps, key=lambda step: step.at)
