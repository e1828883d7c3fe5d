"""A shop's events, given to the search index as the projector would."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from aggregates.catalog.events import ProductListed, Variant
from aggregates.inventory.events import StockReceived
from aggregates.kernel import UnitPrice
from event_store.memory.log import MemoryLog
from event_store.records import RecordedEvent
from projections.documents.search import ProductQuery
from projections.documents.tantivy_reader import TantivyReader
from projections.engine.follower import Decoded
from projections.tantivy.build import TantivyBuild

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def listed(
    sku: str,
    title: str = "A thing",
    *,
    price: str = "1.00",
    currency: str = "GBP",
    category: str = "Kitchen > Mugs",
    description: str = "",
    **attributes: str,
) -> ProductListed:
    """A product goes on sale."""
    return ProductListed(
        sku=sku,
        title=title,
        description=description,
        category=category,
        attributes=attributes,
        price=UnitPrice(Decimal(price), currency),
        seller="house",
        variants=(Variant(sku=sku, title=title),),
    )


def received(sku: str, quantity: int) -> StockReceived:
    """Units arrive."""
    return StockReceived(sku=sku, location="main", quantity=quantity, reason="delivery")


class SearchShop:
    """An index being written, and its reader."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = MemoryLog()
        self.build = TantivyBuild(folder, self.numbers)
        self.build.open()
        self.reader = TantivyReader(folder)
        self.position = self.build.position

    def happens(self, *events: Any, settled: bool = True) -> None:
        """The events are appended to the log, folded, and committed unless told otherwise."""
        batch = [self._recorded(event) for event in events]
        self.build.apply(batch, up_to=self.position, tailing=True)
        if settled:
            self.build.settle(may_hold_back=False)
            if not self.build.is_published:
                self.build.publish()

    def reader_ready(self) -> None:
        """There is something to look for."""
        if self.position == 0:
            self.happens(listed("A", "Red mug"))

    def finds(self, words: str | None = None, **filters: Any) -> list[str]:
        """The SKUs found, in order."""
        sort = filters.pop("sort", "relevance" if words else "sku")
        page = self.reader.search(ProductQuery(words=words, sort=sort, **filters), limit=1_000)
        return skus(page.items)

    def facet(self, name: str, **filters: Any) -> dict[str, int]:
        """A facet's counts."""
        page = self.reader.search(ProductQuery(**filters), limit=1)
        return {value.value: value.count for value in page.facets.get(name, [])}

    def _recorded(self, event: Any) -> Decoded:
        self.position += 1
        return Decoded(recorded(self.position), event)


def recorded(position: int) -> RecordedEvent:
    """The envelope of an event at this position; folds look at the position only."""
    return RecordedEvent(
        position=position,
        stream="stream",
        version=1,
        type="context.name",
        schema_number=1,
        data=b"{}",
        command_id=UUID(int=position),
        correlation=None,
        causation=None,
        actor="system:test",
        recorded_at=NOON,
        valid_at=NOON,
    )


def skus(items: list[bytes]) -> list[str]:
    """The SKUs of documents as they are served."""
    return [msgspec.json.decode(item)["sku"] for item in items]
