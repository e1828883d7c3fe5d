"""Daybook's log as an application of the `eventsourcing` library: any stream's state at any version.

    history = DaybookHistory({"DAYBOOK_POSTGRES_URL": url})
    history.order("4f1c…", version=3).state.status

The library's own factory, recorders and repository do the work; ours are the codec, in place of the
library's mapper, and the aggregates' folds, in place of its aggregate classes. It only reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import EnvType

from aggregates.cart import cart
from aggregates.catalog import product
from aggregates.event_types import EVENT_TYPES
from aggregates.folds import kind_of
from aggregates.inventory import stock
from aggregates.kernel import CartId, OrderId, Sku
from aggregates.orders import order
from aggregates.payments import payment
from event_store.codec import Codec
from event_store.records import RecordedEvent

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Fact:
    """One of our events as the library sees events: with its stream and version."""

    originator_id: str
    originator_version: int
    event: Any


@dataclass(slots=True)
class StateAt(Generic[State]):
    """A stream's state after its event number `version`."""

    stream: str
    version: int
    state: State


class CodecMapper(Mapper[str]):
    """Stored bytes into our events, by stored name and schema number. Personal fields are None."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(JSONTranscoder())
        self._codec = codec

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """Raises UnknownEvent, DecodingFailed."""
        name, _, number = stored_event.topic.partition("@")
        stream = str(stored_event.originator_id)
        recorded = RecordedEvent(
            position=0,  # The library gives none: nor who, when and by which command.
            stream=stream,
            version=stored_event.originator_version,
            type=name,
            schema_number=int(number or 1),
            data=stored_event.state,
            command_id=UUID(int=0),
            correlation=None,
            causation=None,
            actor="",
            recorded_at=datetime.fromtimestamp(0, UTC),
            valid_at=datetime.fromtimestamp(0, UTC),
        )
        return Fact(stream, recorded.version, self._codec.decode(recorded))

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """History is not written here: TypeError."""
        raise TypeError("Daybook's history is only read: events are appended by its commands")


class DaybookHistory(Application[str]):
    """Streams of Daybook's own log, at their present or any earlier version."""

    name = "daybook"

    def __init__(self, env: EnvType | None = None) -> None:
        """`env` or the process's environment has DAYBOOK_POSTGRES_URL."""
        super().__init__({**(env or {}), "PERSISTENCE_MODULE": "event_store", "ORIGINATOR_ID_TYPE": "text"})

    def construct_mapper(self) -> Mapper[str]:
        return CodecMapper(Codec(EVENT_TYPES))

    def at(self, stream: str, version: int | None = None) -> StateAt[Any]:
        """The stream after its event number `version`, or its last if it has fewer.

        Raises the library's AggregateNotFoundError where the stream has no event.
        """
        found = self.repository.get(stream, version=version, projector_func=cast("Any", _project))
        return cast("StateAt[Any]", found)

    def order(self, order_id: OrderId, version: int | None = None) -> StateAt[order.Order]:
        """The order's stream."""
        return self.at(order.stream(order_id), version)

    def cart(self, cart_id: CartId, version: int | None = None) -> StateAt[cart.Cart]:
        """The cart's stream."""
        return self.at(cart.stream(cart_id), version)

    def payment(self, order_id: OrderId, version: int | None = None) -> StateAt[payment.Payment]:
        """The stream of the order's payment."""
        return self.at(payment.stream(order_id), version)

    def stock(self, sku: Sku, version: int | None = None) -> StateAt[stock.Stock]:
        """The SKU's stock."""
        return self.at(stock.stream(sku), version)

    def product(self, sku: Sku, version: int | None = None) -> StateAt[product.Product]:
        """The product's stream."""
        return self.at(product.stream(sku), version)


def _project(_initial: None, facts: Iterable[Fact]) -> StateAt[Any] | None:
    """The library's way to fold: None where there are no events."""
    folded: StateAt[Any] | None = None
    for fact in facts:
        kind = kind_of(fact.originator_id)
        if folded is None:
            folded = StateAt(fact.originator_id, 0, kind.initial())
        folded.state = kind.evolve(folded.state, fact.event)
        folded.version = fact.originator_version
    return folded
