"""Making topics with their settings, and looking after them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any

import structlog
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from event_store.kafka.clients import opened
from event_store.kafka.errors import KafkaUnavailable, kafka_errors_are_typed
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topics import POLICY, Topics, TopicSettings, TopicUnfit

_ANSWER_MILLISECONDS_MAX = 10_000
_PAUSE_SECONDS = 0.01

logger = structlog.get_logger(__name__)


def make_topics(settings: KafkaSettings) -> None:
    """Makes the topics of the relay that are not there, and brings the settings of the others in line.

    Raises KafkaUnavailable; TopicUnfit where one has another number of partitions or another cleanup policy.
    """
    topics = Topics(settings.topic_prefix, settings.topics_file)
    declared = topics.declared.events | topics.declared.checkpoints
    with closing(TopicAdmin(settings)) as admin:
        admin.make({settings.topic_prefix + name: topic for name, topic in declared.items()})


class TopicAdmin:
    """A connection for looking after topics, by their whole names. Every call may raise KafkaUnavailable."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._replication_factor = settings.replication_factor
        self._client = opened(
            KafkaAdminClient,
            settings.client_arguments(),
            bootstrap_timeout_ms=_ANSWER_MILLISECONDS_MAX,
            request_timeout_ms=_ANSWER_MILLISECONDS_MAX,
        )

    def make(self, wanted: Mapping[str, TopicSettings]) -> None:
        """Those that are not there, and the settings of the others. Raises TopicUnfit."""
        with kafka_errors_are_typed():
            there = {
                one["name"]: len(one["partitions"])
                for one in self._client.describe_topics(list(wanted))
                if one["error_code"] == 0
            }
            missing = {name: topic for name, topic in wanted.items() if name not in there}
            if missing:
                self._create(missing)
            self._align({name: wanted[name] for name in there}, there)

    def names(self) -> list[str]:
        """Of all topics there are."""
        with kafka_errors_are_typed():
            return list(self._client.list_topics())

    def topic_id(self, topic: str) -> Any | None:
        """What tells it from others that had its name before; None: there is no such topic."""
        with kafka_errors_are_typed():
            (found,) = self._client.describe_topics([topic])
            return found["topic_id"] if found["error_code"] == 0 else None

    def delete(self, topic: str) -> None:
        """It, and all that it holds; where there is none, nothing."""
        with kafka_errors_are_typed(), suppress(UnknownTopicOrPartitionError):
            self._client.delete_topics([topic])
        until = time.monotonic() + _ANSWER_MILLISECONDS_MAX / 1000
        while self.topic_id(topic) is not None:  # Brokers learn of it a moment later.
            if time.monotonic() > until:
                raise KafkaUnavailable(f"Kafka has not deleted {topic} in time")
            time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """Gives the connection back."""
        self._client.close()

    def _create(self, missing: Mapping[str, TopicSettings]) -> None:
        new = {
            name: {
                "num_partitions": topic.partitions,
                "replication_factor": self._replication_factor or -1,
                "configs": topic.texts,
            }
            for name, topic in missing.items()
        }
        try:
            self._client.create_topics(new)
            logger.info("topics made", topics=sorted(missing))
        except TopicAlreadyExistsError:
            pass  # Another process made it meanwhile, and the rest of them.
        self._client.wait_for_topics(list(missing), timeout_ms=_ANSWER_MILLISECONDS_MAX)

    def _align(self, wanted: Mapping[str, TopicSettings], partitions: Mapping[str, int]) -> None:
        if not wanted:
            return
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
        shown = self._client.describe_configs(asked, config_filter="all")["topic"]
        changes = []
        for name, topic in wanted.items():
            found = {setting: value["value"] for setting, value in shown[name].items()}
            _check_fit(name, topic, partitions[name], found.get(POLICY))
            if differing := {key: value for key, value in topic.texts.items() if found.get(key) != value}:
                logger.warning(
                    "settings of a topic brought in line",
                    topic=name,
                    settings={key: f"{found.get(key)} → {value}" for key, value in differing.items()},
                )
                changes.append(ConfigResource(ConfigResourceType.TOPIC, name, differing))
        if changes:
            done = self._client.alter_configs(changes, raise_on_unknown=False)["topic"]
            if refused := {name: result for name, result in done.items() if result != "OK"}:
                raise KafkaUnavailable(f"Kafka does not change the settings of topics: {refused}")


def _check_fit(name: str, topic: TopicSettings, partitions: int, policy: str | None) -> None:
    """Raises TopicUnfit where it is not what nobody can make of it any more."""
    if partitions != topic.partitions:
        raise TopicUnfit(
            f"Kafka's topic {name} has {partitions} partitions, not {topic.partitions}: delete it, "
            "change deploy/kafka_topics.yaml (DAYBOOK_KAFKA_TOPICS_FILE), or set another "
            "DAYBOOK_KAFKA_TOPIC_PREFIX"
        )
    wanted = topic.texts.get(POLICY)
    if policy != wanted:
        raise TopicUnfit(
            f"Kafka's topic {name} has {POLICY}={policy}, not {wanted}, and may have lost "
            "records by it: delete it, or set another DAYBOOK_KAFKA_TOPIC_PREFIX"
        )
