"""Which topics there are on Kafka, by name, and making them with their settings.

deploy/kafka_topics.yaml has them all, with what is the operator's to choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from event_store.errors import EventStoreError
from event_store.kafka.clients import opened
from event_store.kafka.errors import KafkaUnavailable, kafka_errors_are_typed
from event_store.kafka.settings import KafkaSettings

_ORDERED = "events"
_RELAY = "relay"
_POLICY = "cleanup.policy"
_ANSWER_MILLISECONDS_MAX = 10_000

logger = structlog.get_logger(__name__)


class TopicUnfit(EventStoreError):  # noqa: N818
    """A topic is not as it must be, or none stands in the file: somebody has to mend it."""


class TopicSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a topic is made with; `settings` by Kafka's own names, null for the cluster's."""

    partitions: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    settings: dict[str, str | int | float | bool]

    @property
    def texts(self) -> dict[str, str]:
        """The settings as Kafka shows them."""
        return {name: _shown(value) for name, value in self.settings.items()}


class TopicsFile(msgspec.Struct, frozen=True):
    """deploy/kafka_topics.yaml; names stand without their prefix."""

    events: dict[str, TopicSettings]
    checkpoints: dict[str, TopicSettings]


class Topics:
    """The names of the topics that begin with this prefix."""

    def __init__(self, prefix: str, file: Path | None = None) -> None:
        """Raises TopicUnfit where the file (else that of deploy/) is not one of topics."""
        self.prefix = prefix
        self.declared = declared_topics(file)
        self.events = prefix + _ORDERED
        """The ordered topic, of one partition: every event."""
        self.relay = prefix + _RELAY
        """The relay's checkpoint; compacted, one partition."""
        self.of_events = tuple(prefix + name for name in self.declared.events)
        """The ordered one, and that of each context."""

    def of(self, name: str) -> str:
        """The topic of an event's context, by the event's stored name."""
        context = name.partition(".")[0]
        if context not in self.declared.events:
            raise TopicUnfit(f"the file of topics has none for {name}: add {context} to it")
        return self.prefix + context


@cache
def declared_topics(file: Path | None = None) -> TopicsFile:
    """What stands in the file; None: deploy/kafka_topics.yaml. Raises TopicUnfit."""
    named = "deploy/kafka_topics.yaml" if file is None else str(file)
    try:
        text = (resources.files("deploy") / "kafka_topics.yaml" if file is None else file).read_text()
        found = msgspec.yaml.decode(text, type=TopicsFile)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise TopicUnfit(f"{named}: {error}") from error
    for name, topics in ((_ORDERED, found.events), (_RELAY, found.checkpoints)):
        if name not in topics or topics[name].partitions != 1:
            raise TopicUnfit(f"{named}: the topic {name} must be there, with one partition")
    for group, topics, policy in (
        ("events", found.events, "delete"),
        ("checkpoints", found.checkpoints, "compact"),
    ):
        for name, topic in topics.items():
            if topic.settings.get(_POLICY) != policy:
                raise TopicUnfit(f"{named}: {group} need {_POLICY}: {policy}, and {name} has another")
    return found


def make_topics(settings: KafkaSettings) -> None:
    """Makes the topics of the relay that are not there, and brings the settings of the others in line.

    Raises KafkaUnavailable; TopicUnfit where one has another number of partitions or another cleanup policy.
    """
    topics = Topics(settings.topic_prefix, settings.topics_file)
    declared = topics.declared.events | topics.declared.checkpoints
    make(settings, {settings.topic_prefix + name: topic for name, topic in declared.items()})


def make(settings: KafkaSettings, wanted: Mapping[str, TopicSettings]) -> None:
    """The same of these topics, by their whole names."""
    with kafka_errors_are_typed(), closing(_admin(settings)) as admin:
        there = {
            one["name"]: len(one["partitions"])
            for one in admin.describe_topics(list(wanted))
            if _is_there(one)
        }
        missing = {name: topic for name, topic in wanted.items() if name not in there}
        if missing:
            _create(admin, missing, settings.replication_factor)
        _align(admin, {name: wanted[name] for name in there}, there)


def _admin(settings: KafkaSettings) -> KafkaAdminClient:
    return opened(
        KafkaAdminClient,
        settings.client_arguments(),
        bootstrap_timeout_ms=_ANSWER_MILLISECONDS_MAX,
        request_timeout_ms=_ANSWER_MILLISECONDS_MAX,
    )


def _is_there(described: Mapping[str, object]) -> bool:
    return described["error_code"] == 0


def _create(
    admin: KafkaAdminClient, missing: Mapping[str, TopicSettings], replication_factor: int | None
) -> None:
    new = {
        name: {
            "num_partitions": topic.partitions,
            "replication_factor": replication_factor or -1,
            "configs": topic.texts,
        }
        for name, topic in missing.items()
    }
    try:
        admin.create_topics(new)
        logger.info("topics made", topics=sorted(missing))
    except TopicAlreadyExistsError:
        pass  # Another process made it meanwhile, and the rest of them.
    admin.wait_for_topics(list(missing), timeout_ms=_ANSWER_MILLISECONDS_MAX)


def _align(
    admin: KafkaAdminClient, wanted: Mapping[str, TopicSettings], partitions: Mapping[str, int]
) -> None:
    if not wanted:
        return
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
    shown = admin.describe_configs(asked, config_filter="all")["topic"]
    changes = []
    for name, topic in wanted.items():
        found = {setting: value["value"] for setting, value in shown[name].items()}
        if partitions[name] != topic.partitions:
            raise TopicUnfit(
                f"Kafka's topic {name} has {partitions[name]} partitions, not {topic.partitions}: delete it, "
                "change deploy/kafka_topics.yaml (DAYBOOK_KAFKA_TOPICS_FILE), or set another "
                "DAYBOOK_KAFKA_TOPIC_PREFIX"
            )
        policy = topic.texts.get(_POLICY)
        if found.get(_POLICY) != policy:
            raise TopicUnfit(
                f"Kafka's topic {name} has {_POLICY}={found.get(_POLICY)}, not {policy}, and may have lost "
                "records by it: delete it, or set another DAYBOOK_KAFKA_TOPIC_PREFIX"
            )
        if differing := {key: value for key, value in topic.texts.items() if found.get(key) != value}:
            logger.warning(
                "settings of a topic brought in line",
                topic=name,
                settings={key: f"{found.get(key)} → {value}" for key, value in differing.items()},
            )
            changes.append(ConfigResource(ConfigResourceType.TOPIC, name, differing))
    if changes:
        done = admin.alter_configs(changes, raise_on_unknown=False)["topic"]
        if refused := {name: result for name, result in done.items() if result != "OK"}:
            raise KafkaUnavailable(f"Kafka does not change the settings of topics: {refused}")


def _shown(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
