"""The log's events as the ordered topic has them, so that many read sides cost the log one reader.

It has one partition, and each record bears its event's position. Offsets lie above positions, as the marks of
transactions take some, so the first read from a place looks for it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition

from event_store.errors import AnotherLog, LogGap
from event_store.kafka.checkpoint import read_checkpoint
from event_store.kafka.errors import KafkaUnavailable, kafka_errors_are_typed
from event_store.kafka.messages import position_of, recorded_event
from event_store.kafka.reading import PAGE_RECORDS, connect, ends, last_record
from event_store.kafka.topics import Topics
from event_store.kafka.transactions import ANSWER_SECONDS_MAX
from event_store.records import RecordedEvent

_KEPT_EVENTS = 2 * PAGE_RECORDS
"""In memory behind the last one read: who reads on from a checkpoint reads its event again."""

_LOOK_SECONDS = 0.01

_LOOK_BYTES = 16_384
_PLACES_MAX = 32

T = TypeVar("T")


class KafkaEvents:
    """The events that the relay has published; see `event_store.records.OrderedEvents`.

    Without who acted, what caused it, and personal fields: what no fold looks at. Every call may be made from
    any thread; one is served at a time.
    """

    def __init__(self, arguments: Mapping[str, Any], topics: Topics, log_id: str) -> None:
        """Connects with the first call. `log_id`: whose events they must be."""
        self._arguments = arguments
        self._topics = topics
        self._log_id = log_id
        self._place = TopicPartition(topics.events, 0)
        self._mutex = threading.Lock()
        self._consumer: KafkaConsumer | None = None
        self._looker: KafkaConsumer | None = (
            None  # looks at ends and places, so that reading goes on where it is
        )
        self._is_ours = False  # Until the relay's checkpoint says whose the events are, there are none.
        self._events: list[RecordedEvent] = []  # in order, without a gap, up to where the consumer stands
        self._offsets: list[int] = []  # theirs
        self._places: dict[int, int] = {}  # where pages ended: positions and their offsets, the oldest first
        self._head_seen = (0, 0)  # the end's offset, and the head there

    def read_all(self, *, after: int, limit: int, up_to: int | None = None) -> list[RecordedEvent]:
        """See OrderedEvents. Raises KafkaUnavailable, AnotherLog, LogGap."""
        last = after + limit if up_to is None else min(after + limit, up_to)
        return self._done(lambda: self._read(after, last)) if last > after else []

    def head(self) -> int:
        """The position of the last event published; 0 before the first."""
        return self._done(self._find_head)

    def wait(self, *, after: int, timeout_seconds: float) -> int:
        """The head, as soon as it is above `after`, or when the time is over."""
        until = time.monotonic() + timeout_seconds
        while (head := self.head()) <= after and (left := until - time.monotonic()) > 0:
            self._done(partial(self._await, after, left))
        return head

    def close(self) -> None:
        """Gives back the connections; a later call connects anew."""
        with self._mutex:
            self._disconnect()

    def _done(self, call: Callable[[], T]) -> T:
        with self._mutex:
            try:
                self._connect()
                with kafka_errors_are_typed():
                    return call()
            except BaseException:
                self._disconnect()  # What is known of the topic may be so no more.
                raise

    def _read(self, after: int, last: int) -> list[RecordedEvent]:
        if not self._is_ours:
            return []
        if not self._has(after + 1) and not self._stands_at(after):
            self._go_to(after + 1)
        self._take_until(last)
        if not self._has(after + 1):
            return []
        first = after + 1 - self._events[0].position
        found = self._events[first : first + last - after]
        self._remember(found[-1].position, self._offsets[first + len(found) - 1])
        passed = max(0, first - _KEPT_EVENTS)
        del self._events[:passed], self._offsets[:passed]
        return found

    def _remember(self, position: int, offset: int) -> None:
        """Readers at several places take turns, and each goes on from where its page ended."""
        self._places.pop(position, None)
        self._places[position] = offset
        if len(self._places) > _PLACES_MAX:
            del self._places[next(iter(self._places))]

    def _await(self, after: int, seconds: float) -> None:
        if self._stands_at(after):
            self._take(seconds)
        else:
            time.sleep(min(seconds, _LOOK_SECONDS))

    def _take(self, seconds: float) -> bool:
        """Adds what comes within the time; False where nothing did."""
        records = self._reader.poll(timeout_ms=int(seconds * 1000)).get(self._place, [])
        for record in records:
            event = recorded_event(record)
            if self._events and event.position <= self._last:
                raise KafkaUnavailable(f"Kafka: {self._topics.events} was made anew")
            if self._events and event.position > self._last + 1:
                raise LogGap(
                    f"{self._topics.events}: position {event.position} at offset {record.offset} follows"
                    f" {self._last}"
                )
            self._events.append(event)
            self._offsets.append(record.offset)
        return bool(records)

    def _go_to(self, position: int) -> None:
        """Puts the consumer before that event, or where it will be."""
        self._events, self._offsets = [], []
        near = [place for place in self._places if place <= position <= place + _KEPT_EVENTS]
        if near:
            self._reader.seek(self._place, self._places[max(near)])
            self._take_until(position)
            if self._events and self._events[0].position > position:
                raise KafkaUnavailable(f"Kafka: {self._topics.events} was made anew")
            return
        end, head = self._end(), self._find_head()
        if head < position:
            self._reader.seek(self._place, end)
            return
        low = self._look.beginning_offsets([self._place])[self._place]
        if (first := self._first_at(low)) > position:
            raise LogGap(f"{self._topics.events} begins with position {first}")
        high = end
        while high - low > 1:  # The event lies at `low` or above, and below `high`.
            middle = (low + high) // 2
            if self._first_at(middle) <= position:
                low = middle
            else:
                high = middle
        self._reader.seek(self._place, low)
        self._take_until(position)

    def _take_until(self, position: int) -> None:
        """Reads on as far as that event, or to the end."""
        if self._last >= position:
            return
        end = self._end()
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while self._last < position and self._reader.position(self._place) < end:
            if not self._take(0.2) and time.monotonic() > until:
                raise KafkaUnavailable(f"Kafka: {self._topics.events} was not read in time")

    def _first_at(self, offset: int) -> float:
        """The position of the first event at the offset or after it; infinity where there is none."""
        self._look.assign([self._place])
        self._look.seek(self._place, offset)
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while time.monotonic() < until:
            records = self._look.poll(timeout_ms=200, max_records=1).get(self._place)
            if records:
                return position_of(records[0])
            if self._look.position(self._place) >= self._end():
                return math.inf
        raise KafkaUnavailable(f"Kafka: {self._topics.events} was not read in time")

    def _find_head(self) -> int:
        if not self._is_ours:
            return 0
        end = self._end()
        if self._events and self._reader.position(self._place) == end:
            return self._last
        if self._head_seen[0] != end:
            record = last_record(self._look, self._topics.events)
            self._head_seen = (end, 0 if record is None else recorded_event(record).position)
        return self._head_seen[1]

    def _end(self) -> int:
        end = ends(self._look, [self._topics.events])[self._place]
        if end < self._reader.position(self._place):
            raise KafkaUnavailable(f"Kafka: {self._topics.events} was made anew")
        return end

    def _has(self, position: int) -> bool:
        return bool(self._events) and self._events[0].position <= position <= self._last

    def _stands_at(self, position: int) -> bool:
        """Whether what comes next is what follows that position."""
        return bool(self._events) and self._last == position

    @property
    def _last(self) -> int:
        return self._events[-1].position if self._events else 0

    @property
    def _reader(self) -> KafkaConsumer:
        assert self._consumer is not None
        return self._consumer

    @property
    def _look(self) -> KafkaConsumer:
        assert self._looker is not None
        return self._looker

    def _connect(self) -> None:
        if self._consumer is None:
            self._looker = connect(self._arguments, fetch_bytes=_LOOK_BYTES)
            self._consumer = connect(self._arguments)
            with kafka_errors_are_typed():
                self._consumer.assign([self._place])
                self._consumer.seek(self._place, 0)
        if not self._is_ours:
            checkpoint = read_checkpoint(self._look, self._topics.relay)
            if checkpoint is not None and checkpoint.log != self._log_id:
                raise AnotherLog(
                    f"Kafka's topics {self._topics.prefix}* hold another log's events ({checkpoint.log})"
                )
            self._is_ours = checkpoint is not None

    def _disconnect(self) -> None:
        for consumer in (self._consumer, self._looker):
            if consumer is not None:
                consumer.close()
        self._consumer = self._looker = None
        self._is_ours = False
        self._events, self._offsets, self._places = [], [], {}
        self._head_seen = (0, 0)
