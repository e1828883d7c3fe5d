"""One product: listed, revised, priced, delisted, and listed again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, assert_never

from aggregates.catalog.events import (
    CatalogEvent,
    PriceChanged,
    PriceScheduleCanceled,
    PriceScheduled,
    PriceWithdrawn,
    ProductDelisted,
    ProductListed,
    ProductRevised,
)
from aggregates.kernel import (
    ProductNotOnSale,
    Reason,
    Rejected,
    Sku,
    StreamKind,
    UnknownProduct,
)
from aggregates.pricing.context import Traits
from aggregates.pricing.offer import ListPrice, Offer
from aggregates.pricing.rules import BASE, PriceList, Tiers

SCHEDULES_MAX = 100
"""Schedules of one product that wait or run at a time."""


@dataclass(slots=True)
class Product:
    """`facts` is the last listing as it was revised; None where the SKU was never listed.

    `prices` by list and currency, as `price_key` joins them; `schedules` those that wait or run.
    """

    facts: ProductListed | None = None
    on_sale: bool = False
    prices: dict[str, ListPrice] = field(default_factory=dict)
    schedules: dict[str, PriceScheduled] = field(default_factory=dict)

    @property
    def offer(self) -> Offer | None:
        """What other contexts may know of it; None where it was never listed."""
        if self.facts is None:
            return None
        facts = self.facts
        return Offer(
            sku=facts.sku,
            title=facts.title,
            seller=facts.seller,
            traits=Traits(
                category=facts.category,
                attributes=facts.attributes,
                seller=facts.seller,
                tax_category=facts.tax_category,
                weight_grams=facts.weight_grams or 0,
                ships=facts.ships,
                # Credit is a means of payment: it is sold for what it is worth.
                discountable=facts.discountable and not facts.gift_card,
            ),
            prices=tuple(self.prices.values()),
            on_sale=self.on_sale,
            gift_card=facts.gift_card,
        )


@dataclass(frozen=True, slots=True)
class ProductAlreadyListed(Reason):
    """The product is on sale with other facts"""

    sku: Sku


@dataclass(frozen=True, slots=True)
class UnknownPriceSchedule(Reason):
    """No such price schedule waits or runs"""

    sku: Sku
    schedule_id: str


@dataclass(frozen=True, slots=True)
class TooManyPriceSchedules(Reason):
    """The product has as many price schedules as it can have"""

    sku: Sku
    schedules_max: int


def price_key(list_id: str, currency: str) -> str:
    """Names a product's price: the base list has one for each currency, every other list one."""
    return f"{list_id} {currency}"


def initial() -> Product:
    """A SKU nobody has listed."""
    return Product()


def evolve(product: Product, event: CatalogEvent) -> Product:
    """The product after the event; changes it in place."""
    match event:
        case ProductListed(price=price):
            product.facts = event
            product.on_sale = True
            # The lists of before stay; the product's own is what it was listed with.
            product.prices = {
                key: listed
                for key, listed in product.prices.items()
                if listed.price_list.list_id != BASE or listed.price_list.currency != price.currency
            }
            own = ListPrice(
                price_list=PriceList(list_id=BASE, currency=price.currency), tiers=((1, price.exact),)
            )
            product.prices[price_key(BASE, price.currency)] = own
        case ProductRevised():
            if product.facts is not None:
                product.facts = replace(product.facts, **_facts(event))
        case PriceChanged(list=price_list, currency=currency, tiers=tiers, schedule_id=schedule_id):
            key = price_key(price_list.list_id, currency)
            product.prices[key] = ListPrice(price_list=price_list, tiers=tiers)
            schedule = product.schedules.get(schedule_id or "")
            if schedule is not None and schedule.ends_at is None:
                del product.schedules[schedule.schedule_id]
        case PriceWithdrawn(list_id=list_id, currency=currency, schedule_id=schedule_id):
            product.prices.pop(price_key(list_id, currency), None)
            if schedule_id is not None:
                product.schedules.pop(schedule_id, None)
        case PriceScheduled(schedule_id=schedule_id):
            product.schedules[schedule_id] = event
        case PriceScheduleCanceled(schedule_id=schedule_id):
            product.schedules.pop(schedule_id, None)
        case ProductDelisted():
            product.on_sale = False
        case _:
            assert_never(event)
    return product


stream = StreamKind("product", initial, evolve)


