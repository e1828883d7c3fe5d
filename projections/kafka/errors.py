"""What goes wrong with Kafka, as a runner knows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from event_store.errors import LogUnreadable
from event_store.kafka.errors import KafkaFenced, KafkaUnavailable
from event_store.kafka.topics import TopicUnfit
from projections.engine.follower import TargetDamaged, TargetMoved, TargetUnavailable


@contextmanager
def target_errors() -> Iterator[None]:
    """TargetMoved, TargetDamaged or TargetUnavailable instead."""
    try:
        yield
    except KafkaFenced as error:
        raise TargetMoved(f"Kafka: {error}") from error
    except (TopicUnfit, LogUnreadable) as error:
        raise TargetDamaged(str(error)) from error
    except KafkaUnavailable as error:
        raise TargetUnavailable(str(error)) from error
