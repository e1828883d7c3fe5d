"""Commands on products and their prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from aggregates.catalog import price_list, prices, product
from aggregates.catalog.events import CatalogEvent, PriceScheduled, ProductListed, ProductRevised
from aggregates.kernel import Sku
from aggregates.pricing.rules import BASE, Tiers
from aggregates.terms.price_lists import base_list, price_list_of
from aggregates.terms.terms import MAIN_TERMS, TermsState
from commands.loop.decision import Decision
from commands.loop.handling import Handlers
from commands.loop.state_cache import StateCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProduct:
    """Put a product on sale."""

    name: ClassVar = "list_product"
    product: ProductListed


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseProduct:
    """Give a product other facts."""

    name: ClassVar = "revise_product"
    product: ProductRevised


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    """A product's tiers on a list; `field` names their currency in the request."""

    sku: Sku
    currency: str
    tiers: Tiers
    field: str = "price.currency"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePrice:
    """Sell a product at other prices of a list, in a window where there is one; `now` is the moment of the
    command. `schedule_id`, made for it, names the schedule where it takes one."""

    name: ClassVar = "change_price"
    price: NewPrice
    now: datetime
    schedule_id: str
    list_id: str = BASE
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeListPrices:
    """Sell many products at other prices of a list: all of them, or none. As ChangePrice."""

    name: ClassVar = "change_list_prices"
    prices: tuple[NewPrice, ...]
    now: datetime
    schedule_id: str
    list_id: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPriceSchedule:
    """Let a schedule change no price any more; a price that it gave is withdrawn."""

    name: ClassVar = "cancel_price_schedule"
    sku: Sku
    schedule_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawListPrices:
    """Take products off a list that has ended: all that got a price of it between two positions of the log.
    `done`: no other product has."""

    name: ClassVar = "withdraw_list_prices"
    list_id: str
    skus: tuple[Sku, ...]
    after: int
    upto: int
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DelistProduct:
    """Take a product off sale."""

    name: ClassVar = "delist_product"
    sku: Sku
    reason: str


def handle_list_product(cache: StateCache, command: ListProduct) -> Decision:
    """Lists the product."""
    sku, currency = command.product.sku, command.product.price.currency
    stream = product.stream(sku)
    states = cache.states((stream, MAIN_TERMS))
    own = base_list(states[MAIN_TERMS], currency=currency)
    decision = Decision(id=sku, stream=stream)
    listed = product.list_product(states[stream], listed=command.product, tax_included=own.tax_included)
    decision.add(stream, listed)
    decision.created = bool(decision.events)
    return decision


def handle_revise_product(cache: StateCache, command: ReviseProduct) -> Decision:
    """Changes the product's facts; its prices stay."""
    sku = command.product.sku
    stream = product.stream(sku)
    decision = Decision(id=sku, stream=stream)
    decision.add(stream, product.revise(cache.state(stream), revised=command.product))
    return decision


def handle_change_price(cache: StateCache, command: ChangePrice) -> Decision:
    """Changes the price; in a further currency of the base list, opens that."""
    decision = Decision(id=command.price.sku, stream=product.stream(command.price.sku))
    _set_prices(cache, decision, command, (command.price,))
    return decision


def handle_change_list_prices(cache: StateCache, command: ChangeListPrices) -> Decision:
    """Changes the prices of all the products; the version is that of the rules of sale."""
    decision = Decision(id=command.list_id, stream=MAIN_TERMS)
    _set_prices(cache, decision, command, command.prices)
    return decision


def handle_cancel_price_schedule(cache: StateCache, command: CancelPriceSchedule) -> Decision:
    """Cancels the schedule."""
    stream = product.stream(command.sku)
    decision = Decision(id=command.sku, stream=stream)
    canceled = prices.cancel_schedule(cache.state(stream), sku=command.sku, schedule_id=command.schedule_id)
    decision.add(stream, canceled)
    return decision


def handle_withdraw_list_prices(cache: StateCache, command: WithdrawListPrices) -> Decision:
    """Withdraws the prices; nothing where another command has done so."""
    stream = price_list.stream(command.list_id)
    decision = Decision(id=command.list_id, stream=stream)
    progress = price_list.progress(
        cache.state(stream),
        list_id=command.list_id,
        after=command.after,
        upto=command.upto,
        done=command.done,
    )
    if progress:
        states = cache.states(product.stream(sku) for sku in command.skus)
        for sku in command.skus:
            of_product = product.stream(sku)
            left = prices.leave_list(states[of_product], sku=sku, list_id=command.list_id)
            decision.add(of_product, left)
    decision.add(stream, progress)
    return decision


def handle_delist_product(cache: StateCache, command: DelistProduct) -> Decision:
    """Delists the product."""
    stream = product.stream(command.sku)
    decision = Decision(id=command.sku, stream=stream)
    decision.add(stream, product.delist(cache.state(stream), sku=command.sku, reason=command.reason))
    return decision


def _set_prices(
    cache: StateCache,
    decision: Decision,
    command: ChangePrice | ChangeListPrices,
    new_prices: Iterable[NewPrice],
) -> None:
    new_prices = tuple(new_prices)
    states = cache.states((MAIN_TERMS, *(product.stream(price.sku) for price in new_prices)))
    terms: TermsState = states[MAIN_TERMS]
    now = command.now
    window = None
    for price in new_prices:
        head = (
            base_list(terms, currency=price.currency)
            if command.list_id == BASE
            else price_list_of(terms, list_id=command.list_id)
        )
        prices.check_currency(head, price.currency, field=price.field)
        window = window or prices.window_of(
            head, starts_at=command.starts_at, ends_at=command.ends_at, now=now
        )
        stream = product.stream(price.sku)
        events: tuple[CatalogEvent, ...] = prices.set_price(
            states[stream],
            sku=price.sku,
            price_list=head,
            tiers=price.tiers,
            window=window,
            schedule_id=command.schedule_id,
            now=now,
        )
        decision.add(stream, events)
        if any(isinstance(event, PriceScheduled) for event in events):
            decision.facts = {"schedule_id": command.schedule_id}


HANDLERS: Handlers = {
    ListProduct: handle_list_product,
    ReviseProduct: handle_revise_product,
    ChangePrice: handle_change_price,
    ChangeListPrices: handle_change_list_prices,
    CancelPriceSchedule: handle_cancel_price_schedule,
    WithdrawListPrices: handle_withdraw_list_prices,
    DelistProduct: handle_delist_product,
}
