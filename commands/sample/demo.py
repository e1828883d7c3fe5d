"""`daybook demo`: fills a shop with the sample, or with a real shop's books where they are at hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import click

from aggregates.event_types import EVENT_TYPES
from commands.importing.running import ImportFailed, import_file, quiet_logs
from commands.sample.filling import fill_shop
from event_store.codec import Codec
from event_store.postgres_log import PostgresLog

RETAIL = {"retail": "online_retail_2010-12-01.csv.gz", "retail-year": "online_retail.csv.gz"}
NAMES = ("sample", *RETAIL)
LOCK = "sample"


class DemoFailed(Exception):  # noqa: N818
    """The shop could not be filled; the message is for whoever asked for it."""


def run_demo(
    name: str,
    *,
    postgres_url: str,
    data_dir: Path,
    read_url: str | None,
    today: date,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Fills the shop with the named demo (one of NAMES). Raises DemoFailed and EventStoreError."""
    if name in RETAIL:
        file = datasets(environment) / "online_retail" / RETAIL[name]
        if file.is_file():
            try:
                adds_up = import_file(file, postgres_url=postgres_url, data_dir=data_dir, read_url=read_url)
            except ImportFailed as error:
                raise DemoFailed(str(error)) from error
            if not adds_up:
                raise DemoFailed("the import does not add up: see its table")
            return
        click.echo(f"{file} is not there (DAYBOOK_DATASETS names its folder): the sample instead", err=True)
    fill_with_sample(postgres_url, today=today)


def fill_with_sample(postgres_url: str, *, today: date) -> None:
    """Fills up what is missing of the sample."""
    quiet_logs()
    log = PostgresLog.open(postgres_url)
    try:
        held = log.try_exclusive(LOCK)
        if held is None:
            raise DemoFailed("the sample is being filled in already")
        try:
            written = asyncio.run(fill_shop(log, Codec(EVENT_TYPES), today=today))
        finally:
            held.release()
    finally:
        log.close()
    click.echo(f"The sample shop: {written:,} steps written." if written else "The sample is in the shop.")


def datasets(environment: Mapping[str, str]) -> Path:
    """Where the real data sets lie: DAYBOOK_DATASETS, or beside the project's folder."""
    return Path(environment.get("DAYBOOK_DATASETS") or Path(__file__).parents[2] / ".." / "shared" / "data")
