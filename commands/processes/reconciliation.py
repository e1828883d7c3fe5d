"""Money was paid out: our payments until then are held against the gateway's balance report."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client import Counter

from aggregates.payments.events import BalanceReconciled, GatewayNewsReceived
from commands.gateways.gateway import (
    Gateway,
    GatewayRefusal,
    GatewayUnavailable,
    GatewayUnclear,
)
from commands.gateways.stripe_events import PAYOUT_TYPES
from commands.handlers.reconciliation import RecordReconciliation
from commands.importing.progress import Progress
from commands.processes.kind import Change, Closed, Due, NotYet, Opened
from commands.reconciliation.fetching import next_begin, reconcile_fetched
from commands.reconciliation.healing import Submit
from commands.reconciliation.report import MalformedReport
from event_store.records import EventLog, RecordedEvent

log_lines = structlog.get_logger("commands.processes")

RECONCILIATIONS = Counter(
    "daybook_reconciliations_total", "Reconciliations by result: settled, left, failed", ["result"]
)
SECONDS_MAX = 3600.0
"""What was healed until then stays so; the next try has the less to do."""
REPORT_PAUSE_SECONDS = 300.0
"""Between two questions whether the report reaches so far, which at Stripe takes half a day."""


class ReconcileAfterPayout:
    """See ProcessKind. The queue is the gateway, the number the second of the payout: one after the other."""

    name = "reconciliation"
    event_names = ("payments.gateway_news_received", "payments.balance_reconciled")
    at_once_max = 1
    round_seconds = 1.0

    def __init__(
        self,
        gateway: Gateway,
        log: EventLog,
        submit: Submit,
        *,
        pause_seconds: float = REPORT_PAUSE_SECONDS,
    ) -> None:
        self._gateway = gateway
        self._log = log
        self._submit = submit
        self._pause_seconds = pause_seconds

    def starts_at(self, log: EventLog) -> int:
        """The log's head: of payouts before it an operator was told, to reconcile by hand."""
        return log.head()

    def changes(self, recorded: RecordedEvent, event: Any) -> Iterable[Change]:
        """Opened by news of a payout, closed by a reconciliation up to that moment."""
        match event:
            case GatewayNewsReceived(kind=kind, created=created) if kind.removeprefix("v1.") in PAYOUT_TYPES:
                yield Opened(self._gateway.name, int(created.timestamp()))
            case BalanceReconciled(gateway=gateway, until=until):
                yield Closed(gateway, int(until.timestamp()))

    async def do(self, due: Due) -> RecordReconciliation:
        """Reconciles from where the last one ended, once the gateway's report reaches to the payout."""
        until = datetime.fromtimestamp(due.work.number, UTC)
        name = due.work.queue
        begin = await asyncio.to_thread(next_begin, self._log, name, until=until)
        progress = _Progress()
        try:
            if name != self._gateway.name:  # It was changed since.
                raise GatewayRefusal("another_gateway")  # noqa: TRY301
            await self._wait_for_report(until)
            async with asyncio.timeout(SECONDS_MAX):
                _, record = await reconcile_fetched(
                    self._gateway,
                    self._log,
                    self._submit,
                    begin=begin,
                    until=until,
                    progress=progress,
                )
        except (GatewayUnavailable, GatewayUnclear) as error:
            raise NotYet(f"gateway: {error}") from None
        except TimeoutError:
            raise NotYet(f"not done in {SECONDS_MAX:.0f} s") from None
        except (GatewayRefusal, MalformedReport) as error:  # The same again would come of another try.
            failure = error.code if isinstance(error, GatewayRefusal) else "malformed_report"
            record = RecordReconciliation(gateway=name, since=begin.since, until=until, failure=failure)
        finally:
            progress.stop()
        result = "failed" if record.failure else "left" if record.left else "settled"
        RECONCILIATIONS.labels(result).inc()
        report = log_lines.info if result == "settled" else log_lines.error
        report(
            "reconciled",
            result=result,
            gateway=name,
            since=record.since.isoformat(),
            until=until.isoformat(),
            lines=record.lines,
            healed=record.healed,
            left=record.left,
            failure=record.failure,
        )
        return record

    async def _wait_for_report(self, until: datetime) -> None:
        reported = await self._gateway.reported_until()
        if reported < until:
            await asyncio.sleep(self._pause_seconds)
            raise NotYet(f"the gateway reports up to {reported:%Y-%m-%d %H:%M} UTC so far")


class _Progress(Progress):
    """Shows nothing; a thread that asks after `stop` ends, though its task was canceled before."""

    def __init__(self) -> None:
        super().__init__()
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def stage(self, name: str, *, total: int = 0, unit: str = "") -> None:
        self.advance(0)

    def advance(self, count: int) -> None:
        if self._stopped:
            raise asyncio.CancelledError

    def note(self, line: str) -> None:
        log_lines.warning("reconciling", note=line)
