"""Clients of kafka-python that leave nothing behind where they cannot be made."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from kafka.errors import KafkaError, KafkaTimeoutError, RequestTimedOutError
from kafka.net.compat import KafkaNetClient

from event_store.kafka.errors import KafkaUnavailable, kafka_errors_are_typed

Client = TypeVar("Client")


def opened(kind: Callable[..., Client], arguments: Mapping[str, Any], **more: Any) -> Client:
    """A KafkaProducer, KafkaConsumer or KafkaAdminClient. KafkaUnavailable where no broker lets us in.

    A client that cannot be made has a thread by then, which would try to connect for ever.
    """
    connections: list[KafkaNetClient] = []

    def connecting(**named: Any) -> KafkaNetClient:
        connections.append(KafkaNetClient(**named))
        return connections[-1]

    reasons = _Reasons()
    with kafka_errors_are_typed():
        try:
            with reasons:
                return kind(**arguments, **more, kafka_client=connecting)
        except BaseException as error:
            for one in connections:
                with suppress(KafkaError):
                    one.close()
            if isinstance(error, KafkaTimeoutError) and reasons.given:
                brokers = ", ".join(arguments["bootstrap_servers"])
                raise KafkaUnavailable(f"Kafka at {brokers}: {'; '.join(reasons.given)}") from error
            raise


class _Reasons(logging.Handler):
    """Why a broker was not reached: the client's log alone says that, and tries again."""

    _logger = logging.getLogger("kafka.net.manager")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.given: dict[str, None] = {}  # each once, in order

    def __enter__(self) -> None:
        self._logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the exception that the line has. Of several tries, one may hear why and another not."""
        for argument in record.args or ():
            late = KafkaTimeoutError | RequestTimedOutError
            if isinstance(argument, BaseException) and not isinstance(argument, late):
                self.given[" ".join(str(argument).split())] = None