def list_product(product: Product, *, listed: ProductListed) -> tuple[CatalogEvent, ...]:
    """Puts the product on sale, for the first time or again."""
    if not product.on_sale:
        return (listed,)
    assert product.facts is not None
    own = product.prices.get(price_key(BASE, listed.price.currency))
    same_price = own is not None and own.tiers == ((1, listed.price.exact),)
    if same_price and replace(product.facts, price=listed.price) == listed:
        return ()
    raise Rejected(ProductAlreadyListed(listed.sku))


def revise(product: Product, *, revised: ProductRevised) -> tuple[CatalogEvent, ...]:
    """Gives the product other facts; its prices stay."""
    facts = _listed(product, revised.sku)
    if replace(facts, **_facts(revised)) == facts:
        return ()
    return (revised,)


def change_price(
    product: Product, *, sku: Sku, price_list: PriceList, tiers: Tiers
) -> tuple[CatalogEvent, ...]:
    """Sells at these tiers of this list from now on."""
    _for_sale(product, sku)
    held = product.prices.get(price_key(price_list.list_id, price_list.currency))
    if held is not None and held.tiers == tiers and held.price_list == price_list:
        return ()
    return (PriceChanged(sku=sku, list=price_list, currency=price_list.currency, tiers=tiers),)


def withdraw_price(product: Product, *, sku: Sku, list_id: str, currency: str) -> tuple[CatalogEvent, ...]:
    """Takes the product off this list."""
    _listed(product, sku)
    if price_key(list_id, currency) not in product.prices:
        return ()
    return (PriceWithdrawn(sku=sku, list_id=list_id, currency=currency),)


def schedule_price(product: Product, *, scheduled: PriceScheduled, now: datetime) -> tuple[CatalogEvent, ...]:
    """Will sell at the schedule's tiers in its window; at once where that has begun."""
    _for_sale(product, scheduled.sku)
    if scheduled.schedule_id in product.schedules:
        return ()
    if len(product.schedules) >= SCHEDULES_MAX:
        raise Rejected(TooManyPriceSchedules(scheduled.sku, SCHEDULES_MAX))
    if scheduled.starts_at > now:
        return (scheduled,)
    return (scheduled, _of_schedule(scheduled))


def start_schedule(product: Product, *, schedule_id: str) -> tuple[CatalogEvent, ...]:
    """Sells at the schedule's tiers; nothing where it was canceled, or holds already."""
    schedule = product.schedules.get(schedule_id)
    if schedule is None or _holds(product, schedule):
        return ()
    return (_of_schedule(schedule),)


def end_schedule(product: Product, *, schedule_id: str) -> tuple[CatalogEvent, ...]:
    """Withdraws the schedule's price, unless the list has another one by now: then only the schedule ends."""
    schedule = product.schedules.get(schedule_id)
    if schedule is None:
        return ()
    if not _holds(product, schedule):
        return (PriceScheduleCanceled(schedule_id=schedule_id, sku=schedule.sku),)
    return (
        PriceWithdrawn(
            sku=schedule.sku,
            list_id=schedule.list.list_id,
            currency=schedule.currency,
            schedule_id=schedule_id,
        ),
    )


def cancel_schedule(product: Product, *, sku: Sku, schedule_id: str) -> tuple[CatalogEvent, ...]:
    """The schedule changes no price any more; one that runs is ended."""
    _listed(product, sku)
    if schedule_id not in product.schedules:
        raise Rejected(UnknownPriceSchedule(sku, schedule_id))
    return end_schedule(product, schedule_id=schedule_id)


def delist(product: Product, *, sku: Sku, reason: str) -> tuple[CatalogEvent, ...]:
    """Takes the product off sale; carts that hold it cannot be checked out with it."""
    _listed(product, sku)
    if not product.on_sale:
        return ()
    return (ProductDelisted(sku=sku, reason=reason),)


def _of_schedule(schedule: PriceScheduled) -> PriceChanged:
    return PriceChanged(
        sku=schedule.sku,
        list=schedule.list,
        currency=schedule.currency,
        tiers=schedule.tiers,
        schedule_id=schedule.schedule_id,
    )


def _holds(product: Product, schedule: PriceScheduled) -> bool:
    """Whether the schedule's price is the list's."""
    held = product.prices.get(price_key(schedule.list.list_id, schedule.currency))
    return held is not None and held.tiers == schedule.tiers


def _facts(revised: ProductRevised) -> dict[str, Any]:
    return {field.name: getattr(revised, field.name) for field in fields(ProductRevised)}


def _listed(product: Product, sku: Sku) -> ProductListed:
    if product.facts is None:
        raise Rejected(UnknownProduct(sku))
    return product.facts


def _for_sale(product: Product, sku: Sku) -> None:
    _listed(product, sku)
    if not product.on_sale:
        raise Rejected(ProductNotOnSale(sku))
