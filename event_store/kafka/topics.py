"""Which topics there are on Kafka, by name, with their settings.

deploy/kafka_topics.yaml has them all, with what is the operator's to choose.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec

from event_store.errors import EventStoreError

_ORDERED = "events"
_RELAY = "relay"
_STATE = "state"
POLICY = "cleanup.policy"


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
    state: dict[str, TopicSettings]

    def state_settings(self, view: str | None) -> TopicSettings:
        """Of each version's topic of the view; None: of the one that says which version is read."""
        name = _STATE if view is None else f"{_STATE}.{view}"
        if name not in self.state:
            raise TopicUnfit(f"the file of topics has none for the state of {view}: add {name} to it")
        return self.state[name]


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
        self.state = prefix + _STATE
        """Which version of each view of state topics is read; compacted, one partition."""
        self.of_events = tuple(prefix + name for name in self.declared.events)
        """The ordered one, and that of each context."""

    def of(self, name: str) -> str:
        """The topic of an event's context, by the event's stored name."""
        context = name.partition(".")[0]
        if context not in self.declared.events:
            raise TopicUnfit(f"the file of topics has none for {name}: add {context} to it")
        return self.prefix + context

    def state_of(self, view: str, version: int) -> str:
        """The compacted topic of one version of a view, of one partition."""
        return f"{self.state}.{view}.v{version}"

    def state_version(self, view: str, topic: str) -> int | None:
        """Which version of the view the topic is; None: it is none of it."""
        beginning = f"{self.state}.{view}.v"
        number = topic.removeprefix(beginning)
        return int(number) if topic.startswith(beginning) and number.isdecimal() else None


@cache
def declared_topics(file: Path | None = None) -> TopicsFile:
    """What stands in the file; None: deploy/kafka_topics.yaml. Raises TopicUnfit."""
    named = "deploy/kafka_topics.yaml" if file is None else str(file)
    try:
        text = (resources.files("deploy") / "kafka_topics.yaml" if file is None else file).read_text()
        found = msgspec.yaml.decode(text, type=TopicsFile)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise TopicUnfit(f"{named}: {error}") from error
    single = ((_ORDERED, found.events), (_RELAY, found.checkpoints), (_STATE, found.state))
    for name, topics in (*single, *((name, found.state) for name in found.state)):
        if name not in topics or topics[name].partitions != 1:
            raise TopicUnfit(f"{named}: the topic {name} must be there, with one partition")
    for group, topics, policy in (
        ("events", found.events, "delete"),
        ("checkpoints", found.checkpoints, "compact"),
        ("state", found.state, "compact"),
    ):
        for name, topic in topics.items():
            if topic.settings.get(POLICY) != policy:
                raise TopicUnfit(f"{named}: {group} need {POLICY}: {policy}, and {name} has another")
    return found


def _shown(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
