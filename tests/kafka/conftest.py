"""Topics of a test's own on the session's broker."""

from __future__ import annotations

from uuid import uuid4

import pytest

from deploy.local.servers.kafka import KafkaServer
from event_store.kafka.settings import KafkaSettings


@pytest.fixture
def kafka(kafka_server: KafkaServer) -> KafkaSettings:
    """No topics yet."""
    return KafkaSettings(bootstrap=kafka_server.bootstrap, topic_prefix=f"test-{uuid4().hex[:12]}.")
