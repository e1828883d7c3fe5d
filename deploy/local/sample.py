"""`daybook demo sample`: the project's own shop, put into the running one through its commands."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import click

from aggregates.event_types import EVENT_TYPES
from commands.importing.running import quiet_logs
from deploy.local.addresses import Addresses
from deploy.local.errors import CannotRun
from deploy.sample.filling import fill_shop as fill
from event_store.codec import Codec
from event_store.postgres.log import PostgresLog

LOCK = "sample"


def fill_shop(addresses: Addresses) -> None:
    """Writes what the shop still lacks of the sample; its orders end yesterday. Raises CannotRun."""
    log = PostgresLog.open(addresses.postgres_url)
    try:
        held = log.try_exclusive(LOCK)
        if held is None:
            raise CannotRun("the sample is being filled in already")
        try:
            with quiet_logs():
                written = asyncio.run(fill(log, Codec(EVENT_TYPES), today=datetime.now(UTC).date()))
        finally:
            held.release()
    finally:
        log.close()
    click.echo(
        f"The sample is in the shop: {written:,} steps." if written else "The sample was in the shop already."
    )
