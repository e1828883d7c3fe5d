"""The topics: one for each context, made with their settings; what cannot be mended is a clear error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from aggregates.event_types import EVENT_TYPES
from event_store.kafka import topic_admin
from event_store.kafka.errors import KafkaUnavailable
from event_store.kafka.settings import KafkaSettings
from event_store.kafka.topic_admin import make_topics
from event_store.kafka.topics import Topics, TopicUnfit, declared_topics
from tests.waiting import wait_until


@pytest.fixture
def admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(**kafka.client_arguments())) as client:
        yield client


def settings_of(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
    found = admin.describe_configs(asked, config_filter="all")["topic"][topic]
    return {name: value["value"] for name, value in found.items()}


def test_each_context_has_a_topic() -> None:
    named = Topics("daybook.")
    contexts = {named.of(event.name) for event in EVENT_TYPES}
    assert contexts == set(named.of_events) - {"daybook.events"}, "in deploy/kafka_topics.yaml"
    with pytest.raises(TopicUnfit, match=r"none for parcel\.sent: add parcel"):
        named.of("parcel.sent")


def test_they_are_made_with_their_settings_and_only_once(
    kafka: KafkaSettings, admin: KafkaAdminClient
) -> None:
    make_topics(kafka)
    with structlog.testing.capture_logs() as lines:
        make_topics(kafka)
    assert lines == []
    named = Topics(kafka.topic_prefix)
    made = {
        one["name"]: len(one["partitions"])
        for one in admin.describe_topics()
        if one["name"].startswith(kafka.topic_prefix)
    }
    assert made.keys() == {*named.of_events, named.relay}
    assert (made[named.events], made[named.of("cart.cart_opened")], made[named.relay]) == (1, 4, 1)
    ordered, relay = settings_of(admin, named.events), settings_of(admin, named.relay)
    assert (ordered["cleanup.policy"], ordered["retention.ms"], ordered["retention.bytes"]) == (
        "delete",
        "-1",
        "-1",
    )
    assert ordered["max.message.bytes"] == "4194304"
    assert relay["cleanup.policy"] == "compact"


def test_a_setting_that_was_changed_is_brought_in_line_with_a_word(
    kafka: KafkaSettings, admin: KafkaAdminClient
) -> None:
    make_topics(kafka)
    events = Topics(kafka.topic_prefix).events
    forgets = ConfigResource(ConfigResourceType.TOPIC, events, {"retention.ms": "3600000"})
    admin.alter_configs([forgets])
    wait_until(lambda: settings_of(admin, events)["retention.ms"] == "3600000")
    with structlog.testing.capture_logs() as lines:
        make_topics(kafka)
    wait_until(lambda: settings_of(admin, events)["retention.ms"] == "-1")
    (line,) = lines
    assert (line["topic"], line["settings"]) == (events, {"retention.ms": "3600000 → -1"})


@pytest.mark.parametrize(
    ("partitions", "policy", "complaint"),
    [
        (7, "delete", "has 7 partitions, not 4: delete it"),
        (4, "compact", "has cleanup.policy=compact, not delete, and may have lost records"),
    ],
)
def test_what_cannot_be_mended_is_an_error_that_says_what_to_do(
    kafka: KafkaSettings, admin: KafkaAdminClient, partitions: int, policy: str, complaint: str
) -> None:
    topic = f"{kafka.topic_prefix}cart"
    options = {"num_partitions": partitions, "configs": {"cleanup.policy": policy}}
    admin.create_topics({topic: options}, wait_for_metadata=True)
    with pytest.raises(TopicUnfit, match=complaint):
        make_topics(kafka)
    assert len(admin.describe_topics([topic])[0]["partitions"]) == partitions


def test_an_operator_may_have_a_file_of_their_own(
    kafka: KafkaSettings, admin: KafkaAdminClient, tmp_path: Path
) -> None:
    file = tmp_path / "topics.yaml"
    stock = Path("deploy/kafka_topics.yaml").read_text()
    file.write_text(stock.replace("cart: {partitions: 4", "cart: {partitions: 2"))
    make_topics(kafka.model_copy(update={"topics_file": file}))
    (cart,) = admin.describe_topics([f"{kafka.topic_prefix}cart"])
    assert len(cart["partitions"]) == 2


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("events: {partitions: 1", "events: {partitions: 3", "the topic events must be there, with one part"),
        ("cart: {partitions: 4", "cart: {partitions: 0", "Expected `int` >= 1"),
        ("cart: {partitions: 4, settings", "cart: {partitions: 4, setting", "unknown field `setting`"),
        ("1, settings: *compacted", "1, settings: *events", "need cleanup.policy: compact, and relay has"),
        ("events:\n  events", "event:\n  events", "missing required field `events`"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_name(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    stock = Path("deploy/kafka_topics.yaml").read_text()
    assert old in stock
    file = tmp_path / "topics.yaml"
    file.write_text(stock.replace(old, new))
    with pytest.raises(TopicUnfit, match=complaint) as refused:
        declared_topics(file)
    assert str(file) in str(refused.value)


def test_a_replication_that_the_brokers_cannot_have_is_an_error(kafka: KafkaSettings) -> None:
    with pytest.raises(KafkaUnavailable, match="ReplicationFactor"):
        make_topics(kafka.model_copy(update={"replication_factor": 3}))


def test_a_broker_that_is_away_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_admin, "_ANSWER_MILLISECONDS_MAX", 500)
    nobody = KafkaSettings(bootstrap="127.0.0.1:1")
    with pytest.raises(KafkaUnavailable):
        make_topics(nobody)
