"""What can go wrong between us and Kafka, wrapped where its client is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError

from event_store.errors import EventStoreError, StoreUnavailable


class KafkaUnavailable(StoreUnavailable):
    """The broker is away, does not answer in time, or refuses; trying again later may work."""


class KafkaFenced(EventStoreError):  # noqa: N818
    """Another producer of the same transactional id began after this one, which is over."""


class KafkaTopicMissing(KafkaUnavailable):
    """The broker has no such topic: whoever writes it makes it."""


@contextmanager
def kafka_errors_are_typed() -> Iterator[None]:
    """KafkaFenced or KafkaUnavailable instead of what the client raises."""
    try:
        yield
    except KafkaError as error:
        raise typed(error) from error
    except OSError as error:  # of addresses and certificates
        raise KafkaUnavailable(f"Kafka: {error}") from error


def typed(error: BaseException) -> KafkaFenced | KafkaUnavailable:
    """What a client's error means to us. One may name another in its text only."""
    fenced = ProducerFencedError | InvalidProducerEpochError
    names = ("ProducerFencedError", "InvalidProducerEpochError")
    text = " ".join(str(error).split())
    if isinstance(error, fenced) or any(name in text for name in names):
        return KafkaFenced("another producer has taken over")
    return KafkaUnavailable(f"Kafka: {type(error).__name__.removesuffix('Error')}: {text}")
