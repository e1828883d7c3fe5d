"""One product: listed, revised, priced, delisted, and listed again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, assert_never

from aggregates.catalog.events import (
    CatalogEvent,
    PriceChanged,
    PriceEvent,
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
from aggregates.pricing.rules import BASE, GIFT_CARD, PriceList, Tiers


@dataclass(slots=True)
class Schedule:
    """A price that is to change, or has `started` and is to end."""

    price: PriceScheduled
    started: bool = False


@dataclass(slots=True)
class Product:
    """`facts` is the last listing as it was revised; None where the SKU was never listed.

    `prices` by list and currency, as `price_key` joins them; `schedules` those that wait or run;
    `scheduled` names the schedule of a price, where it came of one.
    """

    facts: ProductListed | None = None
    on_sale: bool = False
    prices: dict[str, ListPrice] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    scheduled: dict[str, str] = field(default_factory=dict)

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
                tax_category=GIFT_CARD if facts.gift_card else facts.tax_category,
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
            key = price_key(BASE, price.currency)
            product.prices[key] = ListPrice(
                price_list=PriceList(list_id=BASE, currency=price.currency), tiers=((1, price.exact),)
            )
            product.scheduled.pop(key, None)
        case ProductRevised():
            if product.facts is not None:
                product.facts = replace(product.facts, **_facts(event))
        case PriceChanged() | PriceWithdrawn() | PriceScheduled() | PriceScheduleCanceled():
            _evolve_price(product, event)
        case ProductDelisted():
            product.on_sale = False
        case _:
            assert_never(event)
    return product


def _evolve_price(product: Product, event: PriceEvent) -> None:
    match event:
        case PriceChanged(list=price_list, currency=currency, tiers=tiers, schedule_id=schedule_id):
            key = price_key(price_list.list_id, currency)
            product.prices[key] = ListPrice(price_list=price_list, tiers=tiers)
            product.scheduled.pop(key, None)
            schedule = product.schedules.get(schedule_id or "")
            if schedule is not None:
                schedule.started = True
                if schedule.price.ends_at is None:
                    del product.schedules[schedule.price.schedule_id]
                else:
                    product.scheduled[key] = schedule.price.schedule_id
        case PriceWithdrawn(list_id=list_id, currency=currency, schedule_id=schedule_id):
            key = price_key(list_id, currency)
            product.prices.pop(key, None)
            product.scheduled.pop(key, None)
            product.schedules.pop(schedule_id or "", None)
        case PriceScheduled(schedule_id=schedule_id):
            product.schedules[schedule_id] = Schedule(event)
        case PriceScheduleCanceled(schedule_id=schedule_id):
            product.schedules.pop(schedule_id, None)
        case _:
            assert_never(event)


stream = StreamKind("product", initial, evolve)


def list_product(
    product: Product, *, listed: ProductListed, tax_included: bool = True
) -> tuple[CatalogEvent, ...]:
    """Puts the product on sale, for the first time or again. `tax_included`: in its base price."""
    if not product.on_sale:
        if tax_included:
            return (listed,)
        own = PriceList(list_id=BASE, currency=listed.price.currency, tax_included=False)
        tiers: Tiers = ((1, listed.price.exact),)
        return (listed, PriceChanged(sku=listed.sku, list=own, currency=own.currency, tiers=tiers))
    assert product.facts is not None
    held = product.prices.get(price_key(BASE, listed.price.currency))
    same_price = held is not None and held.tiers == ((1, listed.price.exact),)
    if same_price and replace(product.facts, price=listed.price) == listed:
        return ()
    raise Rejected(ProductAlreadyListed(listed.sku))


def revise(product: Product, *, revised: ProductRevised) -> tuple[CatalogEvent, ...]:
    """Gives the product other facts; its prices stay."""
    facts = check_listed(product, revised.sku)
    if replace(facts, **_facts(revised)) == facts:
        return ()
    return (revised,)


def delist(product: Product, *, sku: Sku, reason: str) -> tuple[CatalogEvent, ...]:
    """Takes the product off sale; carts that hold it cannot be checked out with it."""
    check_listed(product, sku)
    if not product.on_sale:
        return ()
    return (ProductDelisted(sku=sku, reason=reason),)


def _facts(revised: ProductRevised) -> dict[str, Any]:
    return {field.name: getattr(revised, field.name) for field in fields(ProductRevised)}


def check_listed(product: Product, sku: Sku) -> ProductListed:
    """The product's facts; Rejected where it was never listed."""
    if product.facts is None:
        raise Rejected(UnknownProduct(sku))
    return product.facts


def check_on_sale(product: Product, sku: Sku) -> None:
    """Rejected where the product is not on sale."""
    check_listed(product, sku)
    if not product.on_sale:
        raise Rejected(ProductNotOnSale(sku))
