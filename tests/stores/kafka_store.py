"""A view as state topics, read as any consumer reads them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import msgspec
import pytest
from kafka import KafkaProducer

from event_store.kafka.clients import opened
from event_store.kafka.errors import KafkaUnavailable
from event_store.kafka.reading import connect, reading
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topic_admin import TopicAdmin
from event_store.kafka.topics import Topics
from projections.documents.errors import ViewNotReady
from projections.engine.versions import Numbers, Stored
from projections.kafka.state import StateTopics
from projections.kafka.state_build import StateBuild
from projections.kafka.state_reading import CHECKPOINT_KEY, read_table
from projections.views import catalog
from tests.stores.store import Seen, Store, titled_pages

_VIEW = catalog.VIEW.name

Content = dict[str, dict[bytes, bytes]]


class StateConsumer:
    """Reads the control topic, then the topic of the version that it names, each from its start."""

    def __init__(self, settings: KafkaSettings, view: str = _VIEW) -> None:
        self._view = view
        self._topics = Topics(settings.topic_prefix)
        self._consumer = connect(settings.client_arguments())

    def read(self, *named: str) -> Seen:
        found = self.read_all()
        return Seen({key: found.pages[key] for key in named if key in found.pages}, found.position)

    def read_all(self) -> Seen:
        """Every document, and the position at which they stand."""
        version = self._version()
        while True:
            try:
                topic = self._topics.state_of(self._view, version)
                documents = read_table(self._consumer, topic)
                break
            except KafkaUnavailable as error:
                before, version = version, self._version()
                if version == before:
                    raise ViewNotReady(self._view) from error
        position = msgspec.json.decode(documents.pop(CHECKPOINT_KEY))["position"]
        return Seen({key.decode(): value for key, value in documents.items()}, position)

    def close(self) -> None:
        self._consumer.close()

    def _version(self) -> int:
        try:
            entry = read_table(self._consumer, self._topics.state)[self._view.encode()]
            return int(msgspec.json.decode(entry)["pointer"]["version"])
        except (KafkaUnavailable, LookupError, TypeError) as error:
            raise ViewNotReady(self._view) from error


class KafkaStore(Store):
    """Topics of its own on a real broker."""

    view = f"state.{_VIEW}"

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__()
        self.settings = settings
        self.topics = Topics(settings.topic_prefix)
        self._made: list[StateBuild] = []

    def build(self, numbers: Numbers | None = None) -> StateBuild:
        self._made.append(StateBuild(catalog.VIEW, self.settings, numbers or self.numbers))
        return self._made[-1]

    def titled(self, beginning: str, model: int, numbers: Numbers, _: pytest.MonkeyPatch) -> StateBuild:
        self._made.append(StateBuild(titled_pages(beginning, model), self.settings, numbers))
        return self._made[-1]

    def reader(self) -> StateConsumer:
        return StateConsumer(self.settings)

    def versions(self) -> list[int]:
        found = (self.topics.state_version(_VIEW, name) for name in self._names())
        return sorted(version for version in found if version is not None)

    def stored(self) -> Stored:
        with closing(StateTopics(self.settings, _VIEW)) as topics:
            return topics.read()

    def content(self) -> Content:
        with reading(self.settings.client_arguments()) as consumer:
            return {name: read_table(consumer, name) for name in self._names()}

    def empty(self) -> None:
        with closing(TopicAdmin(self.settings)) as admin:
            for name in self._names():
                admin.delete(name)

    def save(self) -> Callable[[], None]:
        saved = self.content()

        def restore() -> None:
            self.empty()
            with closing(TopicAdmin(self.settings)) as admin:
                compacted = self.topics.declared.state_settings(None)
                admin.make(dict.fromkeys(saved, compacted))
            for name, records in saved.items():
                self._write(name, records)

        return restore

    def lose_a_part(self, version: int) -> None:
        with closing(TopicAdmin(self.settings)) as admin:
            admin.delete(self.topics.state_of(_VIEW, version))

    def damage(self, version: int, sku: str) -> None:
        self._write(self.topics.state_of(_VIEW, version), {sku.encode(): b"{"})

    def close(self) -> None:
        for build in self._made:
            build.close()
        self.empty()

    def _names(self) -> list[str]:
        with closing(TopicAdmin(self.settings)) as admin:
            return [name for name in admin.names() if name.startswith(self.settings.topic_prefix)]

    def _write(self, topic: str, records: dict[bytes, bytes]) -> None:
        with closing(opened(KafkaProducer, self.settings.client_arguments(), acks="all")) as producer:
            for key, value in records.items():
                producer.send(topic, value, key)
            producer.flush()
