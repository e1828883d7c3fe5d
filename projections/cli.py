"""`daybook projections`: where the views stand, and building one anew.

The context object bears `postgres_url`, `redis_url`, `data_dir` and `elasticsearch_url`.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Protocol

import click
import msgspec
import structlog
from tqdm import tqdm

from event_store.errors import EventStoreError
from event_store.postgres.log import PostgresLog
from projections.documents.search import VIEW as SEARCH
from projections.engine.follower import TargetUnavailable
from projections.engine.rebuild import Action, Progress
from projections.operate import run_action
from projections.redis.store import EvictingStore
from projections.status import ViewStatus, view_statuses
from projections.views.registry import VIEWS

NAMES = (*(view.name for view in VIEWS), SEARCH)

_DIFFERENCES_SHOWN = 20
_NOT_DONE: dict[Action, str] = {
    "rebuild": "not rebuilt",
    "verify": "not verified",
    "retry": "not retried",
    "rollback": "not rolled back",
    "drop": "nothing dropped",
}


class Addresses(Protocol):
    """Where the shop's log and views are."""

    @property
    def postgres_url(self) -> str:
        """The log's database."""

    @property
    def redis_url(self) -> str:
        """The views' Redis."""

    @property
    def data_dir(self) -> Path:
        """The folder with the embedded search index."""

    @property
    def elasticsearch_url(self) -> str | None:
        """Where the search index lies instead; None: it is embedded."""


@click.group("projections")
def projections_group() -> None:
    """Read models: where they stand, rebuilding."""


@projections_group.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of the table.")
@click.option("--shards", "by_shard", is_flag=True, help="A line for each shard and who writes it.")
@click.pass_obj
def status(addresses: Addresses, as_json: bool, by_shard: bool) -> None:
    """Version, position and lag of every view; the versions kept for rolling back, or being built; and why a
    view has stopped."""
    try:
        log = PostgresLog.open(addresses.postgres_url)
        try:
            statuses = view_statuses(
                log, addresses.redis_url, addresses.data_dir, addresses.elasticsearch_url
            )
        finally:
            log.close()
    except (EventStoreError, TargetUnavailable) as error:
        raise click.ClickException(" ".join(str(error).split())) from error
    if as_json:
        click.echo(msgspec.json.encode(statuses).decode())
    else:
        click.echo(_aligned(_shard_rows(statuses) if by_shard else _view_rows(statuses)))
        for each in statuses:
            if each.stopped is not None:
                click.echo(f"{each.view}: {each.stopped}")


@projections_group.command()
@click.argument("name", type=click.Choice([*NAMES, "all"]))
@click.pass_obj
def rebuild(addresses: Addresses, name: str) -> None:
    """Build a view anew beside the live one, compare the two, and switch."""
    _run("rebuild", addresses, name)


@projections_group.command()
@click.argument("name", type=click.Choice([*NAMES, "all"]))
@click.pass_obj
def verify(addresses: Addresses, name: str) -> None:
    """Compare a view with one built anew, which nobody reads. Exit code 1 where they differ."""
    _run("verify", addresses, name)


@projections_group.command()
@click.argument("name", type=click.Choice([*NAMES, "all"]))
@click.pass_obj
def retry(addresses: Addresses, name: str) -> None:
    """Have a view that has stopped take in the next event again."""
    _run("retry", addresses, name)


@projections_group.command()
@click.argument("name", type=click.Choice(NAMES))
@click.pass_obj
def rollback(addresses: Addresses, name: str) -> None:
    """Catch up the version that was read before the last rebuild, and switch back to it."""
    _run("rollback", addresses, name)


@projections_group.command()
@click.argument("name", type=click.Choice([*NAMES, "all"]))
@click.pass_obj
def drop(addresses: Addresses, name: str) -> None:
    """Delete the version that is kept for rolling back."""
    _run("drop", addresses, name)


def _run(action: Action, addresses: Addresses, name: str) -> None:
    """Does it with a view, or with all, and prints how it ended; exits with 1 where any failed."""
    _quiet_logs()
    views = NAMES if name == "all" else (name,)
    bars = _Bars()
    try:
        ended = run_action(
            action,
            views,
            postgres_url=addresses.postgres_url,
            redis_url=addresses.redis_url,
            data_dir=addresses.data_dir,
            elasticsearch_url=addresses.elasticsearch_url,
            report=bars.update,
        )
    except (EventStoreError, TargetUnavailable, EvictingStore) as error:
        raise click.ClickException(" ".join(str(error).split())) from error
    finally:
        bars.close()
    for progress in ended:
        click.echo(_outcome(action, progress))
    is_wrong = any(
        progress.state == "failed" or (action == "verify" and progress.differing) for progress in ended
    )
    if len(ended) < len(views) or is_wrong:
        sys.exit(1)


class _Bars:
    """A progress bar per view, on standard error."""

    def __init__(self) -> None:
        self._bars: dict[str, tqdm] = {}

    def update(self, progress: Progress) -> None:
        bar = self._bars.get(progress.view)
        if bar is None:
            bar = tqdm(desc=progress.view, unit=" events", file=sys.stderr, position=len(self._bars))
            self._bars[progress.view] = bar
        if progress.target:
            bar.total = progress.target
            bar.n = progress.position
        bar.set_postfix_str(progress.state)

    def close(self) -> None:
        for bar in self._bars.values():
            bar.close()


def _quiet_logs() -> None:
    """Keeps a line per batch off standard output, where the answer goes."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _outcome(action: Action, progress: Progress) -> str:
    if progress.state == "failed":
        return f"{progress.view}: {_NOT_DONE[action]}: {progress.reason}"
    if action == "drop":
        return f"{progress.view}: version {progress.version} dropped"
    line = f"{progress.view}: version {progress.version} at position {progress.position}"
    if action not in ("rebuild", "verify"):
        return line
    if progress.documents is None:
        return f"{line}, built; there was none to compare it with"
    differing, keys = progress.differing or 0, (progress.differing_keys or [])[:_DIFFERENCES_SHOWN]
    other = "the version before" if action == "rebuild" else "the version that is read"
    line += f", {progress.documents} documents compared, {differing} differ from {other}"
    more = ", …" if differing > len(keys) else ""
    return f"{line}: {', '.join(keys)}{more}" if differing else line


def _view_rows(statuses: list[ViewStatus]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("view", "version", "shards", "position", "lag", "kept", "building")]
    for each in statuses:
        others = ("" if each.kept is None else str(each.kept.version), str(each.building or ""))
        if each.version is None:
            rows.append((each.view, "not ready", "", "", "", *others))
        else:
            numbers = (each.version, each.shards, each.position, each.lag)
            rows.append((each.view, *map(str, numbers), *others))
    return rows


def _shard_rows(statuses: list[ViewStatus]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("view", "shard", "holder", "position", "lag")]
    for each in statuses:
        for one in each.by_shard:
            rows.append((each.view, str(one.shard), one.holder or "none", str(one.position), str(one.lag)))
    return rows


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
