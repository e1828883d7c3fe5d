"""Events decided by the aggregates, written to a log and read back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from aggregates.cart import cart
from aggregates.catalog import product
from aggregates.event_types import EVENT_TYPES
from aggregates.inventory import stock
from aggregates.orders import credit_note, order
from aggregates.payments import payment
from event_store.codec import Codec
from event_store.keys import new_subject_key
from event_store.records import Appended, Entry, EventLog, NewEvent, RecordedEvent
from projections.engine.follower import Decoded

CODEC = Codec(EVENT_TYPES)
EMAIL = "anna@example.org"
FIRST_DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
AGGREGATES = {
    "product": product,
    "stock": stock,
    "cart": cart,
    "order": order,
    "credit_note": credit_note,
    "payment": payment,
}


class Books:
    """Records what the aggregates decide; keeps their states to decide on."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.states: dict[str, Any] = {}
        self._versions: dict[str, int] = {}
        self._entries: list[Entry] = []
        self._keys: dict[str, bytes] = {}

    def state(self, stream: str) -> Any:
        return self.states.setdefault(stream, AGGREGATES[stream.partition("-")[0]].initial())

    def record(self, *decided: tuple[str, Iterable[Any]], valid_at: datetime | None = None) -> None:
        """One command's events over its streams; written with the next `flush`."""
        reads: dict[str, int] = {}
        events = []
        new_keys = {}
        for stream, decision in decided:
            state = self.state(stream)
            for event in decision:
                if getattr(event, "email", None):
                    new_keys[stream] = new_subject_key()
                if new := {name: key for name, key in new_keys.items() if name not in self._keys}:
                    self._keys |= new
                reads.setdefault(stream, self._versions.get(stream, 0))
                self._versions[stream] = version = self._versions.get(stream, 0) + 1
                events.append(CODEC.encode(stream, event, self._keys, version=version))
                state = AGGREGATES[stream.partition("-")[0]].evolve(state, event)
        if events:
            self._enter(events, reads, valid_at, {name: self._keys[name] for name in new_keys})

    def records_raw(self, event: NewEvent) -> None:
        """An event that no aggregate knows, the first of its stream."""
        self._enter([event], {event.stream: 0}, None, {})

    def _enter(
        self,
        events: list[NewEvent],
        reads: dict[str, int],
        valid_at: datetime | None,
        new_keys: dict[str, bytes],
    ) -> None:
        self._entries.append(
            Entry(
                command_id=uuid4(),
                name="test",
                verdict="accepted",
                reads=reads,
                events=events,
                actor="system:test",
                channel="test",
                correlation=uuid4().hex,
                valid_at=valid_at,
                new_subject_keys=new_keys,
            )
        )

    def flush(self) -> int:
        """Writes what was recorded; gives the head."""
        for start in range(0, len(self._entries), 500):
            for outcome in self.log.append(self._entries[start : start + 500]):
                assert isinstance(outcome, Appended), outcome
        self._entries.clear()
        return self.log.head()


def decoded(log: EventLog) -> list[Decoded]:
    """The whole log, decoded."""
    found: list[Decoded] = []
    while page := log.read_all(after=len(found), limit=5_000):
        found += [Decoded(event, CODEC.decode(event)) for event in page]
    return found


def recorded(
    position: int, stream: str = "stream", version: int = 1, type_: str = "context.name"
) -> RecordedEvent:
    """The envelope of an event at this position."""
    return RecordedEvent(
        position=position,
        stream=stream,
        version=version,
        type=type_,
        schema_number=1,
        data=b"{}",
        command_id=UUID(int=position),
        correlation=None,
        causation=None,
        actor="system:test",
        recorded_at=FIRST_DAY,
        valid_at=FIRST_DAY,
    )
