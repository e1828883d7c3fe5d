"""A shop's events, folded into every view that the query API reads."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from aggregates.cart.events import CartOpened, ItemAdded
from aggregates.catalog.events import ProductListed, Variant
from aggregates.event_types import EVENT_TYPES
from aggregates.inventory.events import StockReceived
from aggregates.kernel import Money, UnitPrice
from aggregates.orders.events import OrderLine, OrderPlaced
from event_store.memory.log import MemoryLog
from event_store.records import RecordedEvent
from projections.engine.build import Build
from projections.engine.follower import Decoded, TargetMoved
from projections.redis.build import RedisBuild
from projections.tantivy.build import TantivyBuild
from projections.views.registry import VIEWS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

_NAMES = {event_type.cls: event_type.name for event_type in EVENT_TYPES}


class Shop:
    """Every view of the shop, as the projector writes them."""

    def __init__(self, redis_url: str, index_folder: Path) -> None:
        numbers = MemoryLog()
        self.builds: dict[str, Build] = {view.name: RedisBuild(view, redis_url, numbers) for view in VIEWS}
        self.builds["search"] = TantivyBuild(index_folder, numbers)
        for build in self.builds.values():
            build.open()
        self.position = 0
        self.head_at_start: int | None = None
        self._versions: dict[str, int] = {}
        self._log: list[Decoded] = []

    def happens(self, *events: tuple[str, Any], but_not_in: tuple[str, ...] = ()) -> int:
        """Events, each with its stream, reach every view but the ones that lag. Gives the position."""
        self._log += [self._recorded(stream, event) for stream, event in events]
        for name, build in self.builds.items():
            if name not in but_not_in:
                self._catch_up(build)
        return self.position

    def notices_losses(self) -> None:
        """Checks every build as the projector does between events, and builds what is lost."""
        for build in self.builds.values():
            try:
                build.check()
            except TargetMoved:
                build.open()
                self._catch_up(build)

    def lists(self, *skus: str, price: int = 1_299, quantity: int = 5) -> int:
        """Products go on sale, and units of them arrive."""
        events: list[tuple[str, Any]] = []
        for sku in skus:
            events += [(f"product-{sku}", listed(sku, price)), (f"stock-{sku}", received(sku, quantity))]
        return self.happens(*events)

    def close(self) -> None:
        """Gives everything back."""
        for build in self.builds.values():
            build.close()

    def _catch_up(self, build: Build) -> None:
        batch = self._log[build.position :]
        build.apply(batch, up_to=self.position, tailing=True)
        build.settle(may_hold_back=False)
        if not build.is_published:
            build.publish()

    def _recorded(self, stream: str, event: Any) -> Decoded:
        self.position += 1
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        envelope = RecordedEvent(
            position=self.position,
            stream=stream,
            version=version,
            type=_NAMES[type(event)],
            schema_number=1,
            data=b"{}",
            command_id=UUID(int=self.position),
            correlation=None,
            causation=None,
            actor="system:test",
            recorded_at=NOON,
            valid_at=NOON,
        )
        return Decoded(envelope, event)


def listed(sku: str, price: int = 1_299, category: str = "Kitchen > Mugs") -> ProductListed:
    """A product goes on sale; its title has its SKU."""
    return ProductListed(
        sku=sku,
        title=f"Mug {sku}",
        description="Holds tea",
        category=category,
        attributes={"color": "red"},
        price=UnitPrice.of(Money(price, "GBP")),
        seller="house",
        variants=(Variant(sku=sku, title=f"Mug {sku}"),),
    )


def received(sku: str, quantity: int) -> StockReceived:
    """Units arrive."""
    return StockReceived(sku=sku, location="main", quantity=quantity, reason="delivery")


def opened(customer_id: str | None = None) -> CartOpened:
    """A cart is taken."""
    return CartOpened(cart_id="c" * 32, currency="GBP", customer_id=customer_id)


def added(sku: str, quantity: int) -> ItemAdded:
    """Units of a product are put into the cart."""
    return ItemAdded(
        cart_id="c" * 32,
        line_id="1",
        sku=sku,
        title=f"Mug {sku}",
        quantity=quantity,
        unit_price=UnitPrice.of(Money(1_299, "GBP")),
    )


def placed(order_id: str, sku: str, quantity: int = 1, **facts: Any) -> tuple[str, OrderPlaced]:
    """An order of one line at 10.00 a unit, and its stream."""
    total = Money(1_000 * quantity, facts.get("currency", "GBP"))
    line = OrderLine(
        line_id="1",
        sku=sku,
        title=f"Mug {sku}",
        seller="house",
        quantity=quantity,
        unit_price=UnitPrice.of(Money(1_000, total.currency)),
        line_total=total,
    )
    event = OrderPlaced(
        order_id=order_id,
        number=f"N-{order_id}",
        channel="web",
        currency=total.currency,
        lines=(line,),
        charges=(),
        total=total,
        rounding="line_half_even",
        placed_on=facts.get("placed_on", date(2026, 3, 1)),
        customer_id=facts.get("customer_id"),
        secret_hash=facts.get("secret_hash"),
    )
    return f"order-{order_id}", event
