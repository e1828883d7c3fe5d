"""The state topics of one view: which version is read, and the versions' documents, a compacted topic each.

One writer has the transactional id of the view, so that who takes it over ends every earlier one. What is
written is written in one transaction: documents with the checkpoint, pointer with record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaConsumer

from event_store.kafka.reading import connect, ends, last_record
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topic_admin import TopicAdmin
from event_store.kafka.topics import Topics
from event_store.kafka.transactions import ANSWER_SECONDS_MAX, Transactions
from event_store.records import Checkpoint
from projections.documents.keys import Pointer
from projections.engine.follower import TargetMoved
from projections.engine.versions import Stored
from projections.kafka.errors import target_errors
from projections.kafka.state_reading import CHECKPOINT_KEY, checkpoint_in, checkpoint_value, read_table

_PAUSE_SECONDS = 0.002
_NULL = b"null"


class _Entry(msgspec.Struct, frozen=True):
    """What the control topic has of a view."""

    pointer: msgspec.Raw
    record: msgspec.Raw


class Standing(NamedTuple):
    """A version's topic: which one it is, and where it ends."""

    topic_id: Any
    end: int


class StateTopics:
    """See `projections.engine.versions.VersionStore`. One thread at a time."""

    def __init__(self, settings: KafkaSettings, view: str) -> None:
        """Connects when it is first used."""
        self._settings = settings
        self._view = view
        self._topics = Topics(settings.topic_prefix, settings.topics_file)
        self._admin: TopicAdmin | None = None
        self._consumer: KafkaConsumer | None = None
        self._transactions: Transactions | None = None
        self._users: set[int] = set()

    def used_by(self, user: object) -> None:
        """One of the builds that write through the same transactional id, one at a time."""
        self._users.add(id(user))

    def left_by(self, user: object) -> None:
        """Closed with the last of them."""
        self._users.discard(id(user))
        if not self._users:
            self.close()

    @property
    def can_write(self) -> bool:
        """Whether this is the view's writer, as far as is known."""
        return self._transactions is not None

    def take_over(self) -> None:
        """Makes this the view's writer: what an earlier one has begun is aborted, and it writes no more."""
        self._stop_writing()
        with target_errors():
            self._open_admin.make({self._topics.state: self._topics.declared.state_settings(None)})
            self._transactions = Transactions(
                self._settings.client_arguments(), f"{self._topics.state}.{self._view}"
            )

    def read(self) -> Stored:
        with target_errors():
            entry = self._table(self._topics.state).get(self._view.encode())
        if entry is None:
            return Stored(None, None)
        try:
            found = msgspec.json.decode(entry, type=_Entry)
        except msgspec.MsgspecError:
            return Stored(None, None)
        return Stored(_bytes(found.record), _bytes(found.pointer))

    def change(self, expected: Stored, new: Stored) -> bool:
        if self.read() != expected:
            return False
        entry = _Entry(msgspec.Raw(new.pointer or _NULL), msgspec.Raw(new.record or _NULL))
        key, value = self._view.encode(), msgspec.json.encode(entry)
        try:
            self._write(self._topics.state, [(key, value)])
        except TargetMoved:
            return False
        self._await(lambda: self.read() == new)
        return True

    def left_over(self, record: bytes | None) -> Iterable[Pointer]:
        if record is not None:
            return ()
        with target_errors():
            names = self._open_admin.names()
        found = (self._topics.state_version(self._view, name) for name in names)
        return [Pointer(version, 1) for version in found if version is not None]

    def make(self, version: int) -> None:
        """The version's topic, where it is not there."""
        settings = self._topics.declared.state_settings(self._view)
        with target_errors():
            self._open_admin.make({self._topics.state_of(self._view, version): settings})

    def documents(self, version: int) -> dict[bytes, bytes]:
        """All that the version's topic holds by key, the checkpoint too; nothing where there is none."""
        topic = self._topics.state_of(self._view, version)
        with target_errors():
            return self._table(topic)

    def standing(self, version: int) -> Standing | None:
        """Where the version's topic stands; None: there is none."""
        topic = self._topics.state_of(self._view, version)
        with target_errors():
            topic_id = self._open_admin.topic_id(topic)
            if topic_id is None:
                return None
            (end,) = ends(self._reader, [topic]).values()
            return Standing(topic_id, end)

    def checkpoint(self, version: int) -> Checkpoint | None:
        """The checkpoint that the version's topic ends with; None: it does not."""
        topic = self._topics.state_of(self._view, version)
        with target_errors():
            if self._open_admin.topic_id(topic) is None:
                return None
            last = last_record(self._reader, topic)
            return None if last is None or last.key != CHECKPOINT_KEY else checkpoint_in(last.value)

    def write(self, version: int, documents: Mapping[str, bytes], checkpoint: Checkpoint) -> Standing:
        """Documents and checkpoint in one step; both can be read afterwards. TargetMoved: another writes."""
        topic = self._topics.state_of(self._view, version)
        records = [(key.encode(), value) for key, value in documents.items()]
        self._write(topic, [*records, (CHECKPOINT_KEY, checkpoint_value(checkpoint))])
        self._await(lambda: self.checkpoint(version) == checkpoint)
        standing = self.standing(version)
        if standing is None:
            raise TargetMoved(f"Kafka's topic {topic} is gone")
        return standing

    def deletion(self, version: int) -> Generator[None, None, None]:
        """Deletes a version's topic, on a connection of its own."""
        with target_errors(), closing(TopicAdmin(self._settings)) as admin:
            admin.delete(self._topics.state_of(self._view, version))
        yield

    def reading(self) -> StateTopics:
        """Another, for another thread."""
        return StateTopics(self._settings, self._view)

    def close(self) -> None:
        """Gives back all connections; it can be used again."""
        self._stop_writing()
        for client in (self._admin, self._consumer):
            if client is not None:
                client.close()
        self._admin = self._consumer = None

    def _write(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        transactions = self._transactions
        if transactions is None:
            raise TargetMoved(f"{self._view}: nothing is written before it is taken over")
        try:
            with target_errors():
                transactions.know([topic])
                for key, value in records:
                    transactions.send(topic, 0, key=key, value=value)
                transactions.commit()
        except BaseException:
            self._stop_writing()  # What is known of a transaction that failed is not enough to go on.
            raise

    def _table(self, topic: str) -> dict[bytes, bytes]:
        """What the topic holds by key; nothing where there is none."""
        if self._open_admin.topic_id(topic) is None:  # The consumer remembers those that there were.
            return {}
        return read_table(self._reader, topic)

    def _await(self, is_seen: Callable[[], bool]) -> None:
        """Until what was committed can be read: the broker marks it so a moment later."""
        until = time.monotonic() + ANSWER_SECONDS_MAX
        while not is_seen():
            if time.monotonic() > until:
                raise TargetMoved(f"{self._view}: what was written to Kafka is not what is there")
            time.sleep(_PAUSE_SECONDS)

    def _stop_writing(self) -> None:
        if self._transactions is not None:
            self._transactions.close()
        self._transactions = None

    @property
    def _open_admin(self) -> TopicAdmin:
        if self._admin is None:
            self._admin = TopicAdmin(self._settings)
        return self._admin

    @property
    def _reader(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = connect(self._settings.client_arguments())
        return self._consumer


def _bytes(raw: msgspec.Raw) -> bytes | None:
    text = bytes(raw)
    return None if text == _NULL else text
