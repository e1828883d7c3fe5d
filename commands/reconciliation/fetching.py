"""A reconciliation with nobody's file: the gateway's report is fetched, and what is left goes on the list."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aggregates.payments import gateway as payments_gateway
from aggregates.payments.events import BalanceReconciled
from commands.codec import CODEC
from commands.gateways.gateway import Gateway
from commands.handlers.payments import RaiseConcern, is_id
from commands.handlers.reconciliation import RecordReconciliation
from commands.importing.progress import Progress
from commands.reconciliation.healing import Submit, healing
from commands.reconciliation.matching import LAG
from commands.reconciliation.running import Reconciliation, reconcile
from event_store.records import EventLog, EventReader

REACH = timedelta(days=31)
"""What the first reconciliation covers; payouts are a month apart at most."""
LISTED_MAX = 100
"""So many orders of one reconciliation are put on the operator's list; where there are more, all is wrong."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Where a reconciliation begins: its time (UTC), and a position before which nothing of it can lie."""

    since: datetime
    after: int = 0


def next_begin(log: EventReader, gateway: str, *, until: datetime) -> Begin:
    """After the last reconciliation of the gateway, but for what its report may have lacked. Blocks."""
    kind = payments_gateway.reconciliation_stream
    history = log.read_stream(kind(gateway))
    last: datetime | None = kind.fold(kind.initial(), map(CODEC.decode, history)).until
    since = until - REACH if last is None else min(last, until) - LAG
    since = since.replace(microsecond=0)
    return Begin(since, max((one.position for one in history if one.recorded_at <= since), default=0))


@asynccontextmanager
async def fetched_report(gateway: Gateway, *, since: datetime, until: datetime) -> AsyncIterator[Path]:
    """The gateway's report of the time, while the context is entered. Raises GatewayError."""
    with tempfile.TemporaryDirectory(prefix="daybook-report-") as folder:
        file = Path(folder) / "report.csv"
        with file.open("wb") as to:
            await gateway.report(since=since, until=until, to=to)
        yield file


async def reconcile_fetched(
    gateway: Gateway,
    log: EventLog,
    submit: Submit,
    *,
    begin: Begin,
    until: datetime,
    progress: Progress,
) -> tuple[Reconciliation, RecordReconciliation]:
    """Fetches, compares and heals, and puts orders that are left on the list; what it found, and its record.

    Raises GatewayError, MalformedReport, StoreUnavailable, BusyError.
    """
    progress.stage("fetching the report")
    async with fetched_report(gateway, since=begin.since, until=until) as file:
        found = await reconcile(
            file,
            log,
            since=begin.since,
            until=until,
            after=begin.after,
            heal=healing(gateway, submit),
            progress=progress,
        )
    orders = dict.fromkeys(one.order_id for one in found.left if one.order_id and is_id(one.order_id))
    for order_id in list(orders)[:LISTED_MAX]:
        today = datetime.now(UTC).date()
        await submit(RaiseConcern(order_id=order_id, concern="unreconciled", on=today))
    record = RecordReconciliation(
        gateway=gateway.name,
        since=begin.since,
        until=until,
        lines=found.report.lines,
        healed=sum(one.verdict == "healed" for one in found.findings),
        left=len(found.left),
    )
    return found, record


def recorded(log: EventReader, gateway: str) -> list[BalanceReconciled]:
    """Every reconciliation of a gateway that was recorded, the oldest first. Blocks."""
    stream = payments_gateway.reconciliation_stream(gateway)
    return [CODEC.decode(one) for one in log.read_stream(stream)]
