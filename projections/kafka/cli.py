"""`daybook stream`: where the event stream on Kafka stands.

The context object bears `postgres_url` and `kafka_bootstrap`.
"""

from __future__ import annotations

import sys
from typing import Protocol

import click
import msgspec

from event_store.errors import EventStoreError
from event_store.kafka.settings import KafkaSettings
from event_store.postgres.log import PostgresLog
from projections.kafka.status import StreamStatus, stream_status


class Addresses(Protocol):
    """Where the log and the broker are."""

    @property
    def postgres_url(self) -> str:
        """The log's database."""

    @property
    def kafka_bootstrap(self) -> str | None:
        """The brokers, by comma; None: there is no stream."""


@click.group("stream")
def stream_group() -> None:
    """The event stream on Kafka."""


@stream_group.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the table.")
@click.pass_obj
def status(addresses: Addresses, as_json: bool) -> None:
    """How far the relay is behind the log, who publishes, and what every topic holds.

    Exit code 1 where nobody publishes, where the topics are not this log's, or where the log or Kafka does
    not answer.
    """
    settings = KafkaSettings(bootstrap=addresses.kafka_bootstrap)
    if settings.bootstrap is None:
        raise click.ClickException(
            "there is no stream: start the system with --stream kafka, or give DAYBOOK_KAFKA_BOOTSTRAP"
        )
    try:
        log = PostgresLog.open(addresses.postgres_url, read_only=True)
        try:
            found = stream_status(log, settings)
        finally:
            log.close()
    except EventStoreError as error:
        raise click.ClickException(" ".join(str(error).split())) from error
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        _print(found)
    if found.wrong is not None:
        sys.exit(1)


def _print(found: StreamStatus) -> None:
    click.echo(f"relay      {found.publisher or 'none'}")
    click.echo(f"position   {found.position}")
    click.echo(f"lag        {found.lag} events")
    if found.wrong is not None:
        click.echo(f"wrong      {found.wrong}")
    rows = [("topic", "partitions", "records")]
    rows += [(one.topic, str(one.partitions), str(one.records)) for one in found.topics]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    click.echo()
    for topic, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        click.echo("  ".join([topic.ljust(widths[0]), *cells]))
